"""Video files, and how long their headers say they are: the way to notice a missing end."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av
from av.container import InputContainer
from av.error import FFmpegError

from siamtrack.errors import VideoError
from siamtrack.video.decode import (
    decoded,
    frame_count,
    frame_rate,
    planes_of,
    rgb,
    shown_at,
    video_stream,
)
from siamtrack.video.source import Frame, Span

logger = logging.getLogger(__name__)

_SUFFIXES = "mp4 m4v mov mkv webm avi mpg mpeg ts mts m2ts wmv flv ogv 3gp mxf"
VIDEO_SUFFIXES = frozenset("." + suffix for suffix in _SUFFIXES.split())
_MP4_BOXES = frozenset(
    b"ftyp moov mdat free skip wide moof mfra sidx styp meta uuid pdin emsg".split()
)


def is_video(path: Path) -> bool:
    """Whether a file is a video by its ending; hidden ones are none."""
    return path.suffix.lower() in VIDEO_SUFFIXES and path.is_file() and path.name[0] != "."


def stated_frames(path: Path) -> int | None:
    """Return how many frames the headers of a video state; None where they do not, or it is none.

    No frame is decoded, so this takes milliseconds.
    """
    try:
        with av.open(str(path.absolute()), mode="r") as container:
            return frame_count(container, video_stream(container, str(path)))
    except (FFmpegError, OSError, UnicodeDecodeError, VideoError):
        return None


class FileReader:
    """A video file that FFmpeg can read; `Reader` tells what the attributes mean.

    Frames are counted by decoding from the beginning, so that `start` is exact for every file.

    Args:
        path: The file.
        planes: Whether frames keep what their images were converted from.

    Raises:
        VideoError: If the file is not a video, or its first frame cannot be read.
    """

    live = False
    total: int | None
    size: tuple[int, int] | None

    def __init__(self, path: Path, *, planes: bool = False) -> None:
        self.name, self._planes = str(path), planes
        self._path = path.absolute()  # a colon in a relative path would read as a protocol
        if not self._path.is_file():
            raise VideoError(f"{self.name} is no ordinary file: give a video file, not a device")
        try:
            self._bytes = self._path.stat().st_size
            promised = promised_bytes(self._path)
        except OSError as error:
            raise VideoError(
                f"{self.name} cannot be read ({error.strerror}): check the permissions"
            ) from error
        self._missing = max(0, (promised or 0) - self._bytes)
        with self._open() as container:
            stream = video_stream(container, self.name)
            self.fps = frame_rate(stream)
            stated = frame_count(container, stream)
            self.total = None if stated is None or stated > self._bytes else stated
            first = next(decoded(container, stream, self.name, cut=self._missing > 0), None)
            if first is None:
                raise VideoError(
                    f"{self.name}: no frame of its {stream.codec_context.name} video can be "
                    f"decoded{self._cut_text()}; give another file"
                )
            height, width, _ = rgb(first).shape
            self.size = (width, height)

    def frames(self, span: Span) -> Iterator[Frame]:
        """Yield the frames of `span`.

        Raises:
            VideoError: After the last readable frame, if the file is damaged or cut.
        """
        origin: float | None = None
        count = 0
        with self._open() as container:
            stream = video_stream(container, self.name)
            # Decode all frames, so that the count is exact; convert only those of the span.
            for picture in decoded(container, stream, self.name, cut=self._missing > 0):
                time = shown_at(picture, stream)
                origin = time if origin is None else origin
                if span.wants(count):
                    since = None if time is None else time - (origin or 0.0)
                    kept = planes_of(picture) if self._planes else None
                    yield Frame(count, since, rgb(picture), kept)
                    if span.is_last(count):
                        return
                count += 1
            stated = stream.frames
        # The end came: say so where it came too soon.
        if self._missing:
            raise VideoError(
                f"{self.name} is truncated: {count} frames could be read{self._cut_text()}; "
                "copy or record it again, or end before that frame"
            )
        if self.total is not None and count < stated:
            logger.warning("%s: %d of %d frames could be read", self.name, count, stated)

    def close(self) -> None:
        """Do nothing: the file is open only while frames are read."""

    def _open(self) -> InputContainer:
        try:
            return av.open(str(self._path), mode="r")
        except (FFmpegError, UnicodeDecodeError) as error:
            raise VideoError(
                f"{self.name} is not a video that can be read{self._cut_text()}: "
                f"{getattr(error, 'strerror', None) or error}; "
                "give a video file, a folder of images, a camera number or a URL"
            ) from error

    def _cut_text(self) -> str:
        if not self._missing:
            return " (the file is empty)" if not self._bytes else ""
        return f" ({self._missing} of {self._bytes + self._missing} bytes are missing at its end)"


def promised_bytes(path: Path) -> int | None:
    """Return the length in bytes that the headers of a file promise; None if they promise nothing.

    Understands MP4 and QuickTime boxes, AVI and Matroska or WebM. A file shorter than this is cut.
    """
    with path.open("rb") as file:
        head = file.read(12)
        if head[4:8] in _MP4_BOXES:
            return _mp4(file)
        if head[:4] == b"RIFF" and head[8:] == b"AVI ":
            size = int.from_bytes(head[4:8], "little")
            return None if size in (0, 0xFFFFFFFF) else size + 8  # those who cannot seek back
        if head[:4] == b"\x1a\x45\xdf\xa3":
            return _matroska(file)
    return None


def _mp4(file: BinaryIO) -> int | None:
    """Follow the boxes on the top level up to the first one that is unknown or past the end."""
    end = 0
    while True:
        file.seek(end)
        head = file.read(16)
        if len(head) < 8 or head[4:8] not in _MP4_BOXES:
            return end or None
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if size < 8:  # 0: this box reaches to the end of the file, wherever that is
            return None
        end += size


def _matroska(file: BinaryIO) -> int | None:
    """Return the end of the segment behind the EBML header."""
    file.seek(4)
    header = _variable_integer(file)
    if header is None:
        return None
    file.seek(header, 1)
    if file.read(4) != b"\x18\x53\x80\x67":
        return None
    size = _variable_integer(file)
    return None if size is None else file.tell() + size


def _variable_integer(file: BinaryIO) -> int | None:
    """Read an EBML length; None where all bits are set, which means that it is unknown."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    extra = 8 - first[0].bit_length()
    value = int.from_bytes(first + file.read(extra), "big")
    bits = 7 * (extra + 1)
    value &= (1 << bits) - 1
    return None if value == (1 << bits) - 1 else value
