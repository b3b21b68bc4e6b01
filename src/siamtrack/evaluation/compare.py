"""Evaluate raw results that exist already, without running a tracker."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Items
from pathlib import Path

from siamtrack.data.sequence import Dataset
from siamtrack.errors import ResultsError
from siamtrack.evaluation.metrics import POLICIES, Policy
from siamtrack.evaluation.report import Report
from siamtrack.evaluation.results import (
    Lengths,
    find_runs,
    fit_lengths,
    read_results,
    read_times,
)
from siamtrack.evaluation.scores import Case, SequenceScore, average, score_cases, uncounted_notes

Paths = str | Path | Items[str | Path] | Mapping[str, str | Path]


def evaluate_results(
    results: Paths,
    dataset: Dataset,
    *,
    policy: Policy | None = None,
    lengths: Lengths = "strict",
    absent: bool = False,
    partial: bool = False,
) -> Report:
    """Compare raw results with the annotations of a data set; images are not needed.

    Args:
        results: A folder with one file per sequence, or with `NAME/NAME_001.txt` for each (its
            name is the tracker's), a folder of such folders, a list of folders, or a mapping from
            trackers' names to folders.
        dataset: Data set; its `origin` is taken for that of the files.
        policy: Which frames count; by default the rules of the data set.
        lengths: What to do where files and sequences differ in length: `strict` is an error;
            `align` and `cut` see `results.fit_lengths`.
        absent: Accept NaN rows; they count as misses.
        partial: Accept trackers that lack sequences; the report says which.

    Returns:
        Report; its notes name every sequence that is missing, cut or counted in part.

    Raises:
        ResultsError: If results are missing, damaged or of the wrong length; the message names file
            and line.
        ValueError: If two folders of a list have the same name.
    """
    if dataset.hidden:
        raise ResultsError(f"{dataset.name}: only its server has the annotations to compare with")
    policy = policy or POLICIES[dataset.policy]
    scores: dict[str, tuple[SequenceScore, ...]] = {}
    notes = [f"the data set lacks {name}" for name in dataset.missing]
    for tracker, folder in result_folders(results, dataset).items():
        files = find_runs(folder, dataset)
        missing = [name for name in dataset.names if name not in files]
        if not files or (missing and not partial):
            raise ResultsError(
                f"{folder}: no results of {len(missing)} of {len(dataset)} sequences: "
                f"{', '.join(missing[:8])}{' ...' if len(missing) > 8 else ''}; add them, or pass "
                "partial=True to average over the others"
            )
        if missing:
            notes.append(f"{tracker}: no results of {', '.join(missing)}")
        # Read every run, and say which are of another length than their sequence.
        cases = []
        for sequence, path in ((s, path) for s in dataset for path in files.get(s.name, ())):
            raw = read_results(path, origin=dataset.origin, absent=absent)
            boxes, truth = fit_lengths(raw, sequence, path, lengths)
            name, times = sequence.name, read_times(path, len(raw))
            if len(raw) != len(sequence):
                rows = f"{len(raw)} rows for {len(sequence)} frames"
                notes.append(f"{tracker}: {name} has {rows}, {len(boxes)} compared")
            cases.append(Case(name, boxes, truth, sequence.size, sequence.attributes, times))
        # Score all of them in one pass, and average repetitions.
        runs: dict[str, list[SequenceScore]] = {}
        for score in score_cases(cases, policy):
            runs.setdefault(score.sequence, []).append(score)
        scores[tracker] = tuple(average(of_one) for of_one in runs.values())
    notes += uncounted_notes(scores)
    return Report(dataset.name, scores, "ope", policy, tuple(notes))


def result_folders(results: Paths, dataset: Dataset) -> dict[str, Path]:
    """Return the folder of each tracker, by its name; see `evaluate_results` for what may be given.

    Raises:
        ResultsError: If no folder has results.
        ValueError: If two folders of a list have the same name.
    """
    if isinstance(results, Mapping):
        return {name: Path(folder) for name, folder in results.items()}
    if not isinstance(results, str | Path):
        folders = [Path(folder) for folder in results]
        named = {folder.resolve().name: folder for folder in folders}
        if len(named) != len(folders):
            raise ValueError(
                f"two of the folders {', '.join(map(str, folders))} have the same name; pass a "
                "mapping from trackers' names to folders"
            )
        return named
    root = Path(results)
    if find_runs(root, dataset):
        return {root.resolve().name: root}
    below = [item for item in sorted(root.iterdir()) if item.is_dir()]
    found = {item.name: item for item in below if find_runs(item, dataset)}
    if not found:
        raise ResultsError(
            f"{root}: neither it nor a folder in it has files named after the sequences of "
            f"{dataset.name}, such as {dataset.names[0]}.txt"
        )
    return found
