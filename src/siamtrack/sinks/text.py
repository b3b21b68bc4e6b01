"""Text that is complete after every line: CSV, JSON lines, MOTChallenge and OTB."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from io import FileIO
from pathlib import Path
from typing import Any

from siamtrack.core.writing import append
from siamtrack.sinks.base import SINKS, Sink, box_of, is_there, json_number, mask_of
from siamtrack.sinks.draw import TrackLike
from siamtrack.video import Frame


class TextSink(Sink):
    """A text file that is complete after every line."""

    header = ""
    """First line; empty: none."""

    def _start(self, frame: Frame) -> None:
        self._file = self._open_lines(self.path)
        if header := self._header():
            self._lines([header])

    def _header(self) -> str:
        return self.header

    def _lines(self, lines: Iterable[str]) -> None:
        append(self._file, "".join(line + "\n" for line in lines).encode())

    def _finish(self) -> None:
        self._file.close()


@SINKS.register("csv")
class CsvSink(TextSink):
    """Comma-separated values with a header, one line per track; boxes are 0-based.

    Where targets have names or classes, there are the columns `name` and `class` at the end.
    """

    header = "frame,time,id,left,top,width,height,score,state"

    def _header(self) -> str:
        return csv_header(self.labels, self.classes)

    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None:
        self._lines(csv_lines(frame, tracks, self.labels, self.classes))


def csv_header(names: Mapping[int, str], classes: Mapping[int, str]) -> str:
    """Return the header: with `name` and `class` if any target has either."""
    return CsvSink.header + (",name,class" if names or classes else "")


def csv_lines(
    frame: Frame,
    tracks: Iterable[TrackLike],
    names: Mapping[int, str] | None = None,
    classes: Mapping[int, str] | None = None,
) -> list[str]:
    """Return a line for each track of a frame.

    Args:
        frame: The frame.
        tracks: What is in it.
        names: Id of a target to its name.
        classes: Id of a target to its class.
    """
    time = "" if frame.time is None else f"{frame.time:.6f}"
    return [
        f"{frame.index},{time},{track.id},{_decimals(box_of(track))},"
        f"{track.score:.4f},{track.state.value}"
        + "".join(
            f",{_quoted(each.get(int(track.id), ''))}" for each in (names or {}, classes or {})
        )
        * bool(names or classes)
        for track in tracks
    ]


def _quoted(text: str) -> str:
    """Return a value of CSV."""
    plain = not any(letter in text for letter in ',"\r\n')
    return text if plain else '"' + text.replace('"', '""') + '"'


@SINKS.register("jsonl")
class JsonLinesSink(TextSink):
    """One JSON object per track and line; boxes are 0-based left, top, width, height.

    Targets that have a name or a class have `name` or `class`; those with a mask have `mask`, run
    lengths as in COCO, and `rotated`, the corners of the least rectangle.
    """

    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None:
        rows = [
            {
                "frame": int(frame.index),
                "time": None if frame.time is None else round(float(frame.time), 6),
                "id": int(track.id),
                "box": [json_number(value) for value in box_of(track)],
                "score": json_number(track.score),
                "state": track.state.value,
                **{
                    key: values[int(track.id)]
                    for key, values in (("name", self.labels), ("class", self.classes))
                    if int(track.id) in values
                },
                **_mask_fields(track),
            }
            for track in tracks
        ]
        self._lines(json.dumps(row, allow_nan=False) for row in rows)


def _mask_fields(track: TrackLike) -> dict[str, Any]:
    mask = mask_of(track)
    rotated = None if mask is None else mask.rotated()
    if mask is None or rotated is None:
        return {}
    corners = [[json_number(value) for value in corner] for corner in rotated.corners]
    return {"mask": mask.rle(), "rotated": corners}


@SINKS.register("mot")
class MotSink(TextSink):
    """MOTChallenge text, frames and pixels from 1; lost targets are left out.

    frame, id, left, top, width, height, score, and -1 three times; ids are the tracks' own. Where
    targets have classes, the last three are the number of the class, from 1, and a visibility of 1,
    as in ground truth; `NAME_labels.txt` beside the file names the classes, one a line.
    """

    def _start(self, frame: Frame) -> None:
        super()._start(frame)
        self._named: FileIO | None = None
        self._known = 0
        if self.classes:
            self._named = self._open_lines(labels_file(self.path))
            self._name()

    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None:
        there = [track for track in tracks if is_there(track)]
        lasts = ["-1,-1,-1"] * len(there)
        if self._named is not None:
            lasts = [f"{self.category(int(track.id)) + 1},1" for track in there]
            self._name()
        self._lines(
            f"{frame.index + 1},{track.id},{_decimals(_one_based(track))},{track.score:.4f},{last}"
            for track, last in zip(there, lasts, strict=True)
        )

    def _name(self) -> None:
        """Add the classes that are new to the file that names them."""
        assert self._named is not None
        for name in self.categories[self._known :]:
            append(self._named, (" ".join(name.split()) + "\n").encode())
        self._known = len(self.categories)

    def _finish(self) -> None:
        super()._finish()
        if self._named is not None:
            self._named.close()


def labels_file(path: Path) -> Path:
    """Return the file that names the classes of a MOT file.

    Example:
        >>> labels_file(Path("mot.txt")).name
        'mot_labels.txt'
    """
    return path.with_name(f"{path.stem}_labels.txt")


@SINKS.register("otb")
class OtbSink(Sink):
    """OTB text: left, top, width, height with pixels from 1, one line per frame and no header.

    The first target goes to the file itself, the others to files with _2, _3, ... in their names.
    Frames in which a target is missing get a line of NaN.
    """

    missing = b"nan,nan,nan,nan\n"

    def __init__(self, path: Path, *, overwrite: bool, fps: float | None) -> None:
        super().__init__(path, overwrite=overwrite, fps=fps)
        self._files: dict[int, FileIO] = {}
        self._begun: set[int] = set()
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
            first = number not in self._begun
            line = f"{self._line(track, first)}\n".encode() if track else self.missing
            self._begun |= {number} if track else set()
            append(file, line)
        if not self._files:
            append(self._first, self.missing)
        self._written += 1

    def _file_of_next(self) -> FileIO:
        """Return the file for the next target, which was missing in all frames so far."""
        if not self._files:
            return self._first
        file = self._open_lines(numbered(self.path, len(self._files) + 1))
        append(file, self.missing * self._written)
        return file

    def _line(self, track: TrackLike, first: bool) -> str:
        """Return the line of a target; `first`: it starts here."""
        return _decimals(_one_based(track))

    def _finish(self) -> None:
        with ExitStack() as stack:
            for file in (self._first, *self._files.values()):
                stack.callback(file.close)


@SINKS.register("vot")
class VotSink(OtbSink):
    """VOT's text of regions, 0-based: one line per frame, files as those of OTB.

    A mask is `m` with left, top, width and height of its window and run lengths row by row, zeros
    first; a target without a mask is left, top, width, height. The frame in which a target starts
    is 1, as the protocol has it, and one in which it is lost or missing 0.
    """

    missing = b"0\n"

    def _line(self, track: TrackLike, first: bool) -> str:
        if first or not is_there(track):
            return "1" if first else "0"
        mask = mask_of(track)
        return _decimals(box_of(track)) if mask is None else mask.vot()


@SINKS.register("vot-rotated")
class VotRotatedSink(VotSink):
    """As `vot`, with the corners of the least rectangle around a mask: x and y of the four."""

    def _line(self, track: TrackLike, first: bool) -> str:
        mask = mask_of(track)
        rotated = None if mask is None or first or not is_there(track) else mask.rotated()
        return super()._line(track, first) if rotated is None else _decimals(rotated.corners.flat)


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
