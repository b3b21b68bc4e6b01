"""The report of an evaluation: figures, tables, plots, videos, and the formats of its files."""

from siamtrack.evaluation.report.report import Curve as Curve
from siamtrack.evaluation.report.report import Report as Report
from siamtrack.evaluation.report.report import merge as merge
