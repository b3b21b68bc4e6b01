"""What all sinks share, and a sink that does not hold up who writes to it."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from io import FileIO
from pathlib import Path
from typing import ClassVar, TextIO

from siamtrack.core.masks import Mask
from siamtrack.core.overlap import Behind
from siamtrack.core.registry import Registry
from siamtrack.core.writing import clear_parts, naming, refuse_existing, replacing
from siamtrack.sinks.draw import TrackLike
from siamtrack.video import Frame

TOLERANCE = 0.5
"""Pixels by which outlines in files may be off the mask, with a tenth of the corners."""
MARGIN = 1 << 16
"""Bytes that stay free beside what finishing a file needs, for buffers."""


class Sink(ABC):
    """A file that takes the tracks of one frame after another. Made by `open_sink`.

    The file is made with the first frame: a run that fails before it leaves what was there. A file
    that replaces another is written beside it and takes its place in `close`; until then, and if
    the process is killed, the old one stays. After `close`, and also after an exception inside the
    `with` block, it is whole and holds all frames so far. Formats that are complete only after
    `close` take no further frame once the disk has less room than that needs.

    Args:
        path: The file.
        overwrite: Whether files that exist may be replaced.
        fps: Frames per second, where the format needs it.

    Attributes:
        title: What the file calls the video, where it does; by default the file's own name.
        labels: Id of a target to its name, such as "Anna". Fill this and the next three before the
            first frame.
        classes: Id of a target to its class, such as "person". The class of a target that has none
            is its name, and "object" without a name.
        categories: Classes in the order of their numbers, where the format numbers them; others
            follow as they come.
        colors: Id of a target to RGB, for pictures.
    """

    needs_masks: ClassVar[bool] = False
    """Whether the format holds nothing but masks: targets without one are left out."""
    slow: ClassVar[bool] = False
    """Whether writing a frame takes as long as tracking it, most of it outside Python; the command
    line then writes in a thread of its own."""

    def __init__(self, path: Path, *, overwrite: bool, fps: float | None) -> None:
        self.path = path
        self.fps = fps
        self.title = path.stem
        self.labels: dict[int, str] = {}
        self.classes: dict[int, str] = {}
        self.categories: list[str] = []
        self.colors: dict[int, tuple[int, int, int]] = {}
        self._overwrite = overwrite
        self._started = False
        self._closed = False
        self._replaced = contextlib.ExitStack()  # what waits until the file is whole
        self._replaces = False
        self._check(path)

    @property
    def colours(self) -> dict[int, tuple[int, int, int]]:
        """As `colors`, by its name in version 0.1."""
        return self.colors

    def write(self, frame: Frame, tracks: Iterable[TrackLike]) -> None:
        """Write the tracks of a frame.

        Raises:
            ValueError: If the sink is closed.
            FileExistsError: If the file was made by another meanwhile and must not be replaced.
            OSError: If the disk is full; the frames before stay.
            VideoError: If it is a video and FFmpeg cannot encode it.
        """
        if self._closed:
            raise ValueError(f"{self.path} is closed: write before close, or open another sink")
        with naming(self.path, f"the frames before {frame.index} stay"):
            # Measured on a disk that fills: without this, COCO, CVAT, YOLO and MP4 are unreadable.
            needed = self._needed(frame)
            if needed and shutil.disk_usage(self.path.parent).free < needed + MARGIN:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            # Make the file with the first frame; what fails leaves nothing behind.
            if not self._started:
                with contextlib.ExitStack() as undo:
                    undo.push(self._replaced)
                    self._start(frame)
                    undo.pop_all()
                self._started = True
            self._write(frame, list(tracks))

    def close(self) -> None:
        """Finish the file; further calls do nothing."""
        if not self._closed:
            self._closed = True
            if self._started:
                kept = "what it held before stays" if self._replaces else "it is not whole"
                with naming(self.path, kept), self._replaced:
                    self._finish()

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def class_of(self, number: int) -> str:
        """Return the class of a target: as given, otherwise its name, otherwise "object"."""
        return self.classes.get(number) or self.labels.get(number) or "object"

    def name_of(self, number: int) -> str:
        """Return the name of a target that has a class as well; empty if it has not both."""
        name = self.labels.get(number, "")
        return "" if name == self.class_of(number) else name

    def category(self, number: int) -> int:
        """Return the place of a target's class in `categories`, from 0."""
        name = self.class_of(number)
        if name not in self.categories:
            self.categories.append(name)
        return self.categories.index(name)

    @abstractmethod
    def _start(self, frame: Frame) -> None:
        """Make the file; `frame` is the first one. Leave nothing open on failure."""

    @abstractmethod
    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None:
        """Add the tracks of a frame."""

    @abstractmethod
    def _finish(self) -> None:
        """Complete the file after `_start`."""

    def _needed(self, frame: Frame) -> int:
        """Return how many bytes `_finish` will write at most, this frame included."""
        return 0

    def _check(self, path: Path) -> None:
        """Raise unless `path` may be written."""
        if not path.parent.is_dir():
            raise FileNotFoundError(f"folder {path.parent} of {path.name} does not exist: make it")
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder: give the name of a file")
        refuse_existing(path, self._overwrite)

    def _place(self, path: Path) -> Path:
        """Return where to write a file: beside the one that it replaces, else in its place."""
        self._check(path)
        if not path.is_file():  # none, or a device or pipe
            return path
        target = path.resolve()
        clear_parts(target.parent, target.name)
        self._replaces = True
        return self._replaced.enter_context(replacing(target))

    def _open_text(self, path: Path) -> TextIO:
        place = self._place(path)
        return place.open("w" if self._overwrite else "x", encoding="utf-8", newline="\n")

    def _open_lines(self, path: Path) -> FileIO:
        """Open a file for `append`."""
        return self._place(path).open("wb" if self._overwrite else "xb", buffering=0)


SINKS: Registry[Callable[..., Sink]] = Registry("output format", "siamtrack.sinks")
"""Name of a format to a callable like the class `Sink`."""


def box_of(track: TrackLike) -> list[float]:
    """Return left, top, width, height as plain numbers."""
    return [float(value) for value in track.box]


def is_there(track: TrackLike) -> bool:
    """Whether a track says where its target is: it is not lost, and its box is finite."""
    return track.state.value != "lost" and all(map(math.isfinite, box_of(track)))


def mask_of(track: TrackLike) -> Mask | None:
    """Return the mask of a track; None if it has none, or an empty one."""
    mask: Mask | None = getattr(track, "mask", None)
    return mask if mask is not None and mask.area else None


def flat_polygons(mask: Mask) -> list[list[float]]:
    """Return the outlines of a mask as COCO has them, x, y, x, y, ..., to half a pixel."""
    outlines = mask.polygons(TOLERANCE) or mask.polygons()
    return [[round(value, 2) for value in each.ravel().tolist()] for each in outlines]


def json_number(value: float) -> float | None:
    """Return a number for JSON, which knows no NaN."""
    return round(float(value), 4) if math.isfinite(value) else None


DEPTH = 4
"""Frames that wait for a slow sink at most; each is held in memory."""


class BehindSink:
    """Hands frames to a sink; one that is `slow` writes in a thread of its own.

    The first frame is always written at once, so that a file that cannot be made is refused before
    more is tracked. What goes wrong later is raised by the next `write`, or by `close`. `close`
    writes all frames that wait, so that every file has every frame.

    Args:
        sink: From `siamtrack.sinks.open_sink`; it is closed with this.

    Attributes:
        busy: Seconds that writing and finishing took, in whichever thread. Complete after `close`.
    """

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self._direct = 0.0
        self._behind: Behind[tuple[Frame, list[TrackLike]]] | None = None
        self._begun = False

    @property
    def busy(self) -> float:
        """Seconds that writing took so far."""
        return self._direct + (0.0 if self._behind is None else self._behind.busy)

    def write(self, frame: Frame, tracks: Iterable[TrackLike]) -> None:
        """Write the tracks of a frame now or soon; neither may be changed afterwards.

        Raises:
            Exception: As `Sink.write`, for this frame or one before it.
        """
        if self._begun and getattr(self.sink, "slow", False):
            if self._behind is None:
                self._behind = Behind(lambda item: self.sink.write(*item), DEPTH)
            self._behind.put((frame, list(tracks)))
            return
        clock = time.perf_counter()
        self.sink.write(frame, tracks)
        self._begun = True
        self._direct += time.perf_counter() - clock

    def close(self) -> None:
        """Write what waits and finish the file; further calls do nothing.

        Raises:
            Exception: As `Sink.write` and `Sink.close`; the file is finished all the same.
        """
        try:
            if self._behind is not None:
                self._behind.close()
        finally:
            clock = time.perf_counter()
            self.sink.close()
            self._direct += time.perf_counter() - clock

    def __enter__(self) -> BehindSink:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
