"""Text that is complete after every line: CSV, JSON lines, MOTChallenge and OTB."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack
from io import FileIO
from pathlib import Path

from siamtrack.core.writing import append
from siamtrack.sinks.base import SINKS, Sink, box_of, is_there, json_number
from siamtrack.sinks.draw import TrackLike
from siamtrack.video import Frame

_MISSING = b"nan,nan,nan,nan\n"
"""The line of OTB text for a frame in which a target is missing."""


class TextSink(Sink):
    """A text file that is complete after every line."""

    header = ""
    """First line; empty: none."""

    def _start(self, frame: Frame) -> None:
        self._file = self._open_lines(self.path)
        if self.header:
            self._lines([self.header])

    def _lines(self, lines: Iterable[str]) -> None:
        append(self._file, "".join(line + "\n" for line in lines).encode())

    def _finish(self) -> None:
        self._file.close()


@SINKS.register("csv")
class CsvSink(TextSink):
    """Comma-separated values with a header, one line per track; boxes are 0-based."""

    header = "frame,time,id,left,top,width,height,score,state"

    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None:
        self._lines(csv_lines(frame, tracks))


def csv_lines(frame: Frame, tracks: Iterable[TrackLike]) -> list[str]:
    """Return a line for each track of a frame."""
    time = "" if frame.time is None else f"{frame.time:.6f}"
    return [
        f"{frame.index},{time},{track.id},{_decimals(box_of(track))},"
        f"{track.score:.4f},{track.state.value}"
        for track in tracks
    ]


@SINKS.register("jsonl")
class JsonLinesSink(TextSink):
    """One JSON object per track and line; boxes are 0-based left, top, width, height."""

    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None:
        rows = [
            {
                "frame": int(frame.index),
                "time": None if frame.time is None else round(float(frame.time), 6),
                "id": int(track.id),
                "box": [json_number(value) for value in box_of(track)],
                "score": json_number(track.score),
                "state": track.state.value,
            }
            for track in tracks
        ]
        self._lines(json.dumps(row, allow_nan=False) for row in rows)


@SINKS.register("mot")
class MotSink(TextSink):
    """MOTChallenge text, frames and pixels from 1; lost targets are left out.

    frame, id, left, top, width, height, score, and -1 three times; ids are the tracks' own.
    """

    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None:
        self._lines(
            f"{frame.index + 1},{track.id},{_decimals(_one_based(track))},"
            f"{track.score:.4f},-1,-1,-1"
            for track in tracks
            if is_there(track)
        )


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
            line = f"{_decimals(_one_based(track))}\n".encode() if track else _MISSING
            append(file, line)
        if not self._files:
            append(self._first, _MISSING)
        self._written += 1

    def _file_of_next(self) -> FileIO:
        """Return the file for the next target, which was missing in all frames so far."""
        if not self._files:
            return self._first
        file = self._open_lines(numbered(self.path, len(self._files) + 1))
        append(file, _MISSING * self._written)
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


def _decimals(values: Iterable[float]) -> str:
    return ",".join(f"{value:.3f}" for value in values)


def _one_based(track: TrackLike) -> list[float]:
    """Return left, top, width, height where pixels count from 1."""
    left, top, width, height = box_of(track)
    return [left + 1.0, top + 1.0, width, height]
