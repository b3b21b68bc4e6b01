"""Images by path or by their place in a tar file, with a bounded memory of decoded ones."""

from __future__ import annotations

import logging
import os
import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from siamtrack.core.image_headers import upright_size
from siamtrack.core.images import Image, encoded, picture_of
from siamtrack.data.faults import Faults
from siamtrack.errors import ImageError

logger = logging.getLogger(__name__)

INSIDE = "!"
"""`shard.tar!512:9000` is the image of 9000 bytes that begins at byte 512 of shard.tar."""


def inside(archive: str | Path, offset: int, size: int) -> str:
    """Name `size` bytes from `offset` on of an uncompressed tar file as an image.

    Example:
        >>> inside("a.tar", 512, 9000)
        'a.tar!512:9000'
    """
    return f"{archive}{INSIDE}{offset}:{size}"


def archive_of(path: str) -> str | None:
    """Return the tar file that holds the image `path`, None if it is a file of its own."""
    archive, mark, place = path.rpartition(INSIDE)
    offset, _, size = place.partition(":")
    is_inside = mark and archive.endswith(".tar") and offset.isdecimal() and size.isdecimal()
    return archive if is_inside else None


def read_bytes(path: str | Path) -> NDArray[np.uint8]:
    """Return the encoded bytes (N,) of an image: a file, or a place in a tar file.

    Raises:
        ImageError: If the file cannot be read or ends too soon.
    """
    name = os.fspath(path)
    archive = archive_of(name)
    try:
        if archive is None:
            return encoded(name)
        offset, size = (int(part) for part in name[len(archive) + 1 :].split(":"))
        if offset + size > Path(archive).stat().st_size:
            raise ImageError(name, "the tar file ends before it")
        data = np.fromfile(archive, np.uint8, size, offset=offset)
    except OSError as error:
        raise _unreadable(name, error) from error
    if data.size < size:
        raise ImageError(name, "the tar file ends before it")
    return data


def read_image(path: str | Path) -> Image:
    """Read an image file as uint8 RGB (H, W, 3).

    Args:
        path: The file, or a place in a tar file as `inside` names it.

    Raises:
        ImageError: A `DatasetError`, if the file is missing, cut short or no image.
    """
    data = read_bytes(path)
    try:
        return picture_of(data)
    except ValueError as error:
        raise ImageError(os.fspath(path), str(error)) from error


def image_size(path: str | Path) -> tuple[int, int]:
    """Return width and height in pixels, as `read_image` would give them.

    Where the header of the file does not tell, the picture is decoded.

    Raises:
        ImageError: If the file is missing or is no image.
    """
    name = os.fspath(path)
    try:
        size = upright_size(name) if archive_of(name) is None else None
    except OSError as error:
        raise _unreadable(name, error) from error
    if size is None:
        rows, cols = read_image(name).shape[:2]
        size = (cols, rows)
    return size


def _unreadable(name: str, error: OSError) -> ImageError:
    reason = "missing" if isinstance(error, FileNotFoundError) else str(error.strerror)
    return ImageError(name, reason)


class ImageCache:
    """Decoded images, least recently used out first. Safe to share between threads.

    Args:
        capacity: Bytes to keep at most.
        faults: Where unreadable images are counted; one of its own by default.
    """

    def __init__(self, capacity: int = 4 << 30, faults: Faults | None = None) -> None:
        self.capacity = capacity
        self.faults = Faults() if faults is None else faults
        self._images: OrderedDict[str, Image] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def __getitem__(self, path: str) -> Image:
        """Return an image (H, W, 3).

        Raises:
            ImageError: If it cannot be read. It is counted, and not tried again.
            DatasetError: If too many cannot be read.
        """
        with self._lock:
            if path in self._images:
                self._images.move_to_end(path)
                return self._images[path]
        if path in self.faults:
            raise ImageError(path, self.faults.bad[path])
        try:
            image = read_image(path)
        except ImageError as error:
            self.faults.add(path, error.reason)
            raise
        self.faults.passed()
        with self._lock:
            if path not in self._images:
                self._images[path] = image
                self._bytes += image.nbytes
                while self._bytes > self.capacity and len(self._images) > 1:
                    self._bytes -= self._images.popitem(last=False)[1].nbytes
        return image
