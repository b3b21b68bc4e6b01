"""Annotated video."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
from av.error import FFmpegError

from siamtrack.core.images import Image
from siamtrack.errors import VideoError
from siamtrack.sinks.base import SINKS, Sink
from siamtrack.sinks.draw import TrackLike, draw_tracks
from siamtrack.video import Frame

CODECS = {"h264": "libx264", "vp9": "libvpx-vp9", "av1": "libsvtav1", "mpeg4": "mpeg4"}
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

_BT601 = 6  # AVCOL_SPC_SMPTE170M: the conversion from RGB uses it; for HD players guess another


@SINKS.register("mp4")
class Mp4Sink(Sink):
    """Annotated video that browsers and phones play, with its index in front.

    Frames of another size than the first are resized to it; odd sizes get one more row or column.

    Attributes:
        codec: Name in `CODECS`: `h264` plays everywhere; `vp9` and `av1` in browsers, and without
            a library under the GPL; `mpeg4` in video players. Set it before the first frame.
        preset: Of `h264`, one of `PRESETS`: slower ones take more time and less room.
    """

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
            there = [each for each, encoder in CODECS.items() if encoder in av.codecs_available]
            raise VideoError(
                f"{self.path}: this FFmpeg has no encoder {name}: choose the codec "
                f"{' or '.join(there) or 'of another installation of av'}"
            )
        try:
            self._container = av.open(
                str(place.absolute()), "w", format="mp4", options={"movflags": "+faststart"}
            )
            options = {"preset": self.preset} if self.codec == "h264" else _OPTIONS[self.codec]
            self._stream: Any = self._container.add_stream(
                CODECS[self.codec], rate=rate, options=options
            )
            self._stream.width, self._stream.height = width + width % 2, height + height % 2
            self._stream.pix_fmt = "yuv420p"
            self._stream.codec_context.colorspace = _BT601
            self._stream.codec_context.open()
        except (FFmpegError, ValueError) as error:
            if self._container is not None:
                with contextlib.suppress(FFmpegError):
                    self._container.close()
                place.unlink(missing_ok=True)
            raise self._failed(error) from error

    def _write(self, frame: Frame, tracks: list[TrackLike]) -> None:
        picture = self._even(
            draw_tracks(
                frame.image,
                tracks,
                labels=self.labels,
                colours=self.colours,
                classes=self.classes,
            )
        )
        self._encode(av.VideoFrame.from_ndarray(picture, format="rgb24"))
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
            f"{getattr(error, 'strerror', None) or error}; free disk space, or choose other outputs"
        )
