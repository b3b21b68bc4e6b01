"""The long-term report of runs that exist."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from siamtrack.core.files import read_rows
from siamtrack.data.sequence import Dataset, Sequence
from siamtrack.errors import ResultsError
from siamtrack.evaluation.evaluate import Run
from siamtrack.evaluation.figures import Curve, Figures
from siamtrack.evaluation.found import find_runs
from siamtrack.evaluation.longterm import Run as LongTermRun
from siamtrack.evaluation.longterm import longterm, presence_auc
from siamtrack.evaluation.protocols import Start
from siamtrack.evaluation.results import fit_lengths, read_results
from siamtrack.evaluation.run import Result
from siamtrack.evaluation.vot.files import CONFIDENCE, read_unsupervised


def longterm_report(runs: Mapping[str, list[Run]], dataset: Dataset) -> Figures:
    """Return F-score, precision, recall and ROC AUC of trackers with presence scores.

    Each sequence's own F-score, precision and recall are taken at the threshold that is best
    overall. Where the target is never absent there is no ROC AUC; see `presence_auc`.

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
        overall[name] = {**result.figures(), **_auc(triples)}
        at = np.array([overall[name]["threshold"]])
        rows[name] = {
            triple[0].name: {**longterm([triple], at).figures(), **_auc([triple])}
            for triple in triples
        }
        lines[name] = (result.recall[::-1], result.precision[::-1])
    plot = Curve("Precision and recall", "recall", "precision", lines)
    notes = tuple(f"the data set lacks {missing}" for missing in dataset.missing)
    return Figures(dataset.name, "longterm", overall, rows, (plot,), notes)


def _auc(runs: list[LongTermRun]) -> dict[str, float]:
    area = presence_auc(runs)
    return {} if area is None else {"ROC AUC": area}


def read_runs(folder: str | Path, dataset: Dataset) -> list[Run]:
    """Return the runs in a folder of raw results with `NAME_score.txt` beside `NAME.txt`.

    A folder of the VOT toolkit, `NAME/NAME_001.bin` or `.txt` with `NAME_001_confidence.value`, is
    read as well.

    Raises:
        ResultsError: If results or scores are missing, damaged or of the wrong length.
    """
    found = find_runs(folder, dataset)
    runs = []
    for sequence in dataset:
        if sequence.name not in found:
            raise ResultsError(f"{folder}: no results of {sequence.name}; add them")
        path = found[sequence.name][0]
        read = _vot if path.with_name(f"{path.stem}{CONFIDENCE}").is_file() else _ours
        runs.append(Run(sequence, Start(), read(path, sequence, dataset.origin)))
    return runs


def _vot(path: Path, sequence: Sequence, origin: int) -> Result:
    return Result(*read_unsupervised(path, sequence, origin))


def _ours(path: Path, sequence: Sequence, origin: int) -> Result:
    boxes = read_results(path, origin=origin, absent=True)
    boxes, _ = fit_lengths(boxes, sequence, path, "strict")
    file = path.with_name(f"{path.stem}_score.txt")
    scores = read_rows(file, (1,), ResultsError)[:, 0]
    if len(scores) != len(boxes):
        raise ResultsError(f"{file}: {len(scores)} scores for {len(boxes)} boxes")
    return Result(boxes, scores, np.zeros(len(boxes)))
