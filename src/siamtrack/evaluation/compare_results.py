"""Evaluate raw results that exist already, without running a tracker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Items
from pathlib import Path

import numpy as np

from siamtrack.data.sequence import Dataset, Sequence
from siamtrack.errors import ResultsError
from siamtrack.evaluation.found import find_runs, has_results, read_times, times_files
from siamtrack.evaluation.metrics import POLICIES, Policy
from siamtrack.evaluation.report import Report
from siamtrack.evaluation.results import Lengths, fit_lengths, read_many_results
from siamtrack.evaluation.scores import Case, SequenceScore, average, score_cases

Paths = str | Path | Items[str | Path] | Mapping[str, str | Path]
_FRAMES_AT_ONCE = 20_000
"""Files are read and scored in parts that fit the processor's cache. Their arrays come and go; the
GNU C library gives such memory back to the system each time, which costs as much as the work, until
a larger block has once been freed: hence the empty array."""


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
    np.empty(2 << 20)  # see _FRAMES_AT_ONCE
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
        runs: dict[str, list[SequenceScore]] = {}
        for part in _parts(dataset, files):
            cases, found = _cases(tracker, part, dataset.origin, lengths, absent)
            notes += found
            for score in score_cases(cases, policy):
                runs.setdefault(score.sequence, []).append(score)
        scores[tracker] = tuple(average(of_one) for of_one in runs.values())
    notes += uncounted_notes(scores)
    return Report(dataset.name, scores, "ope", policy, tuple(notes))


def uncounted_notes(scores: Mapping[str, tuple[SequenceScore, ...]]) -> list[str]:
    """Return a note with the number of frames that the policy leaves out, if there are any."""
    lost = {row.sequence: row.frames - row.counted for rows in scores.values() for row in rows}
    lost = {name: count for name, count in lost.items() if count > 0}
    if not lost:
        return []
    return [f"{sum(lost.values()):g} frames in {len(lost)} sequences have no true box to count"]


_Part = list[tuple[Sequence, Path, Path | None]]


def _parts(dataset: Dataset, files: Mapping[str, list[Path]]) -> Iterator[_Part]:
    """Yield sequences, their files and those of times, in parts of few frames or one sequence."""
    pairs = [(sequence, path) for sequence in dataset for path in files.get(sequence.name, ())]
    part: _Part = []
    frames = 0
    for pair, times in zip(pairs, times_files([path for _, path in pairs]), strict=True):
        count = len(pair[0])
        if part and frames + count > _FRAMES_AT_ONCE:
            yield part
            part, frames = [], 0
        part.append((*pair, times))
        frames += count
    if part:
        yield part


def _cases(
    tracker: str, part: _Part, origin: int, lengths: Lengths, absent: bool
) -> tuple[list[Case], list[str]]:
    """Read files; return what to score, and notes on those of another length than the sequence."""
    raws = read_many_results([path for _, path, _ in part], origin=origin, absent=absent)
    times = read_times([file for _, _, file in part], [len(raw) for raw in raws])
    cases, notes = [], []
    for (sequence, path, _), raw, seconds in zip(part, raws, times, strict=True):
        boxes, truth = fit_lengths(raw, sequence, path, lengths)
        name, frames = sequence.name, len(sequence)
        if len(raw) != frames:
            rows = f"{len(raw)} rows for {frames} frames"
            notes.append(f"{tracker}: {name} has {rows}, {len(boxes)} compared")
        cases.append(Case(name, boxes, truth, sequence.size, sequence.attributes, seconds))
    return cases, notes


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
    if has_results(root, dataset):
        return {root.resolve().name: root}
    below = [item for item in sorted(root.iterdir()) if item.is_dir()]
    found = {item.name: item for item in below if has_results(item, dataset)}
    if not found:
        raise ResultsError(
            f"{root}: neither it nor a folder in it has files named after the sequences of "
            f"{dataset.name}, such as {dataset.names[0]}.txt"
        )
    return found
