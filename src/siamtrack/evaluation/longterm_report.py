"""The long-term report of runs that exist."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from siamtrack.data.sequence import Dataset
from siamtrack.evaluation.evaluate import Run
from siamtrack.evaluation.figures import Curve, Figures
from siamtrack.evaluation.longterm import longterm


def longterm_report(runs: Mapping[str, list[Run]], dataset: Dataset) -> Figures:
    """Return F-score, precision and recall of trackers with presence scores.

    Each sequence's own figures are taken at the threshold that is best overall.

    Args:
        runs: For each tracker what `run_dataset` returned.
        dataset: The data set.

    Raises:
        ValueError: If a tracker gave no score.
    """
    overall, rows, lines = {}, {}, {}
    for name, all_of_it in runs.items():
        triples = [(run.sequence, run.result.boxes, run.result.scores) for run in all_of_it]
        result = longterm(triples)
        overall[name] = result.figures()
        at = np.array([overall[name]["threshold"]])
        rows[name] = {triple[0].name: longterm([triple], at).figures() for triple in triples}
        lines[name] = (result.recall[::-1], result.precision[::-1])
    plot = Curve("Precision and recall", "recall", "precision", lines)
    notes = tuple(f"the data set lacks {missing}" for missing in dataset.missing)
    return Figures(dataset.name, "longterm", overall, rows, (plot,), notes)
