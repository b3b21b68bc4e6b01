"""Boxes in MATLAB files of versions 5 to 7, read without SciPy.

SciPy's `loadmat` trusts the sizes that a file states: of files with random damage one in 300 ends
the process. Raw results need a small part of the format, in which every size is checked here.

Format: https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from siamtrack.core.boxes import Array
from siamtrack.core.files import MOST_ROWS, bytes_of
from siamtrack.errors import ResultsError

NUMBERS = dict(enumerate(("i1", "u1", "i2", "u2", "i4", "u4", "f4"), start=1))
NUMBERS |= {9: "f8", 12: "i8", 13: "u8", 16: "u1", 17: "u2"}
"""How the values of an element are stored."""
MATRIX, COMPRESSED = 14, 15
CELL, STRUCT, CHARACTERS = 1, 2, 4
HEADER = 128


def read_mat(path: Path) -> Array:
    """Return the rows (N, 4) of a file, as they are stored.

    It has a cell `results`, whose first entry is the one-pass evaluation, or a matrix `result`.

    Raises:
        ResultsError: If the file is missing, damaged, larger than 256 MiB, or holds something else.
    """
    try:
        content = _variables(bytes_of(path, MOST_ROWS))
    except (OSError, ValueError, IndexError, RecursionError, zlib.error) as reason:
        raise ResultsError(
            f"{path}: not a MATLAB file of version 5 to 7 ({reason}); save it again with -v7, or "
            "as text"
        ) from reason
    rows = content.get("result")
    if "results" in content:
        entry = content["results"] if isinstance(content["results"], dict) else {}
        kind, rows = entry.get("type", "rect"), entry.get("res")
        if not isinstance(kind, str) or kind != "rect":
            raise ResultsError(
                f"{path}: the results are of type {kind!r}, expected 'rect'; convert them to boxes"
            )
    if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.shape[1] != 4 or not len(rows):
        found = rows.shape if isinstance(rows, np.ndarray) else sorted(content)
        raise ResultsError(
            f"{path}: expected a cell 'results' with field 'res', or a matrix 'result', of shape "
            f"(frames, 4); got {found}"
        )
    return rows


def _variables(data: bytes) -> dict[str, Any]:
    """Return the variables of a file by name; None for those that hold no results."""
    order = {b"IM": "<", b"MI": ">"}.get(data[HEADER - 2 : HEADER])
    if order is None:
        raise ValueError("no header")
    found: dict[str, Any] = {}
    for kind, body in _elements(memoryview(data)[HEADER:], order):
        if kind == COMPRESSED:
            stream = zlib.decompressobj()
            whole = stream.decompress(body, MOST_ROWS)
            if stream.unconsumed_tail:
                raise ValueError(f"unpacks to more than {MOST_ROWS} bytes")
            kind, body = next(_elements(memoryview(whole), order), (0, body))
        if kind == MATRIX:
            name = bytes(list(_elements(body, order))[2][1]).decode("latin-1")
            found[name] = _value(body, order) if name in ("result", "results") else None
    return found


def _value(body: memoryview, order: str) -> Any:
    """Return numbers as float64, text, the first entry of a cell, or the first of structures."""
    if not body:
        return None
    flags, shape, _, *parts = _elements(body, order)
    kind = int(np.frombuffer(flags[1], f"{order}u4")[0]) & 0xFF
    if not parts:
        return None
    if kind == CELL:
        return _value(parts[0][1], order)
    if kind == STRUCT:
        width = int(np.frombuffer(parts[0][1], f"{order}i4")[0])
        text = bytes(parts[1][1]).decode("latin-1")
        names = [text[at : at + width].rstrip("\0") for at in range(0, len(text), max(width, 1))]
        return {
            name: _value(field, order)
            for name, (_, field) in zip(names, parts[2:], strict=False)
            if name in ("res", "type")
        }
    if parts[0][0] not in NUMBERS:
        raise ValueError(f"values of type {parts[0][0]}")
    values = np.frombuffer(parts[0][1], order + NUMBERS[parts[0][0]])
    if kind == CHARACTERS:
        return "".join(map(chr, values.tolist()))
    sides = np.frombuffer(shape[1], f"{order}i4").tolist()
    return values.astype(np.float64).reshape(sides, order="F")


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Yield type and content of each element."""
    at = 0
    while at + 8 <= len(data):
        kind, size = np.frombuffer(data[at : at + 8], f"{order}u4").tolist()
        begin = at + 8
        if kind >> 16:  # a small element: up to four bytes lie in its tag
            kind, size, begin = kind & 0xFFFF, kind >> 16, at + 4
        end = begin + size
        if end > len(data):
            raise ValueError(f"an element ends {end - len(data)} bytes after the file")
        yield kind, data[begin:end]
        at = end if kind == COMPRESSED else end + -end % 8
