"""Raw results: one box per frame, in the text and MATLAB files that trackers publish.

MATLAB files of versions 5 to 7 are read without SciPy, whose `loadmat` trusts the sizes that a file
states: of files with random damage one in 300 ends the process. Every size is checked here. Format:
https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf

Also the archives of them for the evaluation servers of GOT-10k and TrackingNet.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from siamtrack.core.boxes import Array, polygons_to_ltwh
from siamtrack.core.files import MOST_ROWS, bytes_of, read_rows
from siamtrack.core.writing import replacing, write_text
from siamtrack.data.sequence import Dataset, Sequence, canonical
from siamtrack.errors import ResultsError

Lengths = Literal["strict", "align", "cut"]
ENDINGS = ("txt", "csv", "mat")
_BESIDE = ("_time", "_score")


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
    """
    file = Path(path)
    ending = file.suffix.lower()
    if ending == ".bin":
        raise ResultsError(
            f"{file}: a trajectory of the VOT toolkit, which begins without a box; evaluate it by "
            "the protocols vot, vot-multistart or longterm"
        )
    rows = read_mat(file) if ending == ".mat" else read_rows(file, (4, 8), ResultsError)
    boxes = polygons_to_ltwh(rows) if rows.shape[1] == 8 else rows
    bad = ~np.isfinite(boxes).all(axis=1)
    if bad.any() and not absent:
        raise ResultsError(
            f"{file}, line {int(bad.argmax()) + 1}: NaN where a box is expected "
            f"({int(bad.sum())} such rows); repair the file, or pass absent=True to count them as "
            "misses"
        )
    return np.asarray(boxes - [origin, origin, 0.0, 0.0], np.float64)


def write_results(path: str | Path, boxes: ArrayLike, *, origin: int = 0) -> None:
    """Write boxes (N, 4) ltwh as text with four decimals, all at once or not at all.

    `origin` is the coordinate of the first pixel in the file; NaN is for no target.
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


def find_results(folder: str | Path, dataset: Dataset) -> dict[str, Path]:
    """Return the results file of each sequence in a folder, by the sequence's name.

    A text file is called like its sequence, in any of the usual spellings; a `.mat` file may have
    the tracker's name after it (`Jogging_1_siamfc3s.mat`). Other files are ignored, also
    `NAME_time.txt` and `NAME_score.txt`.

    Raises:
        ResultsError: If the folder does not exist or two files belong to one sequence.
    """
    found: dict[str, Path] = {}
    for path in _entries(folder):
        sequence = _owner(path.name, dataset)
        if sequence is None:
            continue
        if sequence.name in found:
            raise ResultsError(
                f"{folder}: both {found[sequence.name].name} and {path.name} belong to "
                f"{sequence.name}; remove one"
            )
        found[sequence.name] = path
    return found


def find_runs(folder: str | Path, dataset: Dataset) -> dict[str, list[Path]]:
    """Return the results files of each sequence, one per repetition.

    Besides the files that `find_results` finds, these are `NAME/NAME_001.txt` and so on, the layout
    of GOT-10k, or `.bin`, as the VOT toolkit writes.

    Raises:
        ResultsError: As `find_results`.
    """
    found = {name: [path] for name, path in find_results(folder, dataset).items()}
    for place in _entries(folder):
        sequence = dataset.find(place.name)
        if sequence is None or sequence.name in found:
            continue
        for ending in ("txt", "bin"):
            numbered = sorted(place.glob(f"{place.name}_[0-9][0-9][0-9].{ending}"))
            if numbered:
                found[sequence.name] = numbered
                break
    return found


def read_times(path: Path, count: int) -> Array:
    """Return the seconds per frame (N,) in `NAME_time.txt` beside a results file.

    Of several columns, one per repetition, the first is taken. The result is empty where there is
    no such file, or where it is damaged or has other than `count` rows and so is of another run.
    """
    shorter = re.sub(r"_\d{3}$", "", path.stem) if path.parent.name in path.stem else path.stem
    for stem in dict.fromkeys((path.stem, shorter)):
        file = path.with_name(f"{stem}_time.txt")
        if not file.is_file():
            continue
        try:
            seconds = read_rows(file, range(1, 100), ResultsError)[:, 0]
        except ResultsError:
            break
        if len(seconds) == count and np.isfinite(seconds).all():
            return seconds
        break
    return np.zeros(0)


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


def _entries(folder: str | Path) -> list[Path]:
    try:
        return sorted(Path(folder).iterdir())
    except OSError as reason:
        raise ResultsError(
            f"{folder}: no such folder of raw results; give an existing one"
        ) from reason


def check_submission(folder: str | Path, dataset: Dataset) -> list[Path]:
    """Return the files to pack, if the folder of raw results is whole.

    Raises:
        ResultsError: If a sequence is missing, has the wrong number of rows, another first box, a
            box that is not finite or, for GOT-10k, no times; the message names all that is wrong.
    """
    folder, found, wrong = Path(folder), find_runs(folder, dataset), []
    files: list[Path] = []
    for sequence in dataset:
        if sequence.name not in found:
            wrong.append(f"{sequence.name}: no results")
            continue
        for path in found[sequence.name]:
            try:
                boxes = read_results(path, origin=dataset.origin)
            except ResultsError as reason:
                wrong.append(str(reason))
                continue
            files.append(path)
            if len(boxes) != len(sequence):
                wrong.append(f"{path}: {len(boxes)} rows, expected {len(sequence)}")
            elif not np.allclose(boxes[0], sequence.boxes[0], atol=1.0):
                wrong.append(f"{path}, line 1: not the box that was given")
        if dataset.nested:
            times = found[sequence.name][0].with_name(f"{sequence.name}_time.txt")
            files.append(times)
            if not times.is_file():
                wrong.append(f"{times}: is missing")
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise ResultsError(f"{folder} cannot be submitted: {'; '.join(wrong[:5])}{more}")
    return files


def write_submission(folder: str | Path, dataset: Dataset, path: str | Path) -> Path:
    """Pack raw results of one tracker as the data set's server wants them; `path` appears whole.

    GOT-10k's are `NAME/NAME_001.txt` and `NAME/NAME_time.txt`, those of others `NAME.txt`.

    Raises:
        ResultsError: If the results are not whole.
        FileExistsError: If `path` exists.
    """
    target, root = Path(path), Path(folder)
    files = check_submission(root, dataset)
    if target.exists():
        raise FileExistsError(f"{target} exists; remove it or choose another name")
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.relative_to(root).as_posix())
    return target


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
