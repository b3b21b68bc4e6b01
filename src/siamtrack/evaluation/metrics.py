"""Success, precision and average overlap, from their definitions.

Papers: Wu et al., OTB, https://doi.org/10.1109/TPAMI.2014.2388226 (success, precision); Mueller et
al., TrackingNet, https://arxiv.org/abs/1803.10794 (normalised precision); Huang et al., GOT-10k,
https://arxiv.org/abs/1810.11981 (average overlap, success rates).

Boxes are (N, 4) ltwh in pixels. Which frames count is a `Policy`, because benchmarks differ there
and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from siamtrack.boxes import Array, centre_error, centres, iou, ltrb_to_ltwh, ltwh_to_ltrb

SUCCESS_THRESHOLDS: Array = np.linspace(0.0, 1.0, 21)
"""Overlaps 0, 0.05 ... 1; a frame succeeds if its overlap is strictly above."""
PRECISION_THRESHOLDS: Array = np.arange(51, dtype=np.float64)
"""Centre errors 0 ... 50 px; a frame is precise if its error is at most that."""
NORMALISED_THRESHOLDS: Array = np.linspace(0.0, 0.5, 51)
"""Centre errors as a part of the true width and height, 0 ... 0.5."""


@dataclass(frozen=True)
class Policy:
    """Which frames count, and how.

    Args:
        without_area: Frames whose true box has a width or height of 0 or less. `count`: as they
            are, so that the overlap is 0 and the centre error that of the centres (the default;
            our figures). `drop`: not counted. `otb-toolkit`: a miss in success and a hit in
            precision, as the official toolkit's -1 works out; it does the same to frames whose true
            box begins left of or above the first pixel (0 or less in its 1-based files).
        skip_first: Do not count the first annotated frame, where trackers get the true box
            (GOT-10k).
        clip: Bound predicted and true boxes by the frame before they overlap (GOT-10k).
        pool: Overall figures are means over all frames (GOT-10k) instead of means over sequences.

    Frames whose true box is NaN (target absent or not annotated) are never counted. A predicted box
    that is not finite is a miss in every metric.

    Raises:
        ValueError: If `without_area` is something else.
    """

    without_area: Literal["count", "drop", "otb-toolkit"] = "count"
    skip_first: bool = False
    clip: bool = False
    pool: bool = False

    def __post_init__(self) -> None:
        if self.without_area not in ("count", "drop", "otb-toolkit"):
            raise ValueError(
                f"without_area {self.without_area!r}: expected count, drop or otb-toolkit"
            )


POLICIES = {
    "default": Policy(),
    "otb-toolkit": Policy(without_area="otb-toolkit"),
    "got10k": Policy(skip_first=True, clip=True, pool=True),
}
"""Rules by name; a data set names its own."""


@dataclass(frozen=True)
class Errors:
    """Per counted frame (M,): overlap in [0, 1], centre error in pixels, centre error in box sizes.

    Infinite errors are misses; `otb-toolkit` puts -1 in all three for a frame without a true area.
    """

    overlap: Array
    distance: Array
    normalised: Array


def errors(
    predicted: ArrayLike,
    truth: ArrayLike,
    policy: Policy | None = None,
    size: tuple[int, int] | None = None,
) -> Errors:
    """Compare predicted boxes (N, 4) with true ones (N, 4), frame by frame.

    Args:
        predicted: From a tracker.
        truth: Annotated.
        policy: Which frames count.
        size: Width and height of the frames, for a policy that clips.

    Raises:
        ValueError: If the shapes differ, no frame counts, or the policy clips without a size.

    Example:
        >>> result = errors([[0, 0, 10, 10], [3, 4, 10, 10]], [[0, 0, 10, 10], [0, 0, 10, 10]])
        >>> result.distance.tolist(), result.normalised.tolist()
        ([0.0, 5.0], [0.0, 0.5])
    """
    policy = policy or Policy()
    p, t = np.asarray(predicted, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if p.shape != t.shape or p.ndim != 2 or p.shape[1] != 4:
        raise ValueError(f"expected two arrays of shape (N, 4), got {p.shape} and {t.shape}")
    counted = np.asarray(np.isfinite(t).all(axis=1))
    if policy.skip_first and counted.any():
        counted[counted.argmax()] = False
    if policy.without_area == "drop":
        counted &= (t[:, 2:] > 0).all(axis=1)
    if not counted.any():
        raise ValueError("no frame counts: every true box is NaN, without area or skipped")
    p, t = p[counted], t[counted]
    known, area = np.isfinite(p).all(axis=1), (t[:, 2:] > 0).all(axis=1)
    p = np.where(known[:, None], p, 0.0)
    if policy.clip:
        if size is None:
            raise ValueError("the policy clips boxes to the frame, but its size is not known")
        overlap = np.where(known, iou(bounded(p, size), bounded(t, size)), 0.0)
    else:
        overlap = np.where(known, iou(p, t), 0.0)
    distance = np.where(known, centre_error(p, t), np.inf)
    extent = np.where(area[:, None], t[:, 2:], 1.0)
    relative = np.linalg.norm((centres(p) - centres(t)) / extent, axis=1)
    normalised = np.where(known & area, relative, np.inf)
    if policy.without_area == "otb-toolkit":
        inside = (t[:, :2] > -1).all(axis=1)
        for values in (overlap, distance, normalised):
            values[~(area & inside)] = -1.0
    return Errors(overlap, distance, normalised)


def bounded(boxes: Array, size: tuple[int, int] | None) -> Array:
    """Return the parts of boxes (N, 4) inside a frame of width and height; others get no area."""
    if size is None:
        return boxes
    limits = np.array([*size, *size], np.float64)
    return ltrb_to_ltwh(np.clip(ltwh_to_ltrb(boxes), 0.0, limits))


def success_curve(overlap: ArrayLike) -> Array:
    """Return the part of frames with an overlap strictly above each of 21 thresholds (21,).

    Its mean is the success score, the area under the curve (AUC). The truth against itself gets
    20/21, because no overlap is above 1.

    Example:
        >>> round(float(success_curve([1.0, 1.0]).mean()), 4)
        0.9524
    """
    return _share(np.greater.outer(np.asarray(overlap, np.float64), SUCCESS_THRESHOLDS))


def precision_curve(distance: ArrayLike) -> Array:
    """Return the part of frames with a centre error of at most 0, 1 ... 50 px (51,).

    Example:
        >>> float(precision_curve([20.0, 20.5, 3.0, 99.0])[20])
        0.5
    """
    return _share(np.less_equal.outer(np.asarray(distance, np.float64), PRECISION_THRESHOLDS))


def normalised_precision_curve(normalised: ArrayLike) -> Array:
    """Return the part of frames with a normalised centre error of at most 0, 0.01 ... 0.5 (51,).

    TrackingNet and LaSOT rank by its mean (the area under the curve); many papers print the value
    at 0.2, index 20.
    """
    return _share(np.less_equal.outer(np.asarray(normalised, np.float64), NORMALISED_THRESHOLDS))


def average_overlap(overlap: ArrayLike) -> float:
    """Return the mean overlap (AO)."""
    return float(np.mean(np.maximum(np.asarray(overlap, np.float64), 0.0)))


def success_rate(overlap: ArrayLike, threshold: float) -> float:
    """Return the part of frames with an overlap strictly above `threshold` (SR).

    Example:
        >>> success_rate([0.5, 0.6], 0.5)
        0.5
    """
    return float(np.mean(np.asarray(overlap, np.float64) > threshold))


def _share(hits: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Array:
    if not len(hits):
        raise ValueError("no frame to average over: give at least one value")
    return np.asarray(hits.mean(axis=0), dtype=np.float64)
