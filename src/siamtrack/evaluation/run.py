"""Run a tracker on one sequence."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from siamtrack.core.boxes import Array
from siamtrack.core.tracks import Estimate, Tracker
from siamtrack.data.sequence import Sequence

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Result:
    """One run of a tracker over N frames.

    Args:
        boxes: (N, 4) ltwh in pixels, 0-based; NaN where the tracker gave no finite box.
        scores: (N,) the tracker's own scores; NaN in the first frame.
        times: (N,) seconds of `init` (first) and of each `update`, without reading the frame.
    """

    boxes: Array
    scores: Array
    times: Array

    @property
    def fps(self) -> float:
        """Frames over total seconds."""
        return len(self.times) / max(float(self.times.sum()), 1e-12)


def run_tracker(
    tracker: Tracker, sequence: Sequence, *, start: int | None = None, box: ArrayLike | None = None
) -> Result:
    """Run a tracker once from a frame to the end, without resets (one-pass evaluation).

    Args:
        tracker: Started anew by its `init`.
        sequence: Frames and true boxes.
        start: Frame to start in; the first annotated one by default. Rows before it are NaN.
        box: Box to start with, ltwh in pixels; the true one by default. It is the first result.

    Returns:
        Result over all frames from `start`, N = len(sequence) - start. With the default start it
        covers the whole sequence, with NaN rows before the first annotated frame.

    Raises:
        ValueError: If `start` is not a frame of the sequence, or the first box is not finite.
        TypeError: If the tracker's `update` returns anything else than a box and a score.
        DatasetError: If a frame cannot be read.
    """
    first = sequence.init_frame if start is None else start
    if not 0 <= first < len(sequence):
        raise ValueError(f"start {start}: expected a frame from 0 to {len(sequence) - 1}")
    begin = np.array(sequence.boxes[first] if box is None else box, dtype=np.float64)
    if begin.shape != (4,) or not np.isfinite(begin).all():
        raise ValueError(
            f"sequence {sequence.name}: frame {first} has no box to start with; start elsewhere"
        )
    count = len(sequence) if start is None else len(sequence) - first
    offset = len(sequence) - count
    boxes = np.full((count, 4), np.nan)
    scores, times = np.full(count, np.nan), np.zeros(count)
    for index in range(first, len(sequence)):
        frame, row = sequence[index], index - offset
        clock = time.perf_counter()
        if index == first:
            tracker.init(frame, begin.copy())
            times[row] = time.perf_counter() - clock
            boxes[row] = begin
            continue
        estimate = tracker.update(frame)
        times[row] = time.perf_counter() - clock
        boxes[row], scores[row] = _box_and_score(estimate)
    _guard(boxes[first - offset :], sequence.name)
    return Result(boxes, scores, times)


def _box_and_score(estimate: Estimate) -> tuple[Array, float]:
    try:
        box, score = np.asarray(estimate.box, dtype=np.float64), float(estimate.score)
    except (AttributeError, TypeError, ValueError) as reason:
        raise TypeError(
            f"update returned {estimate!r}: expected an object with box and score ({reason})"
        ) from reason
    if box.shape != (4,):
        raise TypeError(f"update returned a box of shape {box.shape}: expected (4,)")
    return box, score


def _guard(boxes: Array, name: str) -> None:
    """Turn boxes with any value that is not finite into NaN rows, and say so once."""
    bad = np.asarray(~np.isfinite(boxes).all(axis=1))
    boxes[bad] = np.nan
    if bad.any():
        logger.warning(
            "%s: %d of %d boxes are not finite and count as misses", name, bad.sum(), len(bad)
        )
