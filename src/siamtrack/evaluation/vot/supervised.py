"""VOT's supervised protocol: a tracker that loses its target is started again.

Papers: Kristan et al., The VOT2013 challenge, https://doi.org/10.1109/ICCVW.2013.20, and A Novel
Performance Evaluation Methodology for Single-Target Trackers, https://arxiv.org/abs/1503.01313
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from collections.abc import Sequence as Items
from dataclasses import dataclass

import numpy as np

from siamtrack.core.boxes import Array
from siamtrack.core.masks import Mask
from siamtrack.core.tracks import Tracker
from siamtrack.data.sequence import Sequence
from siamtrack.evaluation.vot.regions import overlaps, region_overlaps

SKIP, BURN_IN = 5, 10
RESULT, INIT, FAILURE, SKIPPED = -1, 1, 2, 0
Masks = Items[Mask | None]


@dataclass(frozen=True, eq=False)
class SupervisedRun:
    """One run over N frames.

    Args:
        codes: (N,) `INIT`, `FAILURE`, `SKIPPED` between a failure and the new start, else `RESULT`.
        boxes: (N, 4) ltwh or (N, 8) polygons where the code is `RESULT`, else NaN.
        times: (N,) seconds; 0 where nothing ran.
        masks: (N,) masks where the code is `RESULT` and the tracker gives one, else None; they
            count in place of the boxes where the sequence is annotated with masks.
    """

    codes: Array
    boxes: Array
    times: Array
    masks: Masks | None = None

    @property
    def failures(self) -> int:
        """Number of failures."""
        return int((self.codes == FAILURE).sum())


def mask_in(sequence: Sequence, found: object) -> Mask | None:
    """Return the mask that a tracker found, if the sequence is annotated with masks."""
    mask = getattr(found, "mask", None) if sequence.masks is not None else None
    return mask if isinstance(mask, Mask) and mask.area else None


def truth_overlaps(
    sequence: Sequence, frames: Iterable[int], boxes: Array, masks: Masks | None
) -> Array:
    """Return the overlap with the truth in frames (M,), NaN where there is no target.

    Where the sequence has masks, masks are compared with them, and boxes where there is no mask.

    Args:
        sequence: The sequence.
        frames: Their indices (M,).
        boxes: (M, 4) or polygons (M, 8).
        masks: (M,) masks that count in place of boxes.
    """
    rows = list(frames)
    truth = truth_of(sequence)[rows]
    if sequence.masks is None:
        values = overlaps(boxes, truth, sequence.size)
    else:
        given = masks or (None,) * len(rows)
        regions = [box if mask is None else mask for box, mask in zip(boxes, given, strict=True)]
        values = region_overlaps(regions, map(sequence.masks, rows), sequence.size)
    return np.where(np.isfinite(truth).all(axis=1), values, np.nan)


def truth_of(sequence: Sequence) -> Array:
    """Return the polygons of a sequence, or its boxes if it has none."""
    return sequence.boxes if sequence.polygons is None else sequence.polygons


def run_supervised(tracker: Tracker, sequence: Sequence, *, skip: int = SKIP) -> SupervisedRun:
    """Run a tracker with new starts `skip` frames after each failure, an overlap of 0.

    Trackers start from the axis-aligned box around the region. A frame without one cannot be
    started from, nor can a tracker fail there.

    Raises:
        DatasetError: If a frame cannot be read.
    """
    count = len(sequence)
    codes, times = np.full(count, SKIPPED, np.float64), np.zeros(count)
    boxes, masks = np.full((count, 4), np.nan), list[Mask | None]([None] * count)
    known, area = np.isfinite(sequence.boxes).all(axis=1), (sequence.boxes[:, 2:] > 0).all(axis=1)
    usable = np.asarray(known & area)
    start, running = sequence.init_frame, False
    for index in range(start, count):
        if not running and (index < start or not usable[index]):
            continue
        frame = sequence[index]
        clock = time.perf_counter()
        if not running:
            tracker.init(frame, sequence.boxes[index].copy())
            times[index], codes[index], running = time.perf_counter() - clock, INIT, True
            continue
        found = tracker.update(frame)
        times[index] = time.perf_counter() - clock
        box, mask = np.asarray(found.box, np.float64), mask_in(sequence, found)
        overlap = truth_overlaps(sequence, [index], box[None], [mask])[0]
        if usable[index] and overlap <= 0:
            codes[index], running, start = FAILURE, False, index + skip
        else:
            codes[index], boxes[index], masks[index] = RESULT, box, mask
    return SupervisedRun(codes, boxes, times, masks if any(masks) else None)


def run_overlaps(run: SupervisedRun, sequence: Sequence) -> Array:
    """Return the overlap in each frame (N,): NaN where nothing was tracked or nothing is there."""
    values = truth_overlaps(sequence, range(len(sequence)), run.boxes, run.masks)
    return np.where(run.codes == RESULT, values, np.nan)


def accuracy(runs: Items[tuple[SupervisedRun, Sequence]], burn_in: int = BURN_IN) -> float:
    """Return the mean overlap over tracked frames, without the `burn_in` from each start on."""
    values = []
    for run, sequence in runs:
        overlap = run_overlaps(run, sequence)
        for start in np.flatnonzero(run.codes == INIT):
            overlap[start : start + burn_in] = np.nan
        values.append(overlap)
    counted = np.concatenate(values)
    counted = counted[np.isfinite(counted)]
    return float(counted.mean()) if len(counted) else 0.0


def fragments(run: SupervisedRun, sequence: Sequence) -> list[tuple[Array, bool]]:
    """Return, for each start, the overlaps from it on and whether it ended in a failure.

    The first value of each is that of the start and stands for nothing.
    """
    overlap = np.nan_to_num(run_overlaps(run, sequence))
    found = []
    starts = np.flatnonzero(run.codes == INIT)
    for start, after in zip(starts, [*starts[1:], len(overlap)], strict=True):
        lost = np.flatnonzero(run.codes[start:after] == FAILURE)
        end = start + lost[0] if len(lost) else after
        found.append((overlap[start:end], bool(len(lost))))
    return found


def expected_overlap_curve(parts: Items[tuple[Array, bool]], length: int) -> Array:
    """Return the expected average overlap in the 0, 1 ... `length` - 1 frames after a start.

    A part that ended in a failure continues with zeros; one that ended with its sequence says
    nothing about longer ones. The frame of the start does not count: entry n is the mean over
    parts of the mean overlap in the n frames after it, entry 0 is 1. NaN where no part is so long.

    Example:
        >>> expected_overlap_curve([(np.array([0, 1.0, 0.5]), True)], 5).tolist()
        [1.0, 1.0, 0.75, 0.5, 0.375]
    """
    total, weight = np.zeros(length), np.zeros(length)
    for overlap, failed in parts:
        values = np.zeros(length)
        known = min(len(overlap), length)
        values[1:known] = overlap[1:known]
        reach = length if failed else known
        running = np.cumsum(values[1:reach]) / np.arange(1, reach)
        total[1:reach] += running
        weight[1:reach] += 1
    with np.errstate(invalid="ignore"):
        curve = np.where(weight > 0, total / weight, np.nan)
    curve[0] = 1.0
    return np.asarray(curve, np.float64)


def expected_average_overlap(curve: Array, low: int, high: int) -> float:
    """Return the mean of the curve from entry `low` to entry `high`, NaN left out."""
    part = curve[low : high + 1]
    part = part[np.isfinite(part)]
    return float(part.mean()) if len(part) else float("nan")
