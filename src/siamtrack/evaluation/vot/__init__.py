"""The protocols of the VOT challenges, written from their papers."""

from siamtrack.evaluation.vot.run import evaluate_vot

__all__ = ["evaluate_vot"]
