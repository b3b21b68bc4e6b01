"""Draw tracks with annotators of supervision.

python docs/figures/annotators.py
"""

from __future__ import annotations

import numpy as np
import supervision as sv
from common import frames, panels, save, show

import siamtrack
from siamtrack.cli.demo import END, START, TARGETS
from siamtrack.interop.supervision import to_detections

SHOWN = (0, 18, 44)


def main() -> None:
    pictures = list(frames(START, END).values())
    tracker = siamtrack.load(threads=1)
    tracks = [tracker.add(pictures[0], box) for box in TARGETS.values()]
    annotators = sv.BoxCornerAnnotator(thickness=3), sv.LabelAnnotator(text_scale=0.5)
    figure = panels(len(SHOWN), size=(3.0, 1.5))
    for index, picture in enumerate(pictures[: SHOWN[-1] + 1]):
        if index:
            tracks = tracker.update_all(picture)
        if index not in SHOWN:
            continue
        found, drawn = to_detections(tracks), np.ascontiguousarray(picture)
        said = [f"#{n} {s}" for n, s in zip(found.tracker_id, found.data["state"], strict=True)]
        drawn = annotators[0].annotate(drawn, found)
        drawn = annotators[1].annotate(drawn, found, said)
        show(figure.axes[SHOWN.index(index)], drawn, f"frame {index}: {len(found)} detections")
    save(figure, "annotators")


if __name__ == "__main__":
    main()
