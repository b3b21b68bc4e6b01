"""Draw a clip that was labeled in its first frame, with the labels that FiftyOne then has.

FIFTYONE_DATABASE_URI=mongodb://... python docs/figures/labels.py
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import fiftyone
import numpy as np
from common import frames, panels, save, show
from matplotlib.patches import Rectangle

from siamtrack.cli.demo import END, START, TARGETS
from siamtrack.interop.fiftyone import boxes_from, track_sample

sys.path.append(str(Path(__file__).parents[2]))
from tests.helpers import write_video

SHOWN = (0, 20, 34, 56)
COLORS = {"cyclist": "#8fd6c0", "sign": "#ffb454"}


def main() -> None:
    pictures = list(frames(START, END).values())
    height, width = pictures[0].shape[:2]
    data = fiftyone.Dataset()
    with tempfile.TemporaryDirectory() as folder:
        path = write_video(Path(folder) / "street.mp4", np.stack(pictures))
        data.add_sample(fiftyone.Sample(str(path)))
        drawn = [
            fiftyone.Detection(
                label=name,
                index=number,
                bounding_box=(np.array(box) / (width, height, width, height)).tolist(),
            )
            for name, (number, box) in zip(COLORS, TARGETS.items(), strict=True)
        ]
        for sample in data:
            sample.frames[1]["drawn"] = fiftyone.Detections(detections=drawn)
            track_sample(sample, "drawn", into="tracks")
    figure = panels(2, 2, size=(4.4, 2.05))
    sample = data.first()
    for axes, index in zip(figure.axes, SHOWN, strict=True):
        labels = sample.frames[index + 1]["tracks"]
        said = ", ".join(f"{each.label} {each.index}: {each.state}" for each in labels.detections)
        show(axes, pictures[index], f"frames[{index + 1}].tracks = {said or 'nothing'}")
        for label, box in zip(labels.detections, boxes_from(labels, (width, height)), strict=True):
            color = COLORS[label.label]
            axes.add_patch(Rectangle(box[:2], *box[2:], fill=False, color=color, lw=2))
    data.delete()
    save(figure, "labels")


if __name__ == "__main__":
    main()
