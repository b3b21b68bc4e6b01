"""The figures of one tracker on one sequence."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from siamtrack.boxes import Array
from siamtrack.evaluation import metrics
from siamtrack.evaluation.metrics import Policy

METRICS = {
    "success": "success (AUC)",
    "precision": "precision at 20 px",
    "norm_precision": "normalised precision (AUC)",
    "norm_precision_02": "normalised precision at 0.2",
    "ao": "AO",
    "sr50": "SR 0.50",
    "sr75": "SR 0.75",
}
"""Names of the metrics and how reports call them."""


@dataclass(frozen=True, eq=False)
class SequenceScore:
    """Metrics of one tracker on one sequence; each is in [0, 1].

    Args:
        sequence: Name of the sequence.
        frames: Number of its frames.
        counted: Number of frames that the policy counts; averaged over the runs of TRE.
        success_curve: (21,) over `metrics.SUCCESS_THRESHOLDS`.
        precision_curve: (51,) over `metrics.PRECISION_THRESHOLDS`.
        norm_precision_curve: (51,) over `metrics.NORMALISED_THRESHOLDS`.
        ao: Average overlap.
        sr50: Part of frames with an overlap above 0.5.
        sr75: Part of frames with an overlap above 0.75.
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
        """Area under the curve of normalised precision from 0 to 0.5."""
        return float(self.norm_precision_curve.mean())

    @property
    def norm_precision_02(self) -> float:
        """Normalised precision at 0.2."""
        return float(self.norm_precision_curve[20])

    @property
    def fps(self) -> float | None:
        """Frames over total seconds, or None without times."""
        total = float(self.times.sum())
        return len(self.times) / total if total > 0 else None

    def metrics(self) -> dict[str, float]:
        """Return the values of `METRICS` by name."""
        return {name: float(getattr(self, name)) for name in METRICS}


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
    found = metrics.errors(predicted, truth, policy, size)
    return SequenceScore(
        sequence=name,
        frames=len(np.asarray(truth)),
        counted=len(found.overlap),
        success_curve=metrics.success_curve(found.overlap),
        precision_curve=metrics.precision_curve(found.distance),
        norm_precision_curve=metrics.normalised_precision_curve(found.normalised),
        ao=metrics.average_overlap(found.overlap),
        sr50=metrics.success_rate(found.overlap, 0.5),
        sr75=metrics.success_rate(found.overlap, 0.75),
        attributes=attributes,
        times=np.asarray(times, dtype=np.float64),
    )


def average(scores: list[SequenceScore]) -> SequenceScore:
    """Return the mean of several runs on one sequence (TRE, SRE), each with the same weight."""
    if len(scores) == 1:
        return scores[0]
    return SequenceScore(
        sequence=scores[0].sequence,
        frames=scores[0].frames,
        counted=float(np.mean([score.counted for score in scores])),
        success_curve=np.mean([score.success_curve for score in scores], axis=0),
        precision_curve=np.mean([score.precision_curve for score in scores], axis=0),
        norm_precision_curve=np.mean([score.norm_precision_curve for score in scores], axis=0),
        ao=float(np.mean([score.ao for score in scores])),
        sr50=float(np.mean([score.sr50 for score in scores])),
        sr75=float(np.mean([score.sr75 for score in scores])),
        attributes=scores[0].attributes,
        times=np.concatenate([score.times for score in scores]),
    )
