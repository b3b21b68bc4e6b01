"""Evaluation: metrics, raw results, running trackers over data sets, protocols, reports."""

from siamtrack.core.tracks import Runnable
from siamtrack.evaluation import metrics as metrics
from siamtrack.evaluation.compare import evaluate_results
from siamtrack.evaluation.longterm import longterm as longterm
from siamtrack.evaluation.longterm import longterm_report
from siamtrack.evaluation.metrics import POLICIES, Policy
from siamtrack.evaluation.report import Report, merge
from siamtrack.evaluation.results import (
    check_submission,
    read_results,
    write_results,
    write_submission,
)
from siamtrack.evaluation.run import Result, evaluate, run_dataset, run_tracker
from siamtrack.evaluation.trackers import open_tracker
from siamtrack.evaluation.vot import evaluate_vot

Figures = Report
"""What `evaluate_vot` and `longterm_report` returned before reports were of one class."""

__all__ = [
    "POLICIES",
    "Figures",
    "Policy",
    "Report",
    "Result",
    "Runnable",
    "check_submission",
    "evaluate",
    "evaluate_results",
    "evaluate_vot",
    "longterm",
    "longterm_report",
    "merge",
    "metrics",
    "open_tracker",
    "read_results",
    "run_dataset",
    "run_tracker",
    "write_results",
    "write_submission",
]
