"""Evaluation: metrics, raw results, running trackers over data sets, reports."""

from siamtrack.evaluation import metrics as metrics
from siamtrack.evaluation.compare_results import evaluate_results
from siamtrack.evaluation.evaluate import evaluate as evaluate
from siamtrack.evaluation.metrics import Policy
from siamtrack.evaluation.report import Report, merge
from siamtrack.evaluation.results import read_results, write_results
from siamtrack.evaluation.run import Result, run_tracker

__all__ = [
    "Policy",
    "Report",
    "Result",
    "evaluate",
    "evaluate_results",
    "merge",
    "metrics",
    "read_results",
    "run_tracker",
    "write_results",
]
