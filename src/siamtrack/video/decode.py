"""Decoding with PyAV (FFmpeg): what files and network streams share."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from siamtrack.core.images import MOST_PIXELS, Image
from siamtrack.errors import VideoError
from siamtrack.video.source import Planes

logger = logging.getLogger(__name__)

_BT601 = (2, 5, 6)  # unspecified, BT.470 BG, SMPTE 170M: as BT.601 all of them become RGB
_LIMITED = (0, 1)  # unspecified, and 16 to 235
FASTEST = 1000.0
"""Frames per second above which a stated rate is taken for the tick of a clock."""


def video_stream(container: InputContainer, name: str) -> VideoStream:
    """Return the first video stream of a container, ready to decode on several cores.

    Raises:
        VideoError: If there is none, its codec is unknown, or its frames have more than
            `MOST_PIXELS`. Cover pictures of audio files and text do not count.
    """
    for stream in container.streams.video:
        cover = bool(stream.disposition & av.stream.Disposition.attached_pic)
        if not cover and container.format.name != "tty":
            context = stream.codec_context
            if context is None:  # a code for the codec that FFmpeg does not know
                raise VideoError(f"{name} is of a codec that nobody here can decode: convert it")
            if context.width * context.height > MOST_PIXELS:
                raise VideoError(
                    f"{name} says that its frames are {context.width}x{context.height}: too large"
                )
            # Frame threads swallow errors and with them frames, how many depends on the cores.
            stream.thread_type = "SLICE"
            return stream
    raise VideoError(f"{name} has no video stream: give a file with moving pictures")


def frame_rate(stream: VideoStream) -> float | None:
    """Return frames per second, or None if the stream does not tell or tells nonsense."""
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate and 0 < rate <= FASTEST else None


def duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Return the length in seconds, or None for live streams and where the headers do not tell."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def frame_count(container: InputContainer, stream: VideoStream) -> int | None:
    """Return the number of frames that the headers state or, failing that, imply."""
    if stream.frames:
        return stream.frames
    seconds, rate = duration(container, stream), frame_rate(stream)
    return round(seconds * rate) if seconds and rate else None


def shown_at(frame: VideoFrame, stream: VideoStream) -> float | None:
    """Return the time of a frame in seconds, by the clock of its stream where it has none itself.

    What a decoder held back when data broke off has none in PyAV before 17, which divides by zero.
    """
    try:
        return frame.time
    except ZeroDivisionError:
        if frame.pts is None or not stream.time_base:
            return None
        return float(frame.pts * stream.time_base)


def rgb(frame: VideoFrame) -> Image:
    """Return a decoded frame as an upright RGB picture (H, W, 3).

    Raises:
        VideoError: If it grew to more than `MOST_PIXELS`, or its colors are of an unknown kind.
    """
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if frame.width * frame.height > MOST_PIXELS:
        raise VideoError(f"a frame of {frame.width}x{frame.height} pixels: too large")
    try:
        image = np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
    except (FFmpegError, ValueError) as error:
        raise VideoError(f"a frame cannot be turned into RGB ({error}): convert it") from error
    return upright(image, None if matrix is None else bytes(matrix))


def planes_of(frame: VideoFrame) -> Planes | None:
    """Return the planes of a decoded frame, read-only; None if they are of another kind.

    A frame that is turned, of odd sides, of other colors or more bits has none, since a video that
    `siamtrack.sinks.mp4` writes could not take them as they are.
    """
    is_alike = (
        frame.format.name == "yuv420p"
        and int(frame.colorspace) in _BT601
        and int(frame.color_range) in _LIMITED
        and frame.width % 2 == frame.height % 2 == 0
        and frame.side_data.get("DISPLAYMATRIX") is None
    )
    if not is_alike:
        return None
    found = []
    for plane in frame.planes:
        if plane.line_size < plane.width:  # from the last row to the first
            return None
        data = np.frombuffer(memoryview(plane), np.uint8)
        rows = data.reshape(plane.height, plane.line_size)
        rows.flags.writeable = False  # the decoder reads on in it
        found.append(rows[:, : plane.width])
    luma, blue, red = found
    return luma, blue, red


def upright(image: Image, matrix: bytes | None) -> Image:
    """Return `image` as it is meant to be seen.

    Args:
        image: Picture (H, W, 3) as decoded.
        matrix: Display matrix of FFmpeg and of the MP4 track header, nine native 32-bit integers
            a b u c d v x y w, by which a point goes to (a x + c y, b x + d y); None: leave as is.
            Quarter turns and mirrorings are honored; other angles go to the nearest quarter.

    Returns:
        Picture (H, W, 3), or (W, H, 3) after a quarter turn.

    Example:
        >>> picture = np.arange(6, dtype=np.uint8).reshape(2, 3, 1).repeat(3, axis=2)
        >>> clockwise = np.array([0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30], dtype=np.int32)
        >>> upright(picture, clockwise.tobytes())[..., 0].tolist()
        [[3, 0], [4, 1], [5, 2]]
    """
    if matrix is None:
        return image
    a, b, _, c, d = np.frombuffer(matrix, dtype=np.int32, count=9)[:5].tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        turned, mirror_x, mirror_y = image, a < 0, d < 0
    else:
        turned, mirror_x, mirror_y = image.transpose(1, 0, 2), c < 0, b < 0
    return np.ascontiguousarray(turned[:: -1 if mirror_y else 1, :: -1 if mirror_x else 1])


def decoded(
    container: InputContainer, stream: VideoStream, name: str, *, cut: bool = False
) -> Iterator[VideoFrame]:
    """Yield the frames of a stream in the order of display; `name` is what messages call it.

    `cut` says that the end is known to be missing, so that half a frame there is no surprise.

    Raises:
        VideoError: Where data are damaged; all frames before the damage have been yielded. Damage
            before the first frame is passed over, since recordings may start between key frames.
    """
    packets = container.demux(stream)
    count = 0
    damage: FFmpegError | None = None
    while damage is None:
        # Decode the next packet; damage before the first frame is passed over.
        try:
            packet = next(packets, None)
            if packet is None:
                break
            if cut and packet.is_corrupt:
                continue
            frames = stream.decode(packet)
        except FFmpegError as error:
            if isinstance(error, (OSError, EOFError)) or count:
                damage = error
                frames = _left_in_decoder(stream)
            else:
                logger.warning("%s: passing over data before the first frame (%s)", name, error)
                continue
        # Hand out what is whole, and report the damage after it.
        count += len(frames)
        yield from frames
    if damage is not None and not cut:
        raise VideoError(
            f"{name} is damaged or broke off: {count} frames could be read ({damage.strerror}); "
            "repair it, or end before that frame"
        ) from damage


def _left_in_decoder(stream: VideoStream) -> list[VideoFrame]:
    """Return the frames that the decoder holds back to put them in order."""
    with contextlib.suppress(FFmpegError):
        return stream.decode(None)
    return []
