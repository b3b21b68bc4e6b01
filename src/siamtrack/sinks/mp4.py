"""Annotated video."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from siamtrack.core.images import Image
from siamtrack.errors import VideoError
from siamtrack.sinks.base import SINKS, Sink
from siamtrack.sinks.draw import Rectangle, TrackLike, paint_tracks
from siamtrack.video import Frame
from siamtrack.video.source import Planes

HARDWARE = {
    "h264-nvenc": "h264_nvenc",
    "h264-qsv": "h264_qsv",
    "h264-amf": "h264_amf",
    "h264-videotoolbox": "h264_videotoolbox",
    "h264-v4l2m2m": "h264_v4l2m2m",
}
"""Encoders in GPUs and processors of NVIDIA, Intel, AMD and Apple and in small boards, which need a
device and its driver."""
CODECS = {
    "h264": "libx264",
    "vp9": "libvpx-vp9",
    "av1": "libsvtav1",
    "mpeg4": "mpeg4",
    **HARDWARE,
}
"""What `--codec` takes, and FFmpeg's encoder for it. libx264 is under the GPL, libvpx and SVT-AV1
are under BSD licenses, `mpeg4` is FFmpeg's own under the LGPL."""
PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
)
DEFAULT_CODEC, DEFAULT_PRESET = "h264", "veryfast"
QUICK = PRESETS[: PRESETS.index("veryfast") + 1]
"""Presets without B-frames, which take a third of the time to make a fifth of the size."""
LEAN = "me=dia:partitions=i8x8,i4x4"
"""Of `veryfast`: a quarter less time; 0 to 5 % more bytes and up to 0.4 dB less, on five clips."""
_OPTIONS = {
    "vp9": {"deadline": "realtime", "cpu-used": "8", "row-mt": "1", "crf": "32", "b": "0"},
    "av1": {"preset": "10", "crf": "35", "svtav1-params": "lookahead=0"},
    "mpeg4": {"qmin": "3", "qmax": "5"},
}

DEFAULT_FPS = 25.0
"""Rate of written videos where none is given."""

PACKED = 0.1
"""Bytes for a pixel of the frames that the encoder holds back, at least."""
INDEX = 48
"""Bytes of a frame in the index of the file, which is written at the end."""

_LIMITED = np.rint(128 + (np.arange(256) - 128) * 224 / 255).astype(np.uint8)
"""Chroma of the full range to that of video, 16 to 240."""
_BT601 = 6  # AVCOL_SPC_SMPTE170M: the conversion from RGB uses it; for HD players guess another


@SINKS.register("mp4")
class Mp4Sink(Sink):
    """Annotated video that browsers and phones play, with its index in front.

    Frames of another size than the first are resized to it; odd sizes get one more row or column.

    Attributes:
        codec: Name in `CODECS`: `h264` plays everywhere; `vp9` and `av1` in browsers, and without
            a library under the GPL; `mpeg4` in video players; those of `HARDWARE` need a device.
            Set it before the first frame.
        preset: Of `h264`, one of `PRESETS`: slower ones take more time and less room.
    """

    slow = True
    codec: str = DEFAULT_CODEC
    preset: str = DEFAULT_PRESET
    _frames = _packets = _bytes = 0

    def _needed(self, frame: Frame) -> int:
        height, width = frame.image.shape[:2]
        held_back = self._frames - self._packets + 1
        each = max(PACKED * height * width, 2 * self._bytes / max(self._packets, 1))
        return int(held_back * each) + INDEX * self._frames

    def _start(self, frame: Frame) -> None:
        place = self._place(self.path)
        height, width = frame.image.shape[:2]
        self._size = (width, height)
        rate = Fraction(self.fps or DEFAULT_FPS).limit_denominator(1001)
        self._container: Any = None
        if (name := CODECS[self.codec]) not in av.codecs_available:
            there = [
                each
                for each, encoder in CODECS.items()
                if encoder in av.codecs_available and each not in HARDWARE
            ]
            raise VideoError(
                f"{self.path}: this FFmpeg has no encoder {name}: choose the codec "
                f"{' or '.join(there) or 'of another installation of av'}"
            )
        try:
            self._container = av.open(
                str(place.absolute()), "w", format="mp4", options={"movflags": "+faststart"}
            )
            options = _OPTIONS.get(self.codec, {})
            if self.codec == "h264":
                options = {"preset": self.preset, **({"bf": "0"} if self.preset in QUICK else {})}
                if self.preset == DEFAULT_PRESET:
                    options["x264-params"] = LEAN
            self._stream: Any = self._container.add_stream(
                CODECS[self.codec], rate=rate, options=options
            )
            self._stream.width, self._stream.height = width + width % 2, height + height % 2
            self._stream.pix_fmt = "nv12" if self.codec == "h264-qsv" else "yuv420p"
            self._stream.codec_context.colorspace = _BT601
            with _ordinary_priority():
                self._stream.codec_context.open()
        except (FFmpegError, ValueError) as error:
            if self._container is not None:
                with contextlib.suppress(FFmpegError):
                    self._container.close()
                place.unlink(missing_ok=True)
            raise self._failed(error) from error

    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None:
        canvas = np.array(frame.image, dtype=np.uint8, order="C")
        touched = paint_tracks(
            canvas, tracks, labels=self.labels, colors=self.colors, classes=self.classes
        )
        # Convert what was drawn into, if what it was drawn upon is there; else everything.
        given, size = frame.planes, self._size[::-1]
        if given is not None and given[0].shape == canvas.shape[:2] == size:
            picture = patched(given, canvas, touched)
        else:
            picture = planes(self._even(canvas))
        self._encode(_video_frame(picture))
        self._frames += 1

    def _finish(self) -> None:
        try:
            self._encode(None)
        finally:
            try:
                self._container.close()
            except FFmpegError as error:
                raise self._failed(error) from error

    def _even(self, picture: Image) -> Image:
        """Return a picture of the size of the video, whose sides are even."""
        width, height = self._size
        if picture.shape[:2] != (height, width):
            picture = np.asarray(cv2.resize(picture, self._size), dtype=np.uint8)
        if height % 2 or width % 2:
            picture = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        return picture

    def _encode(self, picture: av.VideoFrame | None) -> None:
        try:
            for packet in self._stream.encode(picture):
                self._packets, self._bytes = self._packets + 1, self._bytes + packet.size
                self._container.mux(packet)
        except (FFmpegError, ValueError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> VideoError:
        return VideoError(
            f"{self.path} cannot be written as {self.codec} video: "
            f"{getattr(error, 'strerror', None) or error}; "
            + (
                "it needs a device and its driver: choose the codec h264"
                if self.codec in HARDWARE
                else "free disk space, or choose other outputs"
            )
        )


@contextlib.contextmanager
def _ordinary_priority() -> Iterator[None]:
    """Keep every thread of this process from running before all other processes.

    SVT-AV1, where root runs it, gives its own threads and the one that opens it real-time priority,
    which that one's later threads and child processes inherit.
    """
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    yield
    tasks = Path("/proc/self/task")
    threads = [int(each.name) for each in tasks.iterdir()] if tasks.is_dir() else [0]
    for thread in threads:
        with contextlib.suppress(OSError):  # it has ended
            if os.sched_getscheduler(thread) != policy:
                os.sched_setscheduler(thread, policy, parameters)


def planes(picture: Image) -> NDArray[np.uint8]:
    """Return a picture as video has it: YUV 4:2:0 of BT.601 in the limited range.

    A quarter of the time of FFmpeg's converter. Each chroma value is of the mean of four pixels, so
    that lines of a single pixel keep their color.

    Args:
        picture: RGB (H, W, 3) with even sides.

    Returns:
        Planes Y, U and V one below the other, (3 * H / 2, W).

    Example:
        >>> gray = np.full((4, 4, 3), 255, np.uint8)
        >>> planes(gray)[0].tolist(), planes(gray)[-1].tolist()
        ([235, 235, 235, 235], [128, 128, 128, 128])
    """
    height, width = picture.shape[:2]
    found = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420), dtype=np.uint8)
    half = cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    chroma = cv2.LUT(cv2.cvtColor(half, cv2.COLOR_RGB2YCrCb), _LIMITED)
    _, blue, red = _apart(found)
    blue[:], red[:] = chroma[..., 2], chroma[..., 1]
    return found


def patched(given: Planes, canvas: Image, touched: Iterable[Rectangle]) -> NDArray[np.uint8]:
    """Return a picture as `planes` does, of planes that are there and what was drawn upon them.

    A tenth of the time, and what was not drawn upon stays as it was decoded.

    Args:
        given: The picture before anything was drawn, with even sides.
        canvas: The picture with what was drawn, RGB (H, W, 3).
        touched: Where it was drawn, from `siamtrack.sinks.draw.paint_tracks`.
    """
    height, width = canvas.shape[:2]
    found = np.empty((height + height // 2, width), np.uint8)
    whole = _apart(found)
    for plane, source in zip(whole, given, strict=True):
        plane[:] = source
    for left, top, right, bottom in touched:
        rows = slice(top - top % 2, bottom + bottom % 2)
        columns = slice(left - left % 2, right + right % 2)
        luma, blue, red = _apart(planes(np.ascontiguousarray(canvas[rows, columns])))
        small = slice(rows.start // 2, rows.stop // 2), slice(columns.start // 2, columns.stop // 2)
        whole[0][rows, columns], whole[1][small], whole[2][small] = luma, blue, red
    return found


def _apart(picture: NDArray[np.uint8]) -> Planes:
    """Return views of the planes Y, U and V of a picture (3 * H / 2, W)."""
    height, width = 2 * picture.shape[0] // 3, picture.shape[1]
    flat, luma, chroma = picture.reshape(-1), height * width, height * width // 4
    half = height // 2, width // 2
    return (
        flat[:luma].reshape(height, width),
        flat[luma : luma + chroma].reshape(half),
        flat[luma + chroma :].reshape(half),
    )


def _video_frame(picture: NDArray[np.uint8]) -> av.VideoFrame:
    """Return a picture (3 * H / 2, W) for the encoder, which copies it, as soon as it gets it."""
    if picture.shape[0] % 6 == 0:  # PyAV takes other heights for less than they are
        return av.VideoFrame.from_numpy_buffer(picture, format="yuv420p")
    return av.VideoFrame.from_ndarray(picture, format="yuv420p")
