"""How sure a figure is: resampling of sequences, and paired comparison of two trackers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from siamtrack.core.boxes import Array

_RESAMPLES = 10_000
_AT_ONCE = 500


def _resampled_means(values: Array, weights: Array | None, seed: int, resamples: int) -> Array:
    counts = _counts(len(values), seed, resamples)
    if weights is None:
        return _products(counts, values) / len(values)
    return _products(counts, values * weights) / _products(counts, weights)


def _products(counts: Array, values: Array) -> Array:
    """Return counts (R, S) times values (S,); threads of BLAS would stay busy for longer."""
    return np.asarray(np.einsum("rs,s->r", counts, values), np.float64)


@lru_cache(maxsize=4)
def _counts(number: int, seed: int, resamples: int) -> Array:
    """Return how often each value is in each resample (resamples, number).

    A report asks for many intervals over the same number of sequences: the draws are the same.
    """
    rng, counts = np.random.default_rng(seed), np.empty((resamples, number))
    for start in range(0, resamples, _AT_ONCE):
        some = min(_AT_ONCE, resamples - start)
        draws = rng.integers(0, number, (some, number)) + np.arange(some)[:, None] * number
        cells = np.bincount(draws.ravel(), minlength=some * number)
        counts[start : start + some] = cells.reshape(some, number)
    return counts


def confidence_interval(
    values: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = _RESAMPLES,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean of `values` (S,), one per sequence.

    `weights` (S,) say how much each counts, `level` is the coverage; the same seed gives the same
    interval.

    Raises:
        ValueError: If there is no value or `level` is not between 0 and 1.

    Example:
        >>> confidence_interval([0.5, 0.5, 0.5])
        (0.5, 0.5)
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array):
        raise ValueError(f"expected values of shape (S,), S at least 1, got {array.shape}")
    if not 0 < level < 1:
        raise ValueError(f"level {level}: expected a number between 0 and 1, such as 0.95")
    tail = (1 - level) / 2
    weight = None if weights is None else np.asarray(weights, np.float64)
    means = _resampled_means(array, weight, seed, resamples)
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


@dataclass(frozen=True)
class PairedTest:
    """Two trackers on the same sequences: counts of those on which the first wins, loses, ties.

    Args:
        difference: Mean of the first minus the second; `low` to `high` is its 95 % interval.
        p_value: Two-sided sign test: how likely such an uneven count of wins and losses is if both
            trackers were equally good.
    """

    difference: float
    low: float
    high: float
    wins: int
    losses: int
    ties: int
    p_value: float


def paired_test(
    first: ArrayLike, second: ArrayLike, *, seed: int = 0, resamples: int = _RESAMPLES
) -> PairedTest:
    """Compare two trackers by their figures (S,) on the same sequences in the same order.

    Raises:
        ValueError: If the shapes differ or are empty.

    Example:
        >>> test = paired_test([0.6, 0.7, 0.8], [0.5, 0.6, 0.7])
        >>> test.wins, test.losses, test.p_value
        (3, 0, 0.25)
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"expected figures on the same sequences, got {a.shape} and {b.shape}")
    difference = a - b
    low, high = confidence_interval(difference, seed=seed, resamples=resamples)
    wins, losses = int((difference > 0).sum()), int((difference < 0).sum())
    return PairedTest(
        difference=float(difference.mean()),
        low=low,
        high=high,
        wins=wins,
        losses=losses,
        ties=len(difference) - wins - losses,
        p_value=_sign_test(wins, losses),
    )


def _sign_test(wins: int, losses: int) -> float:
    count = wins + losses
    tail = sum(math.comb(count, k) for k in range(min(wins, losses) + 1))
    return float(min(1.0, 2 * tail / 2**count))
