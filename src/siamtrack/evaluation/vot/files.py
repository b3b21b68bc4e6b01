"""Raw results as the VOT toolkit lays them out, read and written.

`TRACKER/baseline/NAME/NAME_001.txt` of a supervised run has a line per frame: 1 for a start, 2 for
a failure, 0 while nothing runs, else a rectangle, a polygon or a mask, of which we take the box
around it unless the sequence is annotated with masks. A run from an anchor is in
`NAME_00000050.txt`, its first line 1. `*_time.value` has seconds per frame, `*_confidence.value`
scores.

`NAME_001.bin` has all of this in binary, little-endian numbers: a version (int16, 1), a number of
frames (uint32), then for each frame a kind (one byte) and: 0, a code (uint32); 1, left, top, width,
height (float32); 2, a number of corners (uint16) and their x, y (float32); 3, a mask: left, top
(int16), width, height, number of runs (uint16) and the runs (uint16), row by row, beginning with
one outside the target; 4, a point (float32).
"""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np

from siamtrack.core.boxes import Array
from siamtrack.core.files import bytes_of, read_rows, read_text, text_of
from siamtrack.core.masks import Mask
from siamtrack.core.writing import write_text
from siamtrack.data.benchmarks.vot import box_around, read_mask, runs_mask
from siamtrack.data.sequence import Sequence
from siamtrack.errors import ResultsError
from siamtrack.evaluation.vot.multistart import AnchorRun
from siamtrack.evaluation.vot.supervised import INIT, RESULT, Masks, SupervisedRun

BASELINE = "baseline"
BINARY, CONFIDENCE = ".bin", "_confidence.value"
VERSION = 1
Row = list[float] | Mask
"""What a frame has: a code alone, the numbers of a box or polygon, or a mask."""
CODES = (0, 1, 2)
"""What may stand for a region: nothing ran, a start, a failure."""
_CODE, _RECTANGLE, _POLYGON, _MASK = range(4)


def supervised_files(folder: Path, sequence: Sequence) -> list[Path]:
    """Return the files of all repetitions, in order."""
    place, pattern = folder / sequence.name, f"{sequence.name}_[0-9][0-9][0-9]"
    found = {path.stem: path for path in place.glob(f"{pattern}{BINARY}")}
    found |= {path.stem: path for path in place.glob(f"{pattern}.txt")}
    return [found[stem] for stem in sorted(found)]


def anchor_file(folder: Path, sequence: Sequence, anchor: int) -> Path:
    """Return the file of the run from an anchor."""
    return folder / sequence.name / f"{sequence.name}_{anchor:08d}.txt"


def write_run(path: Path, run: SupervisedRun | AnchorRun) -> None:
    """Write codes and regions, and the times beside them, each file whole or not at all."""
    if isinstance(run, SupervisedRun):
        codes = run.codes
    else:
        codes = np.array([float(INIT)] + [float(RESULT)] * (len(run.boxes) - 1))
    lines = [
        f"{code:.0f}"
        if code != RESULT
        else mask.vot()
        if mask is not None
        else ",".join(f"{value:.4f}" for value in box)
        for code, box, mask in zip(codes, run.boxes, run.masks or [None] * len(codes), strict=True)
    ]
    seconds = "".join(f"{value:.9f}\n" for value in run.times)
    write_text(path.with_name(f"{path.stem}_time.value"), seconds)
    write_text(path, "\n".join(lines) + "\n")


def read_regions(path: Path, count: int) -> tuple[Array, Array, Array, Masks | None]:
    """Return codes (N,), boxes (N, 4) or polygons (N, 8), times (N,), and masks if there are any.

    The box of a mask is the one around it; times are zeros where they are not known.

    Raises:
        ResultsError: If the file is missing or a line is neither a code nor a region, or it has not
            `count` lines; the message names file and line or frame.
    """
    found = read_binary(path) if path.suffix == BINARY else _read_lines(path)
    if len(found) != count:
        word = "short" if len(found) < count else "long"
        raise ResultsError(f"{path}: too {word}, {len(found)} lines for {count} frames")
    rows = [box_around(row).tolist() if isinstance(row, Mask) else row for row in found]
    masks = [row if isinstance(row, Mask) else None for row in found]
    width = max((len(row) for row in rows if len(row) > 1), default=4)
    codes, boxes = np.full(count, float(RESULT)), np.full((count, width), np.nan)
    for index, row in enumerate(rows):
        if len(row) == 1:
            codes[index] = row[0]
        elif len(row) == width:
            boxes[index] = row
        else:
            raise ResultsError(f"{path}, line {index + 1}: boxes and polygons are mixed")
    clock = path.with_name(f"{path.stem}_time.value")
    times = read_rows(clock, (1,), ResultsError)[:, 0] if clock.is_file() else np.zeros(count)
    times = times if len(times) == count else np.zeros(count)
    return codes, boxes, times, masks if any(masks) else None


def _read_lines(path: Path) -> list[Row]:
    lines = read_text(path, ResultsError).split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return [_numbers(path, number, line) for number, line in enumerate(lines, start=1)]


def _numbers(path: Path, number: int, line: str) -> Row:
    try:
        if line.startswith("m"):
            return read_mask(line.strip())
        row = [float(word) for word in line.split(",")]
    except ValueError:
        row = []
    code = len(row) == 1 and row[0] in CODES
    if not code and not (len(row) in (4, 8) and np.isfinite(row).all()):
        raise ResultsError(
            f"{path}, line {number}: {line.strip()[:80]!r} is neither a region of 4 or 8 numbers, "
            "nor a mask, nor one of the codes 0, 1 and 2"
        )
    return row


def existing(file: Path) -> Path:
    """Return the binary file that stands for a text file which does not exist, or that file."""
    binary = file.with_suffix(BINARY)
    return binary if binary.is_file() and not file.is_file() else file


def read_supervised(path: Path, sequence: Sequence) -> SupervisedRun:
    """Read a supervised run.

    Raises:
        ResultsError: If the file does not fit the sequence.
    """
    codes, boxes, times, masks = read_regions(path, len(sequence))
    run = SupervisedRun(codes, boxes, times, None if sequence.masks is None else masks)
    if run.codes[sequence.init_frame] != INIT:
        raise ResultsError(f"{path}, line {sequence.init_frame + 1}: expected 1, a start")
    return run


def read_unsupervised(
    path: Path, sequence: Sequence, origin: int = 0
) -> tuple[Array, Array, Array]:
    """Read a run without new starts: boxes (N, 4) or polygons (N, 8), scores (N,), times (N,).

    The first box is the true one. Scores are in `NAME_001_confidence.value`; an empty line in it is
    NaN. `origin` is the coordinate of the first pixel in the file.

    Raises:
        ResultsError: If a file is missing or does not fit the sequence.
    """
    codes, boxes, times, _ = read_regions(path, len(sequence))
    first = sequence.init_frame
    if codes[first] != INIT:
        raise ResultsError(f"{path}, line {first + 1}: expected 1, a start")
    if boxes.shape[1] == 4:
        boxes -= [origin, origin, 0, 0]
        boxes[first] = sequence.boxes[first]
    else:
        boxes -= origin
    file = path.with_name(f"{path.stem}{CONFIDENCE}")
    try:
        lines = text_of(file, "utf-8-sig").split("\n")
        scores = np.array([float(line) if line.strip() else np.nan for line in lines])
    except (OSError, ValueError) as reason:
        raise ResultsError(f"{file}: cannot be read as a score per frame ({reason})") from reason
    if not len(sequence) <= len(scores) <= len(sequence) + 1:
        raise ResultsError(f"{file}: {len(scores)} scores for {len(sequence)} frames")
    return boxes, scores[: len(sequence)], times


def read_anchor(path: Path, sequence: Sequence, anchor: int, direction: int) -> AnchorRun:
    """Read the run from an anchor.

    Raises:
        ResultsError: If the file does not fit the run.
    """
    count = len(sequence) - anchor if direction > 0 else anchor + 1
    _, boxes, times, masks = read_regions(path, count)
    if boxes.shape[1] == 4:
        boxes[0] = sequence.boxes[anchor]
    return AnchorRun(anchor, direction, boxes, times, None if sequence.masks is None else masks)


def read_binary(path: Path) -> list[Row]:
    """Return what each frame has: a code alone, a box, a polygon, or a mask.

    Raises:
        ResultsError: If the file cannot be read, is cut short, or holds something else; the message
            names the frame.
    """
    try:
        data = bytes_of(path)
    except OSError as reason:
        raise ResultsError(f"{path}: cannot be read ({reason.strerror})") from reason
    bytes_ = _Reader(data)
    rows: list[Row] = []
    try:
        version, count = map(int, bytes_.take("hI"))
        if version != VERSION:
            raise ResultsError(
                f"{path}: begins with {version}, expected {VERSION}, the version of the VOT "
                "toolkit's trajectories; text results end in .txt"
            )
        for _ in range(count):
            rows.append(_region(bytes_))
    except (struct.error, ValueError) as reason:
        raise ResultsError(f"{path}, frame {len(rows) + 1}: not a region ({reason})") from reason
    if bytes_.left:
        raise ResultsError(f"{path}: {bytes_.left} bytes too long for its {count} frames")
    return rows


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, kinds: str) -> tuple[float, ...]:
        values = struct.unpack_from(f"<{kinds}", self.data, self.at)
        self.at += struct.calcsize(f"<{kinds}")
        return values

    @property
    def left(self) -> int:
        return len(self.data) - self.at


def _region(data: _Reader) -> Row:
    (kind,) = data.take("B")
    if kind == _CODE:
        (code,) = data.take("I")
        if code in CODES:
            return [code]
        raise ValueError(f"the code {code}, expected 0, 1 or 2")
    if kind in (_RECTANGLE, _POLYGON):
        corners = int(data.take("H")[0]) if kind == _POLYGON else 2
        numbers = list(data.take(f"{2 * corners}f"))
        if (corners > 2 or kind == _RECTANGLE) and all(map(math.isfinite, numbers)):
            return numbers
        raise ValueError(f"the numbers {numbers}")
    if kind == _MASK:
        left, top, width, height, count = map(int, data.take("hhHHH"))
        runs = [int(run) for run in data.take(f"{count}H")]
        return runs_mask(left, top, width, height, runs)
    raise ValueError(f"kind {kind}, expected a code, a box, a polygon or a mask: 0 to 3")
