"""Which frame has which time stamp, so that any frame of a video file can be sought exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from siamtrack.errors import VideoError
from siamtrack.video.decode import decoded, frame_rate, video_stream

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
