"""Folders and globs of images, and frames that are in memory already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import count, islice
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from siamtrack.core.images import Image, as_rgb, encoded, picture_of
from siamtrack.errors import VideoError
from siamtrack.video.source import Frame, Span


def read_image(path: Path) -> Image:
    """Return the picture in a file as uint8 RGB (H, W, 3), upright as its EXIF data ask.

    Raises:
        VideoError: If the file cannot be read as an image.
    """
    advice = "remove it or replace it"
    try:
        return picture_of(encoded(path))
    except OSError as error:
        raise VideoError(f"image {path} cannot be read ({error.strerror}): {advice}") from error
    except ValueError as error:
        raise VideoError(f"image {path}: {error}: {advice}") from error


class ImageReader:
    """Image files, at least one, one per frame; `Reader` tells what the attributes mean.

    Raises:
        VideoError: If the first image cannot be read.
    """

    live = False
    fps: float | None = None
    total: int | None
    size: tuple[int, int] | None

    def __init__(self, paths: Sequence[Path], name: str) -> None:
        self.name = name
        self.total = len(paths)
        self._paths = paths
        height, width, _ = read_image(paths[0]).shape
        self.size = (width, height)

    def frames(self, span: Span) -> Iterator[Frame]:
        """Yield the frames of `span`; images outside it are not opened.

        Raises:
            VideoError: At an image that cannot be read; those before it have been yielded.
        """
        chosen = slice(span.start, span.end, span.stride)
        for index, path in zip(count(span.start, span.stride), self._paths[chosen], strict=False):
            yield Frame(index, None, read_image(path))

    def close(self) -> None:
        """Do nothing: no image stays open."""


class IterableReader:
    """Frames from any iterable of arrays that `as_rgb` takes; `Reader` tells the attributes.

    Raises:
        ValueError: If `images` is a single picture.
    """

    live = False
    fps: float | None = None
    size: tuple[int, int] | None = None

    def __init__(self, images: Iterable[ArrayLike]) -> None:
        shape = images.shape if isinstance(images, np.ndarray) else None
        if shape is not None and (len(shape) < 3 or (len(shape) == 3 and shape[2] in (1, 3, 4))):
            raise ValueError(
                f"an array of shape {shape} is one picture: give several, as a list or as an array "
                "(T, H, W, 3)"
            )
        self.name = f"iterable of type {type(images).__name__}"
        self.total = len(images) if isinstance(images, Sized) else None
        self._images = images

    def frames(self, span: Span) -> Iterator[Frame]:
        """Yield the frames of `span`.

        Raises:
            ValueError: At a frame of a shape or type that `as_rgb` refuses; it names the frame.
        """
        chosen = islice(self._images, span.start, span.end, span.stride)
        for index, image in zip(count(span.start, span.stride), chosen, strict=False):
            try:
                picture = as_rgb(image)
            except ValueError as error:
                raise ValueError(f"frame {index} of {self.name}: {error}") from error
            yield Frame(index, None, picture)

    def close(self) -> None:
        """Do nothing: the iterable belongs to the caller."""
