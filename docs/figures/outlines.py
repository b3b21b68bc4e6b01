"""Draw outlines of two tracked targets, in ten frames of each at even distances.

python docs/figures/outlines.py
"""

from __future__ import annotations

from common import panels, save, show

import siamtrack
from siamtrack.cli.demo import END, START, TARGETS, demo_clip
from siamtrack.core.tracks import TrackState

EACH = 10
CLIPS = (
    (demo_clip(), TARGETS[0], START, END),
    (demo_clip().with_name("bigbuckbunny.mp4"), (300.0, 255.0, 230.0, 300.0), 0, 30),
)


def main() -> None:
    figure = panels(EACH, 2, size=(0.9, 1.0))
    for row, (clip, box, start, end) in enumerate(CLIPS):
        found = [
            (frame, track)
            for frame, track in siamtrack.track(clip, box, start=start, end=end, masks=True)
            if track.state is not TrackState.LOST
        ]
        for column in range(EACH):
            frame, track = found[column * (len(found) - 1) // (EACH - 1)]
            axes = figure.axes[row * EACH + column]
            show(axes, frame.image, f"{frame.index}")
            for outline in track.mask.polygons():
                axes.fill(*outline.T, fill=False, edgecolor="lime", linewidth=1)
            left, top, width, height = track.box
            side = 0.6 * max(width, height)
            axes.set_xlim(left + width / 2 - side, left + width / 2 + side)
            axes.set_ylim(top + height / 2 + side, top + height / 2 - side)
    save(figure, "outlines")


if __name__ == "__main__":
    main()
