"""Raw results: one box per frame, in the text and MATLAB files that trackers publish."""

from __future__ import annotations

import io
from collections.abc import Sequence as Items
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from siamtrack.core.boxes import Array, polygons_to_ltwh
from siamtrack.core.files import read_rows
from siamtrack.core.writing import write_text
from siamtrack.data.sequence import Sequence
from siamtrack.errors import ResultsError
from siamtrack.evaluation.matfile import read_mat_files

Lengths = Literal["strict", "align", "cut"]


def read_results(path: str | Path, *, origin: int = 0, absent: bool = False) -> Array:
    """Read the boxes of a raw results file as ltwh, 0-based (N, 4).

    Text files have a row per frame: left, top, width, height, or a polygon of eight numbers, whose
    axis-aligned box is taken. OTB's `.mat` files have a cell `results`, whose first entry is the
    one-pass evaluation, or a matrix `result`.

    Args:
        path: `.txt`, `.csv` or `.mat` file.
        origin: Coordinate of the first pixel in the file: 1 for OTB and most published results.
        absent: Accept rows of NaN, by which a tracker says that there is no target; they count as
            misses. Otherwise NaN is an error.

    Raises:
        ResultsError: If the file is missing, empty, or has a line that is not a box; the message
            names file and line.
        MissingExtraError: If a `.mat` file is given and SciPy is not installed.
    """
    return read_many_results([Path(path)], origin=origin, absent=absent)[0]


def read_many_results(paths: Items[Path], *, origin: int = 0, absent: bool = False) -> list[Array]:
    """Read several raw results files as `read_results` does, in less time.

    Raises:
        ResultsError: As `read_results`, for the first file that is at fault.
        MissingExtraError: As `read_results`.
    """
    kinds = [path.suffix.lower() for path in paths]
    if ".bin" in kinds:
        raise ResultsError(
            f"{paths[kinds.index('.bin')]}: a trajectory of the VOT toolkit, which begins without "
            "a box; evaluate it by the protocols vot, vot-multistart or longterm"
        )
    tables = [path for path, kind in zip(paths, kinds, strict=True) if kind == ".mat"]
    read = dict(zip(tables, read_mat_files(tables), strict=True)) if tables else {}
    found = [read[path] if path in read else _read_text(path) for path in paths]
    boxes = [polygons_to_ltwh(rows) if rows.shape[1] == 8 else rows for rows in found]
    whole = np.concatenate(boxes)
    if not (absent or np.isfinite(whole).all()):
        _complain(boxes, paths)
    for column in (0, 1):  # one after the other takes a third of the time
        whole[:, column] -= origin
    stops = accumulate((len(rows) for rows in boxes), initial=0)
    return [whole[start:stop] for start, stop in pairwise(stops)]


def _read_text(path: Path) -> Array:
    return read_rows(path, (4, 8), ResultsError)


def _complain(boxes: Items[Array], paths: Items[Path]) -> None:
    for rows, path in zip(boxes, paths, strict=True):
        bad = ~np.isfinite(rows).all(axis=1)
        if bad.any():
            raise ResultsError(
                f"{path}, line {int(bad.argmax()) + 1}: NaN where a box is expected "
                f"({int(bad.sum())} such rows); repair the file, or pass absent=True to count them "
                "as misses"
            )


def write_results(path: str | Path, boxes: ArrayLike, *, origin: int = 0) -> None:
    """Write boxes (N, 4) as text with four decimals, all at once or not at all.

    Args:
        path: File to write or replace; its folder is made if necessary.
        boxes: ltwh in pixels, 0-based; NaN for no target.
        origin: Coordinate of the first pixel in the file.
    """
    rows = np.add(boxes, [origin, origin, 0, 0])
    write_rows(Path(path), rows, decimals=4)


def write_rows(path: Path, rows: Array, *, decimals: int) -> None:
    """Write numbers (N,) or (N, columns) as comma-separated text, atomically."""
    buffer = io.StringIO()
    np.savetxt(buffer, rows, fmt=f"%.{decimals}f", delimiter=",")
    write_text(path, buffer.getvalue())


def fit_lengths(
    boxes: Array, sequence: Sequence, path: Path, lengths: Lengths
) -> tuple[Array, Array]:
    """Return predicted and true boxes of equal length.

    Args:
        boxes: (N, 4) as read.
        sequence: The sequence they belong to.
        path: Their file, for messages.
        lengths: `strict`: as many rows as frames, or as many as the benchmark's own file has
            before the documented first frame (Tiger1: 354, of which 5 are dropped). `align`: drop
            those rows too, then compare the frames that both have. `cut`: compare row by row up to
            the shorter end without dropping anything, as the GOT-10k toolkit does.

    Raises:
        ResultsError: If the lengths differ and `lengths` is `strict`.
    """
    frames, extra, rows = len(sequence), sequence.dropped_first, len(boxes)
    if lengths not in ("strict", "align", "cut"):
        raise ValueError(f"lengths {lengths!r}: expected strict, align or cut")
    if rows == frames:
        return boxes, sequence.boxes
    if lengths != "cut" and extra and rows == frames + extra:
        return boxes[extra:], sequence.boxes
    if lengths == "strict":
        word = "short" if rows < frames else "long"
        raise ResultsError(
            f"{path}: too {word}, line {rows} is the last, but {sequence.name} has {frames} "
            "frames; repair the file, or pass lengths='align' to compare the frames that both have"
        )
    count = min(rows, frames)
    return boxes[:count], sequence.boxes[:count]
