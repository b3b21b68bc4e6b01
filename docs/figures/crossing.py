"""Draw a target that crosses another walker and hides behind a wall, from generated clips.

python docs/figures/crossing.py
"""

from __future__ import annotations

import sys
from pathlib import Path

from common import save
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

import siamtrack
from siamtrack.core.tracks import TrackState
from siamtrack.tracking.identities import Identities

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from crossing import clip

SHOWN = (4, 19, 80, 175)


def main() -> None:
    frames, boxes, detections = clip(0)
    followed = Identities(siamtrack.load(threads=1, precision="float32"))
    tracks = {0: followed.add(frames[0], boxes[0, 0])}
    for index in range(1, SHOWN[-1] + 1):
        (tracks[index],) = followed.update(frames[index], detections[index])
    figure = Figure(figsize=(9, 1.7), layout="constrained")
    for axes, index in zip(figure.subplots(1, len(SHOWN)), SHOWN, strict=True):
        axes.imshow(frames[index])
        for left, top, width, height in detections[index]:
            axes.add_patch(Rectangle((left, top), width, height, fill=False, color="white"))
        track = tracks[index]
        if track.state is not TrackState.LOST:
            left, top, width, height = track.box
            axes.add_patch(Rectangle((left, top), width, height, fill=False, color="lime", lw=2))
        axes.set_title(f"frame {index}: {track.state.value}", fontsize=8)
        axes.set_axis_off()
    save(figure, "crossing", quality=60)


if __name__ == "__main__":
    main()
