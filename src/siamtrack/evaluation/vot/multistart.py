"""VOT's anchor-based protocol: a tracker is started at anchors and never again.

Paper: Kristan et al., The Eighth Visual Object Tracking VOT2020 Challenge Results,
https://doi.org/10.1007/978-3-030-68238-5_39
"""

from __future__ import annotations

import time
from collections.abc import Sequence as Items
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from siamtrack.core.boxes import Array
from siamtrack.core.masks import Mask
from siamtrack.core.tracks import Tracker
from siamtrack.data.benchmarks.vot import anchors_every
from siamtrack.data.sequence import Sequence
from siamtrack.evaluation.vot.supervised import Masks, mask_in, truth_overlaps

FAILED_UP_TO, GRACE = 0.1, 10


@dataclass(frozen=True, eq=False)
class AnchorRun:
    """One run from an anchor, in the order in which its frames were shown.

    Args:
        anchor: Frame of the start.
        direction: 1 towards the end of the sequence, -1 towards its beginning.
        boxes: (M, 4) ltwh, the first being the true one.
        times: (M,) seconds.
        masks: (M,) masks, None where the tracker gives none; see `SupervisedRun`.
    """

    anchor: int
    direction: int
    boxes: Array
    times: Array
    masks: Masks | None = None

    def frames(self, count: int) -> NDArray[np.int64]:
        """Return the frame of each row (M,) in a sequence of `count` frames."""
        end = count if self.direction > 0 else -1
        return np.arange(self.anchor, end, self.direction, dtype=np.int64)


def anchors_of(sequence: Sequence) -> list[tuple[int, int]]:
    """Return (frame, direction) of each anchor; every 50 frames where the data set has none."""
    marks = anchors_every(sequence.boxes) if sequence.anchors is None else sequence.anchors
    return [(int(frame), int(np.sign(marks[frame]))) for frame in np.flatnonzero(marks)]


def run_anchor(tracker: Tracker, sequence: Sequence, anchor: int, direction: int) -> AnchorRun:
    """Run a tracker from an anchor to the end that its direction names.

    Raises:
        DatasetError: If a frame cannot be read.
    """
    order = range(anchor, len(sequence), 1) if direction > 0 else range(anchor, -1, -1)
    boxes, times = np.full((len(order), 4), np.nan), np.zeros(len(order))
    masks: list[Mask | None] = [None] * len(order)
    for row, index in enumerate(order):
        frame = sequence[index]
        clock = time.perf_counter()
        if row == 0:
            boxes[0] = sequence.boxes[anchor]
            tracker.init(frame, boxes[0].copy())
        else:
            found = tracker.update(frame)
            boxes[row], masks[row] = np.asarray(found.box, np.float64), mask_in(sequence, found)
        times[row] = time.perf_counter() - clock
    return AnchorRun(anchor, direction, boxes, times, masks if any(masks) else None)


def anchor_overlaps(run: AnchorRun, sequence: Sequence) -> Array:
    """Return the overlap in each frame of a run (M,).

    It is 0 at the start, which proves nothing, and NaN where there is no target.
    """
    frames = run.frames(len(sequence)).tolist()
    values = truth_overlaps(sequence, frames, run.boxes, run.masks)
    values[0] = 0.0
    return values


def failed_at(overlap: Array) -> int | None:
    """Return the row where a tracker failed: at most 0.1 for 10 frames without coming back.

    The frame of the start is one of them; a frame without a target ends them. A run that is below
    at its very end for fewer frames has not failed.

    Example:
        >>> failed_at(np.array([1, 0.5, *[0.0] * 10])), failed_at(np.array([1, *[0.0] * 9]))
        (2, None)
    """
    low = 0
    for row, value in enumerate(overlap):
        low = low + 1 if value <= FAILED_UP_TO else 0
        if low == GRACE:
            return row - GRACE + 1
    return None


def accuracy_robustness(parts: Items[Array]) -> tuple[float, float, float]:
    """Return accuracy, robustness and the number of frames tracked, over runs, overlaps (M,) each.

    These are the mean overlap over the frames before failures, their part of all frames, and their
    number. The frame of the start and those without a target count in all three, with overlap 0, as
    in the VOT toolkit.
    """
    overlap = tracked = total = 0.0
    for part in parts:
        lost = failed_at(part)
        end = len(part) if lost is None else lost
        overlap += float(np.nansum(part[:end]))
        tracked += end
        total += len(part)
    return overlap / max(tracked, 1), tracked / max(total, 1), tracked


def expected_overlap_curve(parts: Items[Array], length: int) -> Array:
    """Return the expected average overlap in the 0, 1 ... `length` - 1 frames after a start.

    Entry n is the mean over runs, overlaps (M,) each, of the mean overlap in the n frames after
    their start; entry 0 is 1, and NaN stands where no run is so long. A run that failed continues
    with zeros; one that did not says nothing about longer ones. Beyond the last frame of a run that
    failed its sum is divided by n - 1 instead of n, as in the VOT toolkit.
    """
    total, weight = np.zeros(length), np.zeros(length)
    frames = np.arange(length)
    for part in parts:
        lost = failed_at(part)
        values = np.nan_to_num(part)
        values[len(part) if lost is None else lost :] = 0.0
        known = min(len(part), length)
        total[1:known] += np.cumsum(values[1:known]) / frames[1:known]
        if lost is not None:
            total[known:] += values[1:].sum() / (frames[known:] - 1)
        weight[1 : known if lost is None else length] += 1
    with np.errstate(invalid="ignore"):
        curve = np.where(weight > 0, total / weight, np.nan)
    curve[0] = 1.0
    return np.asarray(curve, np.float64)


def expected_average_overlap(curve: Array, low: int, high: int) -> float:
    """Return the mean of the curve from entry `low` up to and without `high`, as the toolkit does.

    Entries for which no run is long enough count as 0; NaN if that is so for all of them.
    """
    part = curve[low:high]
    if not np.isfinite(part).any():
        return float("nan")
    return float(np.nansum(part)) / (high - low)
