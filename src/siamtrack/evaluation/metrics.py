"""Success, precision and average overlap, from their definitions.

Papers: Wu et al., OTB, https://doi.org/10.1109/TPAMI.2014.2388226 (success, precision); Mueller et
al., TrackingNet, https://arxiv.org/abs/1803.10794 (normalized precision); Huang et al., GOT-10k,
https://arxiv.org/abs/1810.11981 (average overlap, success rates).

Boxes are (N, 4) ltwh in pixels. Which frames count is a `Policy`, because benchmarks differ there
and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from siamtrack.core.boxes import Array, centers, iou, ltrb_to_ltwh, ltwh_to_ltrb

Mask = NDArray[np.bool_]
Counts = NDArray[np.intp]

SUCCESS_THRESHOLDS: Array = np.linspace(0.0, 1.0, 21)
"""Overlaps 0, 0.05 ... 1; a frame succeeds if its overlap is strictly above."""
PRECISION_THRESHOLDS: Array = np.arange(51, dtype=np.float64)
"""Center errors 0 ... 50 px; a frame is precise if its error is at most that."""
NORMALIZED_THRESHOLDS: Array = np.linspace(0.0, 0.5, 51)
"""Center errors as a part of the true width and height, 0 ... 0.5."""


@dataclass(frozen=True)
class Policy:
    """Which frames count, and how.

    Args:
        without_area: Frames whose true box has a width or height of 0 or less. `count`: as they
            are, so that the overlap is 0 and the center error that of the centers (the default;
            our figures). `drop`: not counted. `otb-toolkit`: a miss in success and a hit in
            precision, as the official toolkit's -1 works out; it does the same to frames whose true
            box begins left of or above the first pixel (0 or less in its 1-based files).
        skip_first: Do not count the first annotated frame, where trackers get the true box
            (GOT-10k).
        clip: Bound predicted and true boxes by the frame before they overlap, as the GOT-10k
            toolkit does in its coordinates from 1: left and top to 0 ... size, then width and
            height to what is left of the frame.
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
    """Per counted frame (M,): overlap in [0, 1], center error in pixels, center error in box sizes.

    Infinite errors are misses; `otb-toolkit` puts -1 in all three for a frame without a true area.
    """

    overlap: Array
    distance: Array
    normalized: Array

    @property
    def normalised(self) -> Array:
        """As `normalized`, by its name in version 0.1."""
        return self.normalized


def errors(
    predicted: ArrayLike,
    truth: ArrayLike,
    policy: Policy | None = None,
    size: tuple[int, int] | None = None,
) -> Errors:
    """Compare predicted boxes (N, 4) with true ones (N, 4), frame by frame.

    `policy` says which frames count; one that clips needs the `size` of the frames.

    Raises:
        ValueError: If the shapes differ, no frame counts, or the policy clips without a size.

    Example:
        >>> result = errors([[0, 0, 10, 10], [3, 4, 10, 10]], [[0, 0, 10, 10], [0, 0, 10, 10]])
        >>> result.distance.tolist(), result.normalized.tolist()
        ([0.0, 5.0], [0.0, 0.5])
    """
    p, t = (np.asarray(boxes, dtype=np.float64) for boxes in (predicted, truth))
    return errors_of_many([p], [t], policy, [size])[0]


def errors_of_many(
    predicted: Sequence[Array],
    truth: Sequence[Array],
    policy: Policy | None = None,
    sizes: Sequence[tuple[int, int] | None] = (),
) -> tuple[Errors, Counts]:
    """Compare the boxes of several sequences in one pass; each argument is as for `errors`.

    Returns:
        The errors in all counted frames, one sequence after the other, and the number of those of
        each sequence.

    Raises:
        ValueError: As `errors`, if anything is wrong with any of the sequences.
    """
    policy = policy or Policy()
    for some, other in zip(predicted, truth, strict=True):
        if some.shape != other.shape or some.ndim != 2 or some.shape[1] != 4:
            raise ValueError(
                f"expected two arrays of shape (N, 4), got {some.shape} and {other.shape}"
            )
    lengths = np.array([len(boxes) for boxes in truth])
    p, t = (np.concatenate(boxes) for boxes in (predicted, truth))
    counted = _counted(t, lengths, policy)
    before = np.append(0, np.cumsum(counted))
    counts = np.diff(before[np.append(0, np.cumsum(lengths))])
    if not counts.all():
        raise ValueError("no frame counts: every true box is NaN, without area or skipped")
    if not counted.all():
        p, t = p[counted], t[counted]
    limits = None
    if policy.clip:
        if None in sizes or len(sizes) != len(counts):
            raise ValueError("the policy clips boxes to the frame, but its size is not known")
        limits = np.repeat(np.array(sizes, np.float64), counts, axis=0)
    return _compared(p, t, limits, otb_toolkit=policy.without_area == "otb-toolkit"), counts


def success_curve(overlap: ArrayLike) -> Array:
    """Return the part of frames with an overlap strictly above each of 21 thresholds (21,).

    Its mean is the success score, the area under the curve (AUC). The truth against itself gets
    20/21, because no overlap is above 1.

    Example:
        >>> round(float(success_curve([1.0, 1.0]).mean()), 4)
        0.9524
    """
    (curve,) = success_curves(*_one(overlap))
    return np.asarray(curve, np.float64)


def precision_curve(distance: ArrayLike) -> Array:
    """Return the part of frames with a center error of at most 0, 1 ... 50 px (51,).

    Example:
        >>> float(precision_curve([20.0, 20.5, 3.0, 99.0])[20])
        0.5
    """
    (curve,) = precision_curves(*_one(distance), PRECISION_THRESHOLDS)
    return np.asarray(curve, np.float64)


def normalized_precision_curve(normalized: ArrayLike) -> Array:
    """Return the part of frames with a normalized center error of at most 0, 0.01 ... 0.5 (51,).

    TrackingNet and LaSOT rank by its mean (the area under the curve); many papers print the value
    at 0.2, index 20.
    """
    (curve,) = precision_curves(*_one(normalized), NORMALIZED_THRESHOLDS)
    return np.asarray(curve, np.float64)


def success_rate(overlap: ArrayLike, threshold: float) -> float:
    """Return the part of frames with an overlap strictly above `threshold` (SR).

    Example:
        >>> success_rate([0.5, 0.6], 0.5)
        0.5
    """
    return float(np.mean(np.asarray(overlap, np.float64) > threshold))


def success_curves(overlap: Array, counts: Counts) -> Array:
    """Return the curves (S, 21) of S sequences, whose overlaps, `counts` (S,), lie in a row."""
    below = _up_to(np.fmax(overlap, -1.0), counts, SUCCESS_THRESHOLDS)
    return np.asarray((counts[:, None] - below) / counts[:, None], np.float64)


def precision_curves(errors: Array, counts: Counts, thresholds: Array) -> Array:
    """Return the part of errors that are at most each threshold (S, T); `counts` as for success."""
    return np.asarray(_up_to(errors, counts, thresholds) / counts[:, None], np.float64)


def _up_to(values: Array, counts: Counts, thresholds: Array) -> Counts:
    """Return, for each sequence, how many of its values are at most each threshold (S, T).

    Values are counted by the interval between two thresholds that they fall into: faster than
    comparing all with all, with equal counts. `thresholds` (T,) are evenly spaced from 0; NaN is
    above every one.
    """
    steps = len(thresholds)
    nearest = np.rint(values * ((steps - 1) / thresholds[-1]))
    place = np.fmax(np.fmin(nearest, steps - 1), 0.0).astype(np.intp)
    place += ~(values <= thresholds.take(place))
    place += np.repeat(np.arange(len(counts)) * (steps + 1), counts)
    within = np.bincount(place, minlength=len(counts) * (steps + 1)).reshape(-1, steps + 1)
    return np.asarray(within.cumsum(axis=1)[:, :steps], np.intp)


def _one(values: ArrayLike) -> tuple[Array, Counts]:
    array = np.asarray(values, np.float64)
    if not len(array):
        raise ValueError("no frame to average over: give at least one value")
    return array, np.array([len(array)])


def _counted(truth: Array, lengths: Counts, policy: Policy) -> Mask:
    counted = _finite(truth)
    if policy.skip_first:
        for end, length in zip(np.cumsum(lengths), lengths, strict=True):
            known = np.flatnonzero(counted[end - length : end])
            counted[end - length + known[:1]] = False
    if policy.without_area == "drop":
        counted &= (truth[:, 2:] > 0).all(axis=1)
    return counted


def _compared(p: Array, t: Array, limits: Array | None, *, otb_toolkit: bool) -> Errors:
    """Return the errors of boxes (M, 4), all of which count; `limits` (M, 2) are the frames'."""
    p, t = p.T.copy().T, t.T.copy().T  # each column in one piece: the rest takes half the time
    known, area = _finite(p), (t[:, 2] > 0) & (t[:, 3] > 0)
    lost, flat = not known.all(), not area.all()
    if lost:
        p = np.where(known[:, None], p, 0.0)
    first, second = (p, t) if limits is None else (_clipped(p, limits), _clipped(t, limits))
    overlap = iou(first, second)
    offset = centers(p) - centers(t)
    distance = _length(offset)
    normalized = _length(offset / (np.where(area[:, None], t[:, 2:], 1.0) if flat else t[:, 2:]))
    if lost:
        overlap[~known], distance[~known] = 0.0, np.inf
    if lost or flat:
        normalized[~(known & area)] = np.inf
    if otb_toolkit:
        inside = (t[:, :2] > -1).all(axis=1)
        for values in (overlap, distance, normalized):
            values[~(area & inside)] = -1.0
    return Errors(overlap, distance, normalized)


def _length(vectors: Array) -> Array:
    x, y = vectors[:, 0], vectors[:, 1]
    return np.asarray(np.sqrt(x * x + y * y), np.float64)


def _finite(boxes: Array) -> Mask:
    finite = np.isfinite(boxes)  # checked as a whole first: row by row takes ten times as long
    return np.ones(len(boxes), bool) if finite.all() else np.asarray(finite.all(axis=1))


def _clipped(boxes: Array, limits: Array) -> Array:
    place = np.clip(boxes[:, :2] + 1.0, 0.0, limits)
    return np.concatenate([place, np.clip(boxes[:, 2:], 0.0, limits - place)], axis=1)


def bounded(boxes: Array, size: tuple[int, int] | None) -> Array:
    """Return the parts of boxes (N, 4) inside a frame of width and height; others get no area."""
    if size is None:
        return boxes
    limits = np.array([*size, *size], np.float64)
    return ltrb_to_ltwh(np.clip(ltwh_to_ltrb(boxes), 0.0, limits))


def roc_auc(distance: ArrayLike, dissimilar: ArrayLike) -> float:
    """Area under the ROC curve of "near means the same", for distances (N,) of pairs.

    It is the probability that a pair of different objects (`dissimilar` 1) is farther apart than a
    pair of one object (0), counting half where they are equally far.

    Raises:
        ValueError: If the shapes differ, a distance is not finite, a label is neither 0 nor 1, or a
            label does not occur.

    Example:
        >>> roc_auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
        0.75
    """
    distances, labels = np.asarray(distance, np.float64), np.asarray(dissimilar)
    if distances.shape != labels.shape or distances.ndim != 1:
        raise ValueError(
            f"expected distances and labels (N,), got {distances.shape} and {labels.shape}"
        )
    if not np.isfinite(distances).all():
        raise ValueError("expected finite distances")
    if set(np.unique(labels).tolist()) != {0, 1}:
        raise ValueError(f"expected labels 0 and 1, got {np.unique(labels).tolist()}")
    same, other = np.sort(distances[labels == 0]), distances[labels == 1]
    below = np.searchsorted(same, other, "left")
    upto = np.searchsorted(same, other, "right")
    return float((below + upto).sum() / 2 / (len(same) * len(other)))
