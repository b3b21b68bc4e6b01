"""The figures of a tracker on sequences, how sure they are, and two trackers compared in pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from siamtrack.core.boxes import Array
from siamtrack.evaluation import metrics
from siamtrack.evaluation.metrics import Policy, precision_curves, success_curves

METRICS = {
    "success": "success (AUC)",
    "precision": "precision at 20 px",
    "norm_precision": "normalized precision (AUC)",
    "norm_precision_02": "normalized precision at 0.2",
    "ao": "AO",
    "sr50": "SR 0.50",
    "sr75": "SR 0.75",
}
"""Names of the metrics and how reports call them."""


@dataclass(frozen=True, eq=False)
class SequenceScore:
    """Metrics of one tracker on one sequence; each is in [0, 1].

    Args:
        counted: Number of frames that the policy counts; averaged over the runs of TRE.
        success_curve: (21,) over `metrics.SUCCESS_THRESHOLDS`.
        precision_curve: (51,) over `metrics.PRECISION_THRESHOLDS`.
        norm_precision_curve: (51,) over `metrics.NORMALIZED_THRESHOLDS`.
        ao: Average overlap; `sr50` and `sr75` are shares of frames above 0.5 and 0.75.
        attributes: Challenges of the sequence.
        times: Seconds of each frame; empty where not known.
    """

    sequence: str
    frames: int
    counted: float
    success_curve: Array
    precision_curve: Array
    norm_precision_curve: Array
    ao: float
    sr50: float
    sr75: float
    attributes: tuple[str, ...] = ()
    times: Array = field(default_factory=lambda: np.zeros(0))

    @property
    def success(self) -> float:
        """Area under the success curve."""
        return float(self.success_curve.mean())

    @property
    def precision(self) -> float:
        """Precision at 20 px."""
        return float(self.precision_curve[20])

    @property
    def norm_precision(self) -> float:
        """Area under the curve of normalized precision from 0 to 0.5."""
        return float(self.norm_precision_curve.mean())

    @property
    def norm_precision_02(self) -> float:
        """Normalized precision at 0.2."""
        return float(self.norm_precision_curve[20])

    @property
    def fps(self) -> float | None:
        """Frames over total seconds, or None without times."""
        total = float(self.times.sum())
        return len(self.times) / total if total > 0 else None

    def metrics(self) -> dict[str, float]:
        """Return the values of `METRICS` by name."""
        return {name: float(getattr(self, name)) for name in METRICS}


def figures(scores: Sequence[SequenceScore]) -> dict[str, Array]:
    """Return for each of `METRICS` the values of all scores (S,)."""
    return {name: np.array([getattr(s, name) for s in scores], np.float64) for name in METRICS}


class Case(NamedTuple):
    """One run on one sequence, to be scored: boxes (N, 4) ltwh in pixels, seconds where known.

    `size` is width and height of the frames, which policies that clip need.
    """

    name: str
    predicted: Array
    truth: Array
    size: tuple[int, int] | None = None
    attributes: tuple[str, ...] = ()
    times: Array = np.zeros(0)


def score_sequence(
    name: str,
    predicted: ArrayLike,
    truth: ArrayLike,
    *,
    policy: Policy | None = None,
    size: tuple[int, int] | None = None,
    attributes: tuple[str, ...] = (),
    times: ArrayLike = (),
) -> SequenceScore:
    """Return the scores of predicted boxes (N, 4) against true boxes (N, 4), both ltwh in pixels.

    `size` is width and height of the frames; policies that clip need it.

    Raises:
        ValueError: If the shapes differ or no frame counts.

    Example:
        >>> score = score_sequence("toy", [[0, 0, 8, 6]] * 2, [[0, 0, 8, 6]] * 2)
        >>> round(score.success, 4), score.precision, score.ao
        (0.9524, 1.0, 1.0)
    """
    p, t, seconds = (np.asarray(values, np.float64) for values in (predicted, truth, times))
    case = Case(name, p, t, size, attributes, seconds)
    return score_cases([case], policy)[0]


def score_cases(cases: Sequence[Case], policy: Policy | None = None) -> list[SequenceScore]:
    """Return the scores of several sequences, computed in one pass; errors as `score_sequence`."""
    found, counts = metrics.errors_of_many(
        [case.predicted for case in cases],
        [case.truth for case in cases],
        policy,
        [case.size for case in cases],
    )
    overlap, starts = found.overlap, np.cumsum(counts) - counts

    def mean(values: NDArray[Any]) -> Array:
        return np.asarray(np.add.reduceat(values, starts, dtype=np.float64) / counts)

    success = success_curves(overlap, counts)
    precision = precision_curves(found.distance, counts, metrics.PRECISION_THRESHOLDS)
    normalized = precision_curves(found.normalized, counts, metrics.NORMALIZED_THRESHOLDS)
    ao = mean(np.maximum(overlap, 0.0)).tolist()
    sr50, sr75 = mean(overlap > 0.5).tolist(), mean(overlap > 0.75).tolist()
    return [
        SequenceScore(
            sequence=case.name,
            frames=len(case.truth),
            counted=int(counts[index]),
            success_curve=success[index],
            precision_curve=precision[index],
            norm_precision_curve=normalized[index],
            ao=ao[index],
            sr50=sr50[index],
            sr75=sr75[index],
            attributes=case.attributes,
            times=case.times,
        )
        for index, case in enumerate(cases)
    ]


def average(scores: list[SequenceScore]) -> SequenceScore:
    """Return the mean of several runs on one sequence (TRE, SRE), each with the same weight."""
    if len(scores) == 1:
        return scores[0]
    means: dict[str, Any] = {
        name: np.mean([getattr(score, name) for score in scores], axis=0)
        for name in ("success_curve", "precision_curve", "norm_precision_curve")
    }
    for name in ("counted", "ao", "sr50", "sr75"):
        means[name] = float(np.mean([getattr(score, name) for score in scores]))
    return replace(scores[0], **means, times=np.concatenate([score.times for score in scores]))


def uncounted_notes(scores: Mapping[str, tuple[SequenceScore, ...]]) -> list[str]:
    """Return a note with the number of frames that the policy leaves out, if there are any."""
    lost = {row.sequence: row.frames - row.counted for rows in scores.values() for row in rows}
    lost = {name: count for name, count in lost.items() if count > 0}
    if not lost:
        return []
    return [f"{sum(lost.values()):g} frames in {len(lost)} sequences have no true box to count"]


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
