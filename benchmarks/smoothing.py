"""How much less do boxes tremble when they are averaged, and what does it cost?

    python benchmarks/smoothing.py otb:data/OTB [--over 0 1 2 4] [--frames 100]

Trembling is the median over frames of how far center and size of a box are from the mean of those
before and after it, in percent of the target's size; the annotated boxes have some, too.
"""

from __future__ import annotations

import argparse

import numpy as np

import siamtrack
from siamtrack.core.boxes import Array, centers, iou
from siamtrack.tracking.smooth import smoothed


def trembling(boxes: Array) -> float:
    """Percent of the size."""
    values = np.concatenate([centers(boxes), boxes[:, 2:]], 1)
    apart = np.abs(values[1:-1] - (values[:-2] + values[2:]) / 2)
    return float(100 * np.median(apart.mean(1) / np.sqrt(boxes[1:-1, 2:].prod(1))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", help="NAME:PATH of a data set")
    parser.add_argument("--model", default="lite")
    parser.add_argument("--over", type=int, nargs="+", default=[0, 1, 2, 4])
    parser.add_argument("--frames", type=int, default=100)
    options = parser.parse_args()
    tracker, rows, truths = siamtrack.load(options.model, threads=1), [], []
    for spec in options.data:
        for sequence in siamtrack.open_dataset(spec, partial=True):
            first, count = sequence.init_frame, len(sequence)
            numbers = range(first, min(count, first + options.frames))
            truth = sequence.boxes[numbers.start : numbers.stop]
            frames = np.stack([sequence[n] for n in numbers])
            results = list(siamtrack.track(frames, box=truth[0], tracker=tracker))
            good = np.isfinite(truth).all(1) & (truth[:, 2:] > 0).all(1)
            row = []
            for over in options.over:
                found = smoothed([(frame, [track]) for frame, track in results], over)
                boxes = np.array([tracks[0].box for _, tracks in found])
                row.append((trembling(boxes), float(iou(boxes[good], truth[good]).mean())))
            rows.append(row)
            truths.append(trembling(truth[good]))
            print(f"  {sequence.name:16}", *(f"{t:.2f}/{o:.3f}" for t, o in row), flush=True)
    print(f"annotated boxes: trembling {np.mean(truths):.2f} %")
    for over, (trembles, overlap) in zip(options.over, np.mean(rows, 0), strict=True):
        print(f"over {over}, {over} frames late: trembling {trembles:.2f} %, IoU {overlap:.4f}")


if __name__ == "__main__":
    main()
