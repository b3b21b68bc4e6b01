"""Text as in the OTB benchmark."""

from __future__ import annotations

import math
from contextlib import ExitStack
from io import FileIO
from pathlib import Path

from siamtrack.core.writing import append
from siamtrack.sinks.base import SINKS, Sink, decimals, one_based
from siamtrack.sinks.draw import TrackLike
from siamtrack.video import Frame

_MISSING = decimals([math.nan] * 4) + "\n"


@SINKS.register("otb")
class OtbSink(Sink):
    """OTB text: left, top, width, height with pixels from 1, one line per frame and no header.

    The first target goes to the file itself, the others to files with _2, _3, ... in their names.
    Frames in which a target is missing get a line of NaN.
    """

    def __init__(self, path: Path, *, overwrite: bool, fps: float | None) -> None:
        super().__init__(path, overwrite=overwrite, fps=fps)
        self._files: dict[int, FileIO] = {}
        self._written = 0

    def _start(self, frame: Frame) -> None:
        self._first = self._open_lines(self.path)

    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None:
        present = {track.id: track for track in tracks}
        for number in present:
            if number not in self._files:
                self._files[number] = self._file_of_next()
        for number, file in self._files.items():
            track = present.get(number)
            line = _MISSING if track is None else decimals(one_based(track)) + "\n"
            append(file, line.encode())
        if not self._files:
            append(self._first, _MISSING.encode())
        self._written += 1

    def _file_of_next(self) -> FileIO:
        """Return the file for the next target, which was missing in all frames so far."""
        if not self._files:
            return self._first
        file = self._open_lines(numbered(self.path, len(self._files) + 1))
        append(file, (_MISSING * self._written).encode())
        return file

    def _finish(self) -> None:
        with ExitStack() as stack:
            for file in (self._first, *self._files.values()):
                stack.callback(file.close)


def numbered(path: Path, number: int) -> Path:
    """Return the file of the n-th target, from 2.

    Example:
        >>> numbered(Path("a.txt"), 2).name
        'a_2.txt'
    """
    return path.with_name(f"{path.stem}_{number}{path.suffix}")
