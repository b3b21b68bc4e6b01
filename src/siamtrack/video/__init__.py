"""Video sources: files, cameras, network streams, image folders and arrays, read alike."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import TypeAlias

from numpy.typing import ArrayLike

from siamtrack.core.boundary import surface
from siamtrack.core.config import shown
from siamtrack.core.images import IMAGE_SUFFIXES, image_files
from siamtrack.errors import VideoError
from siamtrack.video.images import ImageReader, IterableReader
from siamtrack.video.source import Frame, Reader, Span, VideoSource
from siamtrack.video.streams import CaptureReader

__all__ = ["Frame", "VideoSource", "open_video", "source_files"]

AHEAD = 2
"""Frames that the command line reads ahead: enough to even out key frames, few enough for 8K."""
MOST_AHEAD = 1000
"""Frames that may be read ahead; all of them are in memory."""
Source: TypeAlias = str | PathLike[str] | int | Iterable[ArrayLike]
"""What `open_video` takes."""


@surface
def open_video(
    source: Source | VideoSource,
    *,
    start: int = 0,
    end: int | None = None,
    stride: int = 1,
    latest: bool = False,
    ahead: int = 0,
    planes: bool = False,
) -> VideoSource:
    """Open anything that gives frames.

    Args:
        source: Path of a video file, a folder or a glob of images (taken in natural order), a URL
            such as `rtsp://` or `http://`, the number of a camera (also as text, where no file has
            that name), or an iterable of arrays that `siamtrack.core.images.as_rgb` takes. What was
            opened before is returned as it is; it has its span already.
        start: First frame to take, from 0.
        end: Frame to stop before; None: continue to the end.
        stride: Take every n-th frame.
        latest: Drop frames that nobody took in time; for cameras and live streams only.
        ahead: Frames to read ahead in a thread, while the last one is in use; 0: none. For files,
            folders and iterables, which then run in that thread; of no effect on live sources.
        planes: Keep what the images of a video file were converted from (`Frame.planes`), so that
            an annotated video need not be converted back. Then change no image in its place.

    Returns:
        Context manager to iterate for `Frame` objects.

    Raises:
        VideoError: If there is nothing there, or nothing that can be read as frames.
        ValueError: If start, end, stride, latest or ahead do not fit.
        TypeError: If `source` is of another type.

    Example:
        >>> import numpy as np
        >>> with open_video(np.zeros((5, 4, 6, 3), dtype=np.uint8), start=1, stride=2) as video:
        ...     [frame.index for frame in video]
        [1, 3]
    """
    span = Span(start, end, stride)
    if isinstance(ahead, bool) or not isinstance(ahead, int) or not 0 <= ahead <= MOST_AHEAD:
        raise ValueError(f"ahead {shown(ahead)}: expected a number of frames, 0 to {MOST_AHEAD}")
    if isinstance(source, VideoSource):
        if span not in (Span(), source.span):
            raise ValueError(
                f"{span} for {source.name}, which was opened with {source.span}: say which frames "
                "to take once, where it is opened"
            )
        return source
    reader = _reader(source, planes)
    try:
        return VideoSource(reader, span, latest=latest, ahead=ahead)
    except ValueError:
        reader.close()
        raise


def source_files(source: str | PathLike[str]) -> list[Path]:
    """Return the files that a path or a glob is read from; none for cameras and streams."""
    path = Path(source)
    if "://" in str(source):
        return []
    if path.is_dir():
        return list(image_files(path.iterdir()))
    if path.exists():
        return [path]
    return [Path(match) for match in glob.glob(str(path), recursive=True)]  # noqa: PTH207


def _reader(source: Source, planes: bool) -> Reader:
    if isinstance(source, int) and not isinstance(source, bool):
        return CaptureReader(source)
    if isinstance(source, str) and "://" in source:
        return CaptureReader(source)
    if isinstance(source, str | PathLike):
        return _path_reader(Path(source), planes)
    if isinstance(source, Iterable) and not isinstance(source, bytes):
        return IterableReader(source)
    raise TypeError(
        f"source of type {type(source).__name__}: expected a path, a URL, a camera number or "
        "an iterable of arrays"
    )


def _path_reader(path: Path, planes: bool) -> Reader:
    name = str(path)
    endings = ", ".join(sorted(IMAGE_SUFFIXES))
    if path.is_dir():
        files = image_files(path.iterdir())
        if not files:
            raise VideoError(f"folder {name} holds no images: expected files ending in {endings}")
        return ImageReader(files, name)
    if path.exists():
        if not path.is_file():  # a pipe would wait indefinitely
            raise VideoError(f"{name} is no ordinary file: cameras go by their number")
        if path.suffix.lower() in IMAGE_SUFFIXES:
            return ImageReader([path], name)
        from siamtrack.video.files import FileReader  # FFmpeg: a third of the time of a first box

        return FileReader(path, planes=planes)
    if any(letter in name for letter in "*?["):
        files = image_files(Path(match) for match in glob.glob(name, recursive=True))  # noqa: PTH207
        if not files:
            raise VideoError(f"no image matches {name}: expected files ending in {endings}")
        return ImageReader(files, name)
    if name.isdecimal():
        return CaptureReader(int(name))
    raise VideoError(
        f"{name} does not exist: give a video file, a folder or glob of images, a camera number "
        "or a URL"
    )
