"""Measure single steps of trackers, without what they add up to over a sequence.

    python benchmarks/single_steps.py otb:data/OTB folder:data/wide --tracker lite \
        --tracker lightfc:data/lightfc --lag 0 --lag 20 --steps 8

A tracker is started on the true box of a frame and asked about the frame `--lag` frames later; its
search window stands near the true box there, with the same random error for all trackers. Lag 0
shows how exactly a network finds what it was shown, later frames how much a change of appearance
costs. `first` starts on the first frame of the sequence, with the box before as the prior. Ours
answer without smoothing, online classifier and motion, so that the network is measured.

Prints means over all steps: IoU, distance of the centers as a share of the target's size, and the
mean and mean absolute error of the logarithms of width and height.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from starts import changed

from siamtrack.core.boxes import iou
from siamtrack.data import open_dataset
from siamtrack.evaluation import open_tracker
from siamtrack.tracking.tracker import SiamTracker

RAW = "size_rate=1.0 size_floor=1.0 penalty=0.0 online.weight=0.0 motion.weight=0.0 window=0.1"
NEAR, ZOOM = 0.25, 0.25
"""Largest error of the search window: of its center, as a share of the size, and of log size."""


def opened(spec: str) -> tuple[str, Any]:
    """Return the name of a tracker and the tracker, on one thread."""
    name, make = open_tracker(spec, threads=1)
    tracker = make()
    if isinstance(tracker, SiamTracker):
        tracker = SiamTracker(changed(tracker.model, RAW))
    return name, tracker


def near(box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a box that misses another one a little."""
    length = np.sqrt(box[2] * box[3])
    center = box[:2] + box[2:] / 2 + rng.uniform(-NEAR, NEAR, 2) * length
    size = box[2:] * np.exp(rng.uniform(-ZOOM, ZOOM))
    return np.concatenate([center - size / 2, size])


def answer(tracker: Any, picture: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Return the box that a tracker finds where it looks around `prior`."""
    if isinstance(tracker, SiamTracker):
        return np.asarray(tracker.update(picture, prior=prior).box)
    tracker._box = prior.copy()  # peers keep their place there
    return np.asarray(tracker.update(picture).box)


def errors(found: np.ndarray, true: np.ndarray) -> list[float]:
    """Return IoU, distance of the centers, and log errors of width and height."""
    length = np.sqrt(true[2] * true[3])
    apart = found[:2] + found[2:] / 2 - true[:2] - true[2:] / 2
    sides = np.log(np.maximum(found[2:], 1) / true[2:])
    return [float(iou(found[None], true[None])[0]), float(np.hypot(*apart) / length), *sides]


def steps(tracker: Any, sequence: Any, count: int, lag: int | None) -> list[list[float]]:
    """Return the errors of `count` steps, spread evenly over a sequence."""
    found = []
    for place in np.unique(np.linspace(1, len(sequence) - 1, count).astype(int)).tolist():
        start = 0 if lag is None else max(0, place - lag)
        true = sequence.boxes[place]
        if min(sequence.boxes[start][2:].min(), true[2:].min()) < 2:
            continue
        tracker.init(sequence[start], sequence.boxes[start])
        rng = np.random.default_rng(place)
        prior = sequence.boxes[place - 1] if lag is None else near(true, rng)
        found.append(errors(answer(tracker, sequence[place], prior), true))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", nargs="+", help="as for `siamtrack eval`")
    parser.add_argument("--tracker", action="append", required=True)
    parser.add_argument("--lag", action="append", help="frames, or `first`")
    parser.add_argument("--steps", type=int, default=8, help="of a sequence")
    given = parser.parse_args()
    print("lag    tracker           steps  IoU    center  width           height")
    for lag in given.lag or ["0", "20", "first"]:
        for spec in given.tracker:
            name, tracker = opened(spec)
            rows = [
                row
                for dataset in given.dataset
                for sequence in open_dataset(dataset)
                for row in steps(
                    tracker, sequence, given.steps, None if lag == "first" else int(lag)
                )
            ]
            table = np.array(rows)
            mean, spread = table.mean(0), np.abs(table).mean(0)
            print(
                f"{lag:<6} {name:<17} {len(table):5}  {mean[0]:.3f}  {mean[1]:.3f}   "
                f"{mean[2]:+.3f} ({spread[2]:.3f})  {mean[3]:+.3f} ({spread[3]:.3f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
