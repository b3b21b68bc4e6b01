"""Text files of numbers, and folders, of data sets; what is wrong with them becomes a finding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from siamtrack.core.boxes import Array
from siamtrack.core.files import read_rows, text_of
from siamtrack.data.annotations.findings import Findings
from siamtrack.errors import DatasetError


def need(path: Path, name: str, what: str) -> Path:
    """Return `path` if it exists.

    Args:
        path: A part of the layout.
        name: Name of the data set.
        what: What should be there.

    Raises:
        DatasetError: If it does not exist; the message says what was expected there.
    """
    if not path.exists():
        raise DatasetError(
            f"{path}: not there; {name} has {what} at this place. Give the folder that holds it "
            "(docs/training-data.md shows the layout)"
        )
    return path


def folders(path: Path, pattern: str = "*") -> list[Path]:
    """Return the folders below `path` whose name matches, sorted."""
    return sorted(item for item in path.glob(pattern) if item.is_dir())


def rows_of(path: Path, columns: int, found: Findings) -> Array | None:
    """Read rows of numbers (N, columns); None, and a finding, if that is not possible."""
    try:
        text = text_of(path, "utf-8-sig").replace(",", " ").split("\n")
        rows = np.array([line.split() for line in text if line], dtype=np.float64)
        if rows.ndim == 2 and rows.shape[1] == columns:
            return rows
    except (OSError, ValueError):
        pass
    try:  # slower, but takes more separators and knows what is wrong
        return read_rows(path, [columns])
    except DatasetError as error:
        found.add("unreadable" if path.exists() else "missing", str(error))
        return None


def flags_of(path: Path, count: int) -> NDArray[np.float64] | None:
    """Read `count` numbers from a text file, whatever separates them; None if it has others."""
    try:
        values = np.array(text_of(path, "utf-8-sig").replace(",", " ").split(), float)
    except (OSError, ValueError):
        return None
    return values if len(values) == count else None
