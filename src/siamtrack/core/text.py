"""Rows of numbers in text files, as annotations and raw results use them."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from siamtrack.core.boxes import Array, ltrb_to_ltwh
from siamtrack.core.plain import plain_rows
from siamtrack.core.reading import MOST_ROWS, bytes_of
from siamtrack.errors import DatasetError, ResultsError

_SEPARATOR = re.compile(r"[,;\s]+")
_AROUND = f",;{string.whitespace}"


def read_text(path: Path, error: type[DatasetError] | type[ResultsError] = DatasetError) -> str:
    """Return the text of a UTF-8 file, with or without a byte order mark.

    Raises:
        DatasetError: Or the class given as `error`, if it cannot be read or is no text.
    """
    try:
        return bytes_of(path).decode("utf-8-sig")
    except OSError as reason:
        raise error(f"{path}: cannot be read ({reason.strerror})") from reason
    except UnicodeDecodeError as reason:
        raise error(f"{path}: no UTF-8 text ({reason}); save it as plain text") from reason


def read_rows(
    path: Path,
    columns: Collection[int],
    error: type[DatasetError] | type[ResultsError] = DatasetError,
) -> Array:
    """Read one row of numbers a line, separated by commas, semicolons, tabs or spaces.

    `NaN` is kept as a number; blank lines are allowed at the end of the file only.

    Args:
        path: Text file.
        columns: Allowed numbers of columns; all rows must have the same one.
        error: Exception class to raise.

    Returns:
        float64 array (N, columns).

    Raises:
        DatasetError: Or the class given as `error`: the file is missing, empty, or has a line that
            is not a row of numbers. The message names file and line.
    """
    try:
        content = bytes_of(path, MOST_ROWS)
        if quick := plain_rows([content], columns):
            return quick[0]
        lines = content.decode("utf-8-sig").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as reason:
        raise error(f"{path}: cannot be read as text ({reason})") from reason
    if not lines:
        raise error(f"{path}: the file is empty; expected one row of numbers per frame")
    whole = _all_at_once(lines, columns)
    if whole is not None:
        return whole
    rows: list[list[float]] = []
    for number, line in enumerate(lines, start=1):
        row = _numbers(line)
        wanted = columns if not rows else [len(rows[0])]
        if row is None or len(row) not in wanted:
            expected = " or ".join(str(count) for count in sorted(wanted))
            raise error(
                f"{path}, line {number}: {line.strip()[:80]!r} is not a row of {expected} numbers; "
                "separate them by commas, tabs or spaces"
            )
        rows.append(row)
    return np.array(rows, dtype=np.float64)


def read_files(
    paths: Sequence[Path],
    columns: Collection[int],
    error: type[DatasetError] | type[ResultsError] = DatasetError,
) -> list[Array]:
    """Read many files as `read_rows` reads each, ten times as fast if all are plain.

    Raises:
        DatasetError: As `read_rows`, for the first file that is at fault.
    """
    try:
        contents = [bytes_of(path, MOST_ROWS) for path in paths]
    except OSError:
        contents = []
    return plain_rows(contents, columns) or [read_rows(path, columns, error) for path in paths]


def _all_at_once(lines: list[str], columns: Collection[int]) -> Array | None:
    """Return the rows of a file without faults, ten times as fast as line by line, or None."""
    plain = [line.replace(",", " ").replace(";", " ") for line in lines]
    if not any(line.strip() for line in plain):
        return None
    try:
        rows = np.loadtxt(plain, ndmin=2, comments=None)
    except ValueError:
        return None
    whole = rows.shape[0] == len(lines) and rows.shape[1] in columns and not np.isinf(rows).any()
    return np.asarray(rows, dtype=np.float64) if whole else None


def _numbers(line: str) -> list[float] | None:
    try:
        values = [float(token) for token in _SEPARATOR.split(line.strip(_AROUND))]
    except ValueError:
        return None
    return None if any(math.isinf(value) for value in values) else values


def polygons_to_ltwh(polygons: Array) -> Array:
    """Return the axis-aligned boxes (N, 4) around polygons (N, 2 * corners) of x, y pairs.

    Example:
        >>> polygons_to_ltwh(np.array([[1.0, 0, 3, 2, 1, 4, 0, 2]])).tolist()
        [[0.0, 0.0, 3.0, 4.0]]
    """
    corners = polygons.reshape(len(polygons), -1, 2)
    return ltrb_to_ltwh(np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1))
