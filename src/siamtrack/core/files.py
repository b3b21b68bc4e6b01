"""Files that somebody else wrote: opened safely, as bytes, as text or as rows of numbers.

Only ordinary files are read, and none that is larger than it may be: a pipe that is called
`frame.png` would wait indefinitely, `/dev/zero` would never end.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import stat
from collections.abc import Collection, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO

import numpy as np

from siamtrack.core.boxes import Array
from siamtrack.errors import DatasetError, ResultsError

MOST = 1 << 31
"""Bytes that a file may have which is read in one piece; 2 GiB."""
MOST_ROWS = 1 << 28
"""Bytes that a text file with one row of numbers a frame may have; 256 MiB."""

_noted: ContextVar[list[Path] | None] = ContextVar("noted", default=None)


@contextlib.contextmanager
def noting_files() -> Iterator[list[Path]]:
    """Give a list of all files that this thread opens here within the block.

    With it, an output can be compared with whatever was read, in any layout of a data set.
    """
    names: list[Path] = []
    token = _noted.set(names)
    try:
        yield names
    finally:
        _noted.reset(token)


def open_ordinary(path: str | os.PathLike[str], most: int | None = None) -> BinaryIO:
    """Open an ordinary file for reading; links are followed.

    Raises:
        OSError: If it cannot be read, is no ordinary file, or has more than `most` bytes.
    """
    name = os.fspath(path)
    if (noted := _noted.get()) is not None:
        noted.append(Path(name))
    # a pipe is opened without waiting for its other end
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    number = os.open(name, flags | getattr(os, "O_CLOEXEC", 0))
    try:
        status = os.fstat(number)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "is no ordinary file", name)
        if most is not None and status.st_size > most:
            raise OSError(errno.EFBIG, f"has more than {most} bytes", name)
    except BaseException:
        os.close(number)
        raise
    return os.fdopen(number, "rb")


def bytes_of(path: str | os.PathLike[str], most: int = MOST) -> bytes:
    """Return what is in an ordinary file.

    Raises:
        OSError: As `open_ordinary`.

    Example:
        >>> bytes_of(os.devnull)
        Traceback (most recent call last):
        OSError: [Errno 22] is no ordinary file: '/dev/null'
    """
    with open_ordinary(path, most) as file:
        return file.read()


def text_of(
    path: str | os.PathLike[str], encoding: str = "utf-8", errors: str = "strict", most: int = MOST
) -> str:
    """Return the text of an ordinary file, with line ends as Python has them.

    Raises:
        OSError: As `open_ordinary`.
        UnicodeDecodeError: If it is no text of this encoding.
    """
    text = bytes_of(path, most).decode(encoding, errors)
    return text.replace("\r\n", "\n").replace("\r", "\n")


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
        text = bytes_of(path, MOST_ROWS).decode("utf-8-sig").rstrip()
    except (OSError, UnicodeDecodeError) as reason:
        raise error(f"{path}: cannot be read as text ({reason})") from reason
    if not text:
        raise error(f"{path}: the file is empty; expected one row of numbers per frame")
    lines = text.splitlines()
    whole = _all_at_once(lines, columns)
    if whole is not None:
        return whole
    # Something is wrong, or unusual: go line by line to name the first fault.
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


def _all_at_once(lines: list[str], columns: Collection[int]) -> Array | None:
    """Return the rows of a file without faults, in half the time of line by line, or None."""
    plain = [_spaced(line) for line in lines]
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
        values = [float(token) for token in _spaced(line).split()]
    except ValueError:
        return None
    return None if any(map(math.isinf, values)) else values


def _spaced(line: str) -> str:
    return line.replace(",", " ").replace(";", " ")
