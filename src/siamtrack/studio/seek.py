"""Any frame of a video file by its number: the time stamps of its frames, and a decoder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from siamtrack.core.images import Image
from siamtrack.errors import VideoError
from siamtrack.video.decode import decoded, frame_rate, rgb, video_stream

NEAR = 48
"""Frames ahead that are decoded on the way rather than sought."""
HOLD_BYTES = 256 << 20
"""Memory for decoded frames when a video is read backwards."""

Stamps = NDArray[np.int64]
"""Time stamps (N,) of the frames in the order of display, in ticks of the stream."""


def first_stamp(path: Path) -> int | None:
    """Return the time stamp of the first frame that can be decoded, None if it has none.

    Raises:
        VideoError: If nothing can be decoded.
    """
    with av.open(str(path)) as container:
        stream = video_stream(container, path.name)
        frame = next(decoded(container, stream, path.name, cut=True), None)
    if frame is None:
        raise VideoError(f"{path.name}: no frame of it can be decoded; give another file")
    return frame.pts


def quick_stamps(path: Path, first: int) -> Stamps | None:
    """Return all time stamps from the table in an MP4's head, if its frames are evenly spaced.

    Nothing but the head is read, so that an hour of video opens at once. None where there is no
    such table or the spacing varies; `full_stamps` then tells.
    """
    with av.open(str(path)) as container:
        stream = video_stream(container, path.name)
        entries: Any = getattr(stream, "index_entries", None)  # PyAV 14 and later
        if "mp4" not in container.format.name or not entries or len(entries) != stream.frames:
            return None
        steps = np.diff(np.array([entry.timestamp for entry in entries], dtype=np.int64))
    if len(steps) == 0:
        return np.array([first], dtype=np.int64)
    if steps[0] <= 0 or not (steps == steps[0]).all():
        return None
    return np.asarray(first + steps[0] * np.arange(len(steps) + 1), dtype=np.int64)


def guessed_stamps(path: Path, first: int, total: int) -> Stamps | None:
    """Return evenly spaced time stamps by the frame rate; they serve until the file was read."""
    with av.open(str(path)) as container:
        stream = video_stream(container, path.name)
        rate, base = frame_rate(stream), stream.time_base
        avi = container.format.name == "avi"
    if not rate or not base or avi:
        return None
    step = 1 / (rate * float(base))
    return np.asarray(first + np.rint(step * np.arange(max(1, total))), dtype=np.int64)


def full_stamps(path: Path, first: int | None) -> Stamps | None:
    """Read the whole file, without decoding, and return the time stamps of all frames.

    None where frames have no time stamps of their own; they must then be counted from the start.
    """
    found: list[int] = []
    with av.open(str(path)) as container:
        stream = video_stream(container, path.name)
        if container.format.name == "avi" and stream.codec_context.has_b_frames:
            return None  # AVI knows no order of display: its stamps count packets
        try:
            for packet in container.demux(stream):
                if packet.size == 0 or packet.is_discard:
                    continue
                if packet.pts is None:
                    return None
                found.append(packet.pts)
        except FFmpegError:
            pass  # what follows the damage cannot be decoded either
    stamps = np.unique(np.array(found, dtype=np.int64))
    if first is None or len(stamps) != len(found):
        return None
    return stamps[stamps >= first]


class Decoder:
    """One place in a video file. Not for several threads at once.

    Args:
        path: The file.
        stamps: Time stamps of its frames; None: frames are counted from the start.
        hold: Bytes for decoded frames when it is read backwards.

    Example:
        >>> from siamtrack.cli.demo import demo_clip
        >>> with Decoder(demo_clip(), None) as decoder:
        ...     decoder.image(3).shape
        (272, 640, 3)
    """

    def __init__(self, path: Path, stamps: Stamps | None, hold: int = HOLD_BYTES) -> None:
        self.path, self.stamps, self._hold_bytes = path, stamps, hold
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
        name = self.path.name
        try:
            picture = self._find(index, backwards)
            if picture is None:
                raise VideoError(f"{name} has no frame {index}, or it cannot be decoded")
        except (FFmpegError, VideoError) as error:
            self.close()
            if isinstance(error, VideoError):
                raise
            raise VideoError(f"{name}: frame {index} cannot be read ({error})") from error
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
        aim, back = index, 0
        while self._seek(aim):
            picture = self._decode_to(index, hold=backwards)
            if picture is not None:
                return picture
            if aim == 0:
                break
            back = 2 * back + 12  # a seek may land behind its aim: then go further back
            aim = max(0, index - back)
        return self._count_to(index, backwards)

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
        while len(self._held) > max(1, self._hold_bytes // size):
            del self._held[next(iter(self._held))]
