"""The binary trajectories of the VOT toolkit, `NAME_001.bin`.

All numbers are little-endian. A version (int16, 1) and a number of frames (uint32) come first, then
for each frame a kind (one byte) and: 0, a code (uint32); 1, left, top, width, height (float32);
2, a number of corners (uint16) and their x, y (float32); 3, a mask: left, top (int16), width,
height, number of runs (uint16) and the runs (uint16), row by row, beginning with one outside the
target; 4, a point (float32).
"""

from __future__ import annotations

import math
import struct
from pathlib import Path

from siamtrack.core.files import bytes_of
from siamtrack.data.benchmarks.votmask import runs_box
from siamtrack.errors import ResultsError

VERSION = 1
CODES = (0, 1, 2)
"""What may stand for a region: nothing ran, a start, a failure."""
_CODE, _RECTANGLE, _POLYGON, _MASK = range(4)


def read_binary(path: Path) -> list[list[float]]:
    """Return what each frame has: a code alone, a box, a polygon, or the box around a mask.

    Raises:
        ResultsError: If the file cannot be read, is cut short, or holds something else; the message
            names the frame.
    """
    try:
        data = bytes_of(path)
    except OSError as reason:
        raise ResultsError(f"{path}: cannot be read ({reason.strerror})") from reason
    bytes_ = _Reader(data)
    rows: list[list[float]] = []
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


def _region(data: _Reader) -> list[float]:
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
        return [float(value) for value in runs_box(left, top, width, height, runs)]
    raise ValueError(f"kind {kind}, expected a code, a box, a polygon or a mask: 0 to 3")
