"""Video files."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError

from siamtrack.errors import VideoError
from siamtrack.video.decode import decoded, frame_count, frame_rate, rgb, shown_at, video_stream
from siamtrack.video.promised import promised_bytes
from siamtrack.video.source import Frame, Span

logger = logging.getLogger(__name__)

_SUFFIXES = "mp4 m4v mov mkv webm avi mpg mpeg ts mts m2ts wmv flv ogv 3gp mxf"
VIDEO_SUFFIXES = frozenset("." + suffix for suffix in _SUFFIXES.split())


def is_video(path: Path) -> bool:
    """Whether a file is a video by its ending; hidden ones are none."""
    return path.suffix.lower() in VIDEO_SUFFIXES and path.is_file() and path.name[0] != "."


class FileReader:
    """A video file that FFmpeg can read; `Reader` tells what the attributes mean.

    Frames are counted by decoding from the beginning, so that `start` is exact for every file.

    Raises:
        VideoError: If the file is not a video, or its first frame cannot be read.
    """

    live = False
    total: int | None
    size: tuple[int, int] | None

    def __init__(self, path: Path) -> None:
        self.name = str(path)
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
            for picture in decoded(container, stream, self.name, cut=self._missing > 0):
                time = shown_at(picture, stream)
                origin = time if origin is None else origin
                if span.wants(count):
                    since = None if time is None else time - (origin or 0.0)
                    yield Frame(count, since, rgb(picture))
                    if span.is_last(count):
                        return
                count += 1
            stated = stream.frames
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
