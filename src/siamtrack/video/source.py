"""What all sources share: a frame, the chosen span of frames, and the object that users iterate."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from numbers import Integral
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from siamtrack.core.config import shown
from siamtrack.core.images import Image
from siamtrack.core.overlap import Ahead
from siamtrack.errors import VideoError

Planes = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]
"""Y (H, W), U and V (H / 2, W / 2): video of 4:2:0 as BT.601 has it, in the limited range."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a source.

    Attributes:
        index: Position in the source, from 0, whatever the start and the stride are.
        time: Seconds since the first frame of the source; None where it has no clock (images).
        image: uint8 RGB (H, W, 3).
        planes: What `image` was converted from, read-only, where that was asked for and is of this
            kind. Annotated videos are made of it, so it goes with an image that nobody changes.
    """

    index: int
    time: float | None
    image: Image
    planes: Planes | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Span:
    """The frames to take from a source: start, start + stride, ... below `end`.

    Example:
        >>> span = Span(start=2, end=9, stride=3)
        >>> [index for index in range(20) if span.wants(index)], span.count(20), span.count(6)
        ([2, 5, 8], 3, 2)
    """

    start: int = 0
    end: int | None = None
    stride: int = 1

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ValueError: If one is no whole number, `start` is negative, `end` is not above `start`,
                or `stride` is below 1.
        """
        for name in ("start", "end", "stride"):
            value = getattr(self, name)
            whole = isinstance(value, Integral) and not isinstance(value, bool)
            if (value is not None or name != "end") and not (whole and abs(value) < 2**62):
                raise ValueError(f"{name} {shown(value)}: expected a whole number of frames")
        if self.start < 0:
            raise ValueError(f"start {self.start}: expected 0 or more; frames count from 0")
        if self.end is not None and self.end <= self.start:
            raise ValueError(
                f"end {self.end} with start {self.start}: expected an end above the start; "
                "the end itself is not taken"
            )
        if self.stride < 1:
            raise ValueError(f"stride {self.stride}: expected 1 or more; 1 takes every frame")

    def wants(self, index: int) -> bool:
        """Whether frame `index` belongs to the span."""
        inside = self.start <= index and (self.end is None or index < self.end)
        return inside and (index - self.start) % self.stride == 0

    def is_last(self, index: int) -> bool:
        """Whether no frame after `index` belongs to the span."""
        return self.end is not None and index + self.stride >= self.end

    def count(self, total: int) -> int:
        """How many frames of a source with `total` frames belong to the span."""
        end = total if self.end is None else min(self.end, total)
        return len(range(self.start, end, self.stride))


class Reader(Protocol):
    """One kind of source: what `VideoSource` asks of it."""

    name: str
    """How messages call the source."""
    total: int | None
    """Number of frames, as far as the source tells."""
    fps: float | None
    """Frames per second."""
    size: tuple[int, int] | None
    """Width and height in pixels, upright."""
    live: bool
    """Whether frames come at their own pace and are lost when nobody takes them."""

    def frames(self, span: Span) -> Iterator[Frame]:
        """Yield the frames of `span` in order."""
        ...

    def close(self) -> None:
        """Give back what the reader holds; while frames are read, as soon as that is safe."""
        ...


class VideoSource:
    """Frames of a video, camera, stream, image folder or iterable. Made by `open_video`.

    Iterate it for `Frame` objects; it is a context manager that closes the source. It never holds
    more than a few frames. Files and folders can be iterated again; cameras, streams and generators
    continue where they are.

    Attributes:
        name: How messages call the source.
        fps: Frames per second of the source, before the stride; None if unknown.
        size: Width and height of the frames in pixels, upright; None if unknown before the first.
        live: Whether it is a camera or a live stream.
        span: The frames that are taken of it.
        waited: Seconds that who iterates has waited for frames so far.

    Args:
        reader: What reads the frames.
        span: The frames to take; None: all.
        latest: Drop frames that nobody took in time.
        ahead: Frames to read ahead in a thread, while the last one is in use; 0: none. Cameras and
            live streams, whose frames would grow old meanwhile, are not read ahead.
        close_timeout: Seconds that `close` waits at most for the thread that reads.
    """

    def __init__(
        self,
        reader: Reader,
        span: Span | None = None,
        *,
        latest: bool = False,
        ahead: int = 0,
        close_timeout: float = 2.0,
    ) -> None:
        if latest and not reader.live:
            raise ValueError(
                f"latest=True with {reader.name}: it is for cameras and live streams, whose frames "
                "do not wait; leave it out, or skip frames by a stride"
            )
        self.name = reader.name
        self.fps = reader.fps
        self.size = reader.size
        self.live = reader.live
        self._reader = reader
        self.span = span or Span()
        self.waited = 0.0
        self._latest = latest
        self._depth = int(latest) if reader.live else ahead
        self._ahead: Ahead[Frame] | None = None
        self._close_timeout = close_timeout
        self._dropped = 0
        self._running: Generator[Frame, None, None] | None = None
        self._closed = False

    @property
    def frames_total(self) -> int | None:
        """Number of frames that will come, after start, end and stride; None if unknown.

        Where a file does not state it (Matroska, WebM), it is estimated from the duration.
        """
        total = self._reader.total
        return None if total is None else self.span.count(total)

    @property
    def dropped(self) -> int:
        """Number of frames that were read and replaced by newer ones before anybody took them."""
        return self._dropped + (self._ahead.dropped if self._ahead else 0)

    @property
    def busy(self) -> float:
        """Seconds that reading has taken so far, whether or not anybody waited for it."""
        return self.waited if self._ahead is None or self._latest else self._ahead.busy

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames.

        Raises:
            VideoError: If the source is closed, gives no frame, or breaks; the frames before it
                have been yielded by then.
        """
        if self._closed:
            raise VideoError(f"{self.name} is closed: open it again")
        self._running = self._timed()
        return self._running

    def close(self) -> None:
        """End a running iteration and give back the file, camera or connection."""
        self._closed = True
        self._reader.close()  # first: a thread that waits for the network is thereby told to stop
        if self._running is not None:
            self._running.close()

    def __enter__(self) -> VideoSource:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _timed(self) -> Generator[Frame, None, None]:
        """Yield the frames, and note how long each was waited for."""
        frames = self._ahead_frames() if self._depth else self._all_frames()
        try:
            while True:
                clock = time.perf_counter()
                frame = next(frames, None)
                self.waited += time.perf_counter() - clock
                if frame is None:
                    return
                yield frame
        finally:
            frames.close()

    def _all_frames(self) -> Generator[Frame, None, None]:
        empty = True
        for frame in self._reader.frames(self.span):
            empty = False
            yield frame
        if empty:
            raise VideoError(
                f"{self.name} has no frame {self.span.start}: it ended before; "
                "choose an earlier start"
                if self.span.start
                else f"{self.name} gives no frame: expected at least one"
            )

    def _ahead_frames(self) -> Generator[Frame, None, None]:
        self._dropped = self.dropped
        self._ahead = Ahead(self._all_frames(), self._depth, newest=self._latest)
        try:
            yield from self._ahead
        finally:
            self._ahead.close(self._close_timeout)
