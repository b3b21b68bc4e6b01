"""Curves over thresholds: the part of frames with an overlap above, or an error up to, each.

All work on the values of one sequence, or of many in one pass.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from siamtrack.core.boxes import Array

Counts = NDArray[np.intp]

SUCCESS_THRESHOLDS: Array = np.linspace(0.0, 1.0, 21)
"""Overlaps 0, 0.05 ... 1; a frame succeeds if its overlap is strictly above."""
PRECISION_THRESHOLDS: Array = np.arange(51, dtype=np.float64)
"""Centre errors 0 ... 50 px; a frame is precise if its error is at most that."""
NORMALISED_THRESHOLDS: Array = np.linspace(0.0, 0.5, 51)
"""Centre errors as a part of the true width and height, 0 ... 0.5."""


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
    """Return the part of frames with a centre error of at most 0, 1 ... 50 px (51,).

    Example:
        >>> float(precision_curve([20.0, 20.5, 3.0, 99.0])[20])
        0.5
    """
    (curve,) = precision_curves(*_one(distance), PRECISION_THRESHOLDS)
    return np.asarray(curve, np.float64)


def normalised_precision_curve(normalised: ArrayLike) -> Array:
    """Return the part of frames with a normalised centre error of at most 0, 0.01 ... 0.5 (51,).

    TrackingNet and LaSOT rank by its mean (the area under the curve); many papers print the value
    at 0.2, index 20.
    """
    (curve,) = precision_curves(*_one(normalised), NORMALISED_THRESHOLDS)
    return np.asarray(curve, np.float64)


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


def success_curves(overlap: Array, counts: Counts) -> Array:
    """Return the success curves (S, 21) of S sequences, whose overlaps follow one another.

    `counts` (S,) says how many belong to each.
    """
    below = _up_to(np.fmax(overlap, -1.0), counts, SUCCESS_THRESHOLDS)
    return np.asarray((counts[:, None] - below) / counts[:, None], np.float64)


def precision_curves(errors: Array, counts: Counts, thresholds: Array) -> Array:
    """Return, for each of S sequences, the part of errors that are at most each threshold (S, T).

    `errors` follow one another; `counts` (S,) says how many belong to each.
    """
    return np.asarray(_up_to(errors, counts, thresholds) / counts[:, None], np.float64)


def _up_to(values: Array, counts: Counts, thresholds: Array) -> Counts:
    """Return, for each sequence, how many of its values are at most each threshold (S, T).

    Each value is put into the interval between two thresholds that it lies in, and the intervals
    are counted, which is quicker than to compare
    all values with all thresholds and gives the same.

    Args:
        values: Of all sequences, one after the other; NaN is above every threshold.
        counts: (S,) number of values of each.
        thresholds: (T,) evenly spaced, beginning with 0.
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
