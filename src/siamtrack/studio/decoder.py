"""Any frame of a video file by its number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError
from av.video.frame import VideoFrame

from siamtrack.core.images import Image
from siamtrack.errors import VideoError
from siamtrack.studio.seek import Stamps
from siamtrack.video.decode import decoded, rgb, video_stream

NEAR = 48
"""So many frames ahead are decoded on the way rather than sought."""
HOLD_BYTES = 256 << 20
"""Memory for decoded frames when a video is read backwards."""


class Decoder:
    """One place in a video file. Not for several threads at once.

    Args:
        path: The file.
        stamps: Time stamps of its frames; None: frames are counted from the start.

    Example:
        >>> from siamtrack.cli.demo import demo_clip
        >>> with Decoder(demo_clip(), None) as decoder:
        ...     decoder.image(3).shape
        (272, 640, 3)
    """

    def __init__(self, path: Path, stamps: Stamps | None) -> None:
        self.path, self.stamps = path, stamps
        self._container: Any = None
        self._stream: Any = None
        self._frames: Iterator[VideoFrame] = iter(())
        self._at: int | None = None  # the frame that was decoded last
        self._want = 0  # time stamp of the frame that is sought
        self._held: dict[int, VideoFrame] = {}

    def __enter__(self) -> Decoder:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._container is not None:
            self._container.close()
        self._container, self._at = None, None
        self._held.clear()

    def image(self, index: int, *, backwards: bool = False) -> Image:
        """Return frame `index` as RGB (H, W, 3).

        Args:
            index: Number of the frame, from 0.
            backwards: Frames before it come next: hold those that are decoded on the way.

        Raises:
            VideoError: If there is no such frame, or it cannot be decoded.
        """
        if index in self._held:
            return rgb(self._held.pop(index))
        self._held.clear()
        try:
            picture = self._find(index, backwards)
        except FFmpegError as error:
            self.close()
            raise VideoError(f"{self.path.name}: frame {index} cannot be read ({error})") from error
        except VideoError:
            self.close()
            raise
        if picture is None:
            self.close()
            raise VideoError(f"{self.path.name} has no frame {index}, or it cannot be decoded")
        return rgb(picture)

    def _find(self, index: int, backwards: bool) -> VideoFrame | None:
        if self.stamps is None:
            return self._count_to(index, backwards)
        if index >= len(self.stamps):
            return None
        at = self._at
        if not backwards and at is not None and at < index <= at + NEAR:
            picture = self._decode_to(index, hold=False)
            if picture is not None:
                return picture
        back = 0
        while True:  # a seek may land behind its aim: then go further back
            aim = max(0, index - back)
            if not self._seek(aim):
                return self._count_to(index, backwards)
            picture = self._decode_to(index, hold=backwards)
            if picture is not None:
                return picture
            if aim == 0:
                return self._count_to(index, backwards)
            back = 2 * back + 12

    def _open(self) -> None:
        if self._container is not None:
            self._container.close()
        self._container = av.open(str(self.path))
        self._stream = video_stream(self._container, self.path.name)
        self._frames = decoded(self._container, self._stream, self.path.name, cut=True)
        self._at = None

    def _seek(self, index: int) -> bool:
        assert self.stamps is not None
        if self._container is None:
            self._open()
        try:
            self._container.seek(int(self.stamps[index]), stream=self._stream, backward=True)
        except FFmpegError:
            return False
        self._frames = self._decode(self._container.demux(self._stream))
        self._at = None
        return True

    def _decode(self, packets: Iterator[Any]) -> Iterator[VideoFrame]:
        """Yield frames; those before the wanted one that no other depends on are not decoded."""
        codec = self._stream.codec_context
        for packet in packets:
            before = packet.pts is not None and packet.pts < self._want
            codec.skip_frame = "NONREF" if before else "DEFAULT"
            yield from self._stream.decode(packet)

    def _decode_to(self, index: int, *, hold: bool) -> VideoFrame | None:
        """Decode up to frame `index`; None if a key frame before it was not met."""
        assert self.stamps is not None
        want = int(self.stamps[index])
        self._want = -(1 << 62) if hold else want
        sure = self._at is not None
        for frame in self._frames:
            if frame.pts is None:
                return None
            sure = sure or (bool(frame.key_frame) and frame.pts <= want)
            number = int(self.stamps.searchsorted(frame.pts))
            if frame.pts >= want:
                self._at = number if sure else None
                return frame if sure else None
            if hold and sure:
                self._hold(number, frame)
        return None

    def _count_to(self, index: int, backwards: bool) -> VideoFrame | None:
        at = self._at
        if self._container is None or at is None or at >= index:
            self._open()
            at = -1
        for frame in self._frames:
            at += 1
            self._at = at
            if at == index:
                return frame
            if backwards:
                self._hold(at, frame)
        return None

    def _hold(self, index: int, frame: VideoFrame) -> None:
        self._held[index] = frame
        size = frame.width * frame.height * 3 // 2
        while len(self._held) > max(1, HOLD_BYTES // size):
            del self._held[next(iter(self._held))]
