"""Long-term tracking: precision, recall and F-score over the tracker's own score.

Paper: Lukezic et al., Now you see me: evaluating performance in long-term visual tracking,
https://arxiv.org/abs/1804.07056
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from siamtrack.core.boxes import Array
from siamtrack.core.files import read_rows
from siamtrack.data.sequence import Dataset, Sequence
from siamtrack.errors import ResultsError
from siamtrack.evaluation.metrics import roc_auc
from siamtrack.evaluation.protocols import Start
from siamtrack.evaluation.report import Curve, Report
from siamtrack.evaluation.results import find_runs, fit_lengths, read_results
from siamtrack.evaluation.run import Result, Run
from siamtrack.evaluation.vot.files import CONFIDENCE, read_unsupervised
from siamtrack.evaluation.vot.regions import overlaps

STEPS = 100


@dataclass(frozen=True, eq=False)
class LongTerm:
    """Curves over thresholds of the score, and the point with the highest F-score.

    Args:
        thresholds: (T,) ascending.
        precision: (T,) mean overlap of the boxes that the tracker stands by; 1 where it gives none.
        recall: (T,) overlap of these boxes over all frames in which the target is there.
    """

    thresholds: Array
    precision: Array
    recall: Array

    @property
    def f_score(self) -> Array:
        """Harmonic mean of both (T,)."""
        total = self.precision + self.recall
        return np.asarray(
            np.where(total > 0, 2 * self.precision * self.recall / np.maximum(total, 1e-12), 0)
        )

    @property
    def best(self) -> int:
        """Index of the highest F-score."""
        return int(self.f_score.argmax())

    def figures(self) -> dict[str, float]:
        """Return F-score, precision, recall and threshold at the best point."""
        at = self.best
        return {
            "F": float(self.f_score[at]),
            "precision": float(self.precision[at]),
            "recall": float(self.recall[at]),
            "threshold": float(self.thresholds[at]),
        }


Scored = tuple[Sequence, Array, Array]
"""A sequence, boxes (N, 4) and scores (N,)."""


def longterm(runs: Items[Scored], thresholds: Array | None = None) -> LongTerm:
    """Return the curves of a tracker over sequences, each with the same weight.

    The frame of the start does not count: its box is given. A frame counts as a report of the
    tracker if its score is at least the threshold and its box is finite. Where the target is
    absent, a report has overlap 0. `thresholds` (T,) are by default 100 quantiles of all scores.

    Raises:
        ValueError: If there is no run or no score is finite.

    Example:
        >>> from siamtrack.data.sequence import NoFrames
        >>> truth = np.array([[0, 0, 4, 4.0], [0, 0, 4, 4], [np.nan] * 4])
        >>> toy = Sequence("toy", NoFrames(3), truth)
        >>> boxes, scores = np.array([[0, 0, 4, 4.0]] * 3), np.array([np.nan, 0.9, 0.1])
        >>> longterm([(toy, boxes, scores)]).figures()["F"]
        1.0
    """
    if not runs:
        raise ValueError("no run to evaluate: give at least one")
    if thresholds is None:
        thresholds = score_thresholds(runs)
    precision, recall = np.zeros(len(thresholds)), np.zeros(len(thresholds))
    for sequence, boxes, scores in runs:
        first = sequence.init_frame + 1
        truth, guess, score = sequence.boxes[first:], boxes[first:], scores[first:]
        there = np.isfinite(truth).all(axis=1)
        overlap = np.where(there, overlaps(guess, truth, sequence.size), 0.0)
        score = np.where(np.isfinite(guess).all(axis=1), score, np.nan)
        with np.errstate(invalid="ignore"):
            reported = score[None] >= thresholds[:, None]
        total, count = (reported * overlap).sum(axis=1), reported.sum(axis=1)
        precision += np.where(count > 0, total / np.maximum(count, 1), 1.0)
        recall += total / max(int(there.sum()), 1)
    return LongTerm(thresholds, precision / len(runs), recall / len(runs))


def presence_auc(runs: Items[Scored]) -> float | None:
    """Return how well the score tells frames with the target from those without: ROC AUC.

    It is the probability that the score in a frame in which the target is annotated is higher than
    in one in which it is not, ties counting half: 1 for a perfect score, 0.5 for chance. All frames
    after the start of all runs are taken together, wherever the box is; a frame without a finite
    box or score ranks below all others.

    Returns:
        None if the target is annotated in all frames or in none.

    Example:
        >>> from siamtrack.data.sequence import NoFrames
        >>> truth = np.array([[0, 0, 4, 4.0], [0, 0, 4, 4], [np.nan] * 4])
        >>> toy = Sequence("toy", NoFrames(3), truth)
        >>> presence_auc([(toy, np.zeros((3, 4)), np.array([np.nan, 0.9, 0.1]))])
        1.0
    """
    visible, ranked = [], []
    for sequence, boxes, scores in runs:
        first = sequence.init_frame + 1
        visible.append(np.isfinite(sequence.boxes[first:]).all(axis=1))
        sure = np.isfinite(boxes[first:]).all(axis=1) & np.isfinite(scores[first:])
        ranked.append(np.where(sure, scores[first:], np.nan))
    labels, values = np.concatenate(visible).astype(int), np.concatenate(ranked)
    if len(np.unique(labels)) < 2:
        return None
    known = values[np.isfinite(values)]
    lowest = float(known.min()) - 1.0 if len(known) else 0.0
    return roc_auc(np.where(np.isfinite(values), values, lowest), labels)


def score_thresholds(runs: Items[Scored], steps: int = STEPS) -> Array:
    """Return up to `steps` quantiles of all finite scores, ascending.

    Raises:
        ValueError: If no score is finite.
    """
    scores = np.concatenate([scores for _, _, scores in runs])
    scores = scores[np.isfinite(scores)]
    if not len(scores):
        raise ValueError("no score is finite: the long-term protocol needs the tracker's scores")
    return np.unique(np.quantile(scores, np.linspace(0, 1, steps), method="nearest"))


def longterm_report(runs: Mapping[str, list[Run]], dataset: Dataset) -> Report:
    """Return F-score, precision, recall and ROC AUC of each tracker's runs, of `run_dataset`.

    Each sequence's own F-score, precision and recall are taken at the threshold that is best
    overall. Where the target is never absent there is no ROC AUC; see `presence_auc`.

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
    return Report(
        dataset.name, protocol="longterm", notes=notes, figures=overall, rows=rows, curves=(plot,)
    )


def _auc(runs: list[Scored]) -> dict[str, float]:
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
        result = _read(found[sequence.name][0], sequence, dataset.origin)
        runs.append(Run(sequence, Start(), result))
    return runs


def _read(path: Path, sequence: Sequence, origin: int) -> Result:
    if path.with_name(f"{path.stem}{CONFIDENCE}").is_file():
        return Result(*read_unsupervised(path, sequence, origin))
    boxes = read_results(path, origin=origin, absent=True)
    boxes, _ = fit_lengths(boxes, sequence, path, "strict")
    file = path.with_name(f"{path.stem}_score.txt")
    scores = read_rows(file, (1,), ResultsError)[:, 0]
    if len(scores) != len(boxes):
        raise ResultsError(f"{file}: {len(scores)} scores for {len(boxes)} boxes")
    return Result(boxes, scores, np.zeros(len(boxes)))
