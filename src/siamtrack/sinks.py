"""Sinks: where tracks go. Annotated video, CSV, JSON lines, MOT, COCO and OTB files."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from fractions import Fraction
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import av
import cv2
import numpy as np
from av.error import FFmpegError

from siamtrack.draw import TrackLike, draw_tracks
from siamtrack.errors import VideoError
from siamtrack.registry import Registry
from siamtrack.video import Frame

DEFAULT_FPS = 25.0
"""Rate of written videos where none is given."""


class Sink(ABC):
    """A file that takes the tracks of one frame after another. Made by `open_sink`.

    Args:
        path: The file.
        overwrite: Whether files that exist may be replaced.
        fps: Frames per second, where the format needs it.
    """

    def __init__(self, path: Path, *, overwrite: bool, fps: float | None) -> None:
        self.path = path
        self.fps = fps
        self._overwrite = overwrite
        self._closed = False
        self._check(path)

    def write(self, frame: Frame, tracks: Iterable[TrackLike]) -> None:
        """Write the tracks of a frame.

        Raises:
            ValueError: If the sink is closed.
        """
        if self._closed:
            raise ValueError(f"{self.path} is closed: write before close, or open another sink")
        self._write(frame, list(tracks))

    def close(self) -> None:
        """Finish the file; further calls do nothing."""
        if not self._closed:
            self._closed = True
            self._finish()

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None: ...

    @abstractmethod
    def _finish(self) -> None: ...

    def _check(self, path: Path) -> None:
        """Raise unless `path` may be written."""
        if not path.parent.is_dir():
            raise FileNotFoundError(f"folder {path.parent} of {path.name} does not exist: make it")
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder: give the name of a file")
        if path.exists() and not self._overwrite:
            raise FileExistsError(f"{path} exists: choose another name, or allow to overwrite it")

    def _open_text(self, path: Path) -> TextIO:
        self._check(path)
        return path.open("w" if self._overwrite else "x", encoding="utf-8", newline="\n")


SINKS: Registry[Callable[..., Sink]] = Registry("output format")
"""Name of a format to a callable like the class `Sink`."""

_FORMATS = {".mp4": "mp4", ".csv": "csv", ".jsonl": "jsonl", ".json": "coco"}


def open_sink(
    path: str | PathLike[str],
    *,
    overwrite: bool = False,
    format: str | None = None,
    fps: float | None = None,
) -> Sink:
    """Open a file for tracks.

    Args:
        path: The file; its folder must exist.
        overwrite: Whether a file that exists may be replaced.
        format: Name in `SINKS`: mp4, csv, jsonl, mot, coco or otb. None: by the suffix .mp4, .csv,
            .jsonl or .json (COCO).
        fps: Frames per second of an annotated video; None means 25.

    Raises:
        FileExistsError: If the file exists and `overwrite` is false.
        FileNotFoundError: If the folder does not exist.
        ValueError: If the suffix does not tell the format, or `fps` is not positive.
        UnknownNameError: If no format is called `format`.
    """
    path = Path(path)
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"fps {fps}: expected a positive number")
    if format is None:
        format = _FORMATS.get(path.suffix.lower())
    if format is None:
        raise ValueError(
            f"{path.name}: the suffix {path.suffix!r} does not tell the format; use one of "
            f"{', '.join(_FORMATS)}, or give the format: {', '.join(SINKS)}"
        )
    return SINKS[format](path, overwrite=overwrite, fps=fps)


class _TextSink(Sink):
    """A text file that is complete after every line."""

    def __init__(self, path: Path, *, overwrite: bool, fps: float | None) -> None:
        super().__init__(path, overwrite=overwrite, fps=fps)
        self._file = self._open_text(path)

    def _line(self, text: str) -> None:
        self._file.write(text + "\n")
        self._file.flush()

    def _finish(self) -> None:
        self._file.close()


@SINKS.register("csv")
class CsvSink(_TextSink):
    """Comma-separated values with a header; boxes are 0-based."""

    def __init__(self, path: Path, *, overwrite: bool, fps: float | None) -> None:
        super().__init__(path, overwrite=overwrite, fps=fps)
        self._line("frame,time,id,left,top,width,height,score,state")

    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None:
        time = "" if frame.time is None else f"{frame.time:.6f}"
        for track in tracks:
            box = ",".join(f"{v:.3f}" for v in _box(track))
            score = f"{track.score:.4f}"
            self._line(f"{frame.index},{time},{track.id},{box},{score},{track.state.value}")


@SINKS.register("jsonl")
class JsonLinesSink(_TextSink):
    """One JSON object per track and line; boxes are 0-based left, top, width, height."""

    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None:
        for track in tracks:
            row = {
                "frame": frame.index,
                "time": frame.time,
                "id": track.id,
                "box": _numbers(track),
                "score": _number(track.score),
                "state": track.state.value,
            }
            self._line(json.dumps(row, allow_nan=False))


@SINKS.register("mot")
class MotSink(_TextSink):
    """MOTChallenge text, frames and pixels from 1; lost targets are left out."""

    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None:
        for track in tracks:
            if track.state.value != "lost":
                box = ",".join(f"{v:.3f}" for v in _one_based(track))
                self._line(f"{frame.index + 1},{track.id},{box},{track.score:.4f},-1,-1,-1")


@SINKS.register("otb")
class OtbSink(Sink):
    """OTB text: left, top, width, height with pixels from 1, one line per frame and no header.

    The first target goes to the file itself, the others to files with _2, _3, ... in their names.
    Frames in which a target is missing get a line of NaN.
    """

    def __init__(self, path: Path, *, overwrite: bool, fps: float | None) -> None:
        super().__init__(path, overwrite=overwrite, fps=fps)
        self._files = [self._open_text(path)]
        self._order: list[int] = []
        self._lines = 0

    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None:
        present = {track.id: track for track in tracks}
        for number in present:
            if number not in self._order:
                self._add(number)
        for number, file in zip(self._order, self._files, strict=False):
            track = present.get(number)
            values = [math.nan] * 4 if track is None else _one_based(track)
            file.write(_otb_line(values))
            file.flush()
        if self._order:
            self._lines += 1
        else:
            self._files[0].write(_otb_line([math.nan] * 4))
            self._files[0].flush()
            self._lines += 1

    def _add(self, number: int) -> None:
        if self._order:
            name = f"{self.path.stem}_{len(self._order) + 1}{self.path.suffix}"
            file = self._open_text(self.path.with_name(name))
            file.write(_otb_line([math.nan] * 4) * self._lines)
            self._files.append(file)
        self._order.append(number)

    def _finish(self) -> None:
        for file in self._files:
            file.close()


@SINKS.register("coco")
class CocoSink(Sink):
    """COCO JSON for one video, written at close; boxes are 0-based, lost targets are left out."""

    def __init__(self, path: Path, *, overwrite: bool, fps: float | None) -> None:
        super().__init__(path, overwrite=overwrite, fps=fps)
        self._file = self._open_text(path)
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []

    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None:
        height, width = frame.image.shape[:2]
        image = len(self._images) + 1
        self._images.append(
            {
                "id": image,
                "video_id": 1,
                "frame_id": frame.index,
                "file_name": f"{frame.index:06d}.jpg",
                "width": width,
                "height": height,
            }
        )
        for track in tracks:
            box = _box(track)
            if track.state.value == "lost" or not all(map(math.isfinite, box)):
                continue
            self._annotations.append(
                {
                    "id": len(self._annotations) + 1,
                    "image_id": image,
                    "video_id": 1,
                    "track_id": track.id,
                    "category_id": 1,
                    "bbox": _numbers(track),
                    "area": round(box[2] * box[3], 3),
                    "iscrowd": 0,
                    "score": _number(track.score),
                }
            )

    def _finish(self) -> None:
        with self._file:
            json.dump(
                {
                    "videos": [{"id": 1, "name": self.path.stem}],
                    "images": self._images,
                    "annotations": self._annotations,
                    "categories": [{"id": 1, "name": "object"}],
                },
                self._file,
                allow_nan=False,
            )


@SINKS.register("mp4")
class Mp4Sink(Sink):
    """Annotated H.264 video; frames of another size than the first are resized to it.

    Raises:
        VideoError: From `write`, if FFmpeg cannot encode. No file is made if nothing is written.
    """

    def __init__(self, path: Path, *, overwrite: bool, fps: float | None) -> None:
        super().__init__(path, overwrite=overwrite, fps=fps)
        self._size: tuple[int, int] | None = None
        self._container: Any = None
        self._stream: Any = None

    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None:
        picture = draw_tracks(frame.image, tracks)
        height, width = picture.shape[:2]
        if self._size is None:
            self._size = (width, height)
            self._start(width + width % 2, height + height % 2)
        if (width, height) != self._size:
            picture = np.asarray(cv2.resize(picture, self._size), dtype=np.uint8)
        height, width = picture.shape[:2]
        if height % 2 or width % 2:
            picture = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        self._encode(av.VideoFrame.from_ndarray(picture, format="rgb24"))

    def _start(self, width: int, height: int) -> None:
        rate = Fraction(self.fps or DEFAULT_FPS).limit_denominator(1001)
        try:
            self._container = av.open(
                str(self.path.absolute()), "w", format="mp4", options={"movflags": "+faststart"}
            )
            self._stream = self._container.add_stream("libx264", rate=rate)
            self._stream.width, self._stream.height = width, height
            self._stream.pix_fmt = "yuv420p"
        except (FFmpegError, ValueError) as error:
            raise VideoError(f"{self.path} cannot be written as H.264 video: {error}") from error

    def _encode(self, picture: av.VideoFrame | None) -> None:
        try:
            for packet in self._stream.encode(picture):
                self._container.mux(packet)
        except (FFmpegError, ValueError) as error:
            raise VideoError(f"{self.path} cannot be written as H.264 video: {error}") from error

    def _finish(self) -> None:
        if self._container is None:
            return
        try:
            if self._stream is not None:
                self._encode(None)
        finally:
            self._container.close()


def _box(track: TrackLike) -> list[float]:
    """Return left, top, width, height as plain numbers."""
    return [float(value) for value in track.box]


def _one_based(track: TrackLike) -> list[float]:
    """Return left, top, width, height where pixels count from 1."""
    left, top, width, height = _box(track)
    return [left + 1.0, top + 1.0, width, height]


def _number(value: float) -> float | None:
    """Return a number for JSON, which knows no NaN."""
    return round(float(value), 4) if math.isfinite(value) else None


def _numbers(track: TrackLike) -> list[float | None]:
    return [_number(value) for value in _box(track)]


def _otb_line(values: list[float]) -> str:
    return ",".join(f"{value:.3f}" for value in values) + "\n"
