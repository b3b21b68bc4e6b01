"""Raw results in folders: which file is of which sequence, and the times beside it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence as Items
from pathlib import Path

import numpy as np

from siamtrack.core.boxes import Array
from siamtrack.core.files import read_rows
from siamtrack.data.sequence import Dataset, Sequence, canonical
from siamtrack.errors import ResultsError

ENDINGS = ("txt", "csv", "mat")
_BESIDE = ("_time", "_score")


def find_results(folder: str | Path, dataset: Dataset) -> dict[str, Path]:
    """Return the results file of each sequence in a folder, by the sequence's name.

    A text file is called like its sequence, in any of the usual spellings; a `.mat` file may have
    the tracker's name after it (`Jogging_1_siamfc3s.mat`). Other files are ignored, also
    `NAME_time.txt` and `NAME_score.txt`.

    Raises:
        ResultsError: If the folder does not exist or two files belong to one sequence.
    """
    return _results_in(Path(folder), dataset)[0]


def find_runs(folder: str | Path, dataset: Dataset) -> dict[str, list[Path]]:
    """Return the results files of each sequence, one per repetition.

    Besides the files that `find_results` finds, these are `NAME/NAME_001.txt` and so on, the layout
    of GOT-10k, or `.bin`, as the VOT toolkit writes.

    Raises:
        ResultsError: As `find_results`.
    """
    files, others = _results_in(Path(folder), dataset)
    found = {name: [path] for name, path in files.items()}
    for name in others:
        sequence = dataset.find(name)
        if sequence is None or sequence.name in found:
            continue
        for ending in ("txt", "bin"):
            numbered = sorted((Path(folder) / name).glob(f"{name}_[0-9][0-9][0-9].{ending}"))
            if numbered:
                found[sequence.name] = numbered
                break
    return found


def has_results(folder: str | Path, dataset: Dataset) -> bool:
    """Return whether a folder has a results file of any sequence.

    Raises:
        ResultsError: As `find_results`.
    """
    place = Path(folder)
    quick = place.is_dir() and any(_owner(name, dataset) for name in _names(place))
    return quick or bool(find_runs(place, dataset))


def times_files(paths: Items[Path]) -> list[Path | None]:
    """Return the file of times that lies beside each results file, `NAME_time.txt`, or None."""
    beside: dict[str, set[str]] = {}
    found = []
    for path in paths:
        folder = os.fspath(path).rpartition(os.sep)[0]
        if folder not in beside:
            beside[folder] = {name for name in _names(path.parent) if name.endswith("_time.txt")}
        found.append(_times_file(path, beside[folder]) if beside[folder] else None)
    return found


def _times_file(path: Path, beside: set[str]) -> Path | None:
    shorter = re.sub(r"_\d{3}$", "", path.stem) if path.parent.name in path.stem else path.stem
    for name in (f"{path.stem}_time.txt", f"{shorter}_time.txt"):
        if name in beside:
            return path.with_name(name)
    return None


def read_times(files: Items[Path | None], counts: Items[int]) -> list[Array]:
    """Return the seconds per frame (N,) in each file, empty where there is none.

    Of several columns, one per repetition, the first is taken. A file that is damaged or of another
    length than `counts` says is of another run and gives none.
    """
    there = [file for file in files if file is not None]
    found = {file: rows for file in there if (rows := _rows_or_none(file)) is not None}
    times = []
    for file, count in zip(files, counts, strict=True):
        seconds = found[file][:, 0] if file in found else np.zeros(0)
        good = len(seconds) == count and bool(np.isfinite(seconds).all())
        times.append(seconds if good else np.zeros(0))
    return times


def _rows_or_none(file: Path) -> Array | None:
    try:
        return read_rows(file, range(1, 100), ResultsError)
    except ResultsError:
        return None


def _owner(name: str, dataset: Dataset) -> Sequence | None:
    """Return the sequence that a results file is called after, or None."""
    stem, _, ending = name.rpartition(".")
    kind = ending.lower()
    if kind not in ENDINGS or stem.endswith(_BESIDE):
        return None
    sequence = dataset.find(stem)
    if sequence is not None or kind != "mat":
        return sequence
    parts = canonical(stem).split("-")
    shorter = ("-".join(parts[:count]) for count in range(len(parts) - 1, 0, -1))
    return next((found for part in shorter if (found := dataset.find(part))), None)


def _results_in(folder: Path, dataset: Dataset) -> tuple[dict[str, Path], list[str]]:
    """Return the results files by the sequences' names, and the names of everything else there."""
    try:
        names = _names(folder)
    except OSError as reason:
        raise ResultsError(
            f"{folder}: no such folder of raw results; give an existing one"
        ) from reason
    found: dict[str, Path] = {}
    others = []
    for name in names:
        sequence = _owner(name, dataset)
        if sequence is None:
            others.append(name)
        elif sequence.name in found:
            raise ResultsError(
                f"{folder}: both {found[sequence.name].name} and {name} belong to "
                f"{sequence.name}; remove one"
            )
        else:
            found[sequence.name] = folder / name
    return found, others


def _names(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries)
