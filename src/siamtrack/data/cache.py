"""Images by path or by place in a tar file, a bounded memory of them, and a count of the bad."""

from __future__ import annotations

import logging
import os
import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from siamtrack.core.images import Image, encoded, picture_of, upright_size
from siamtrack.errors import DatasetError, ImageError

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
    """Read an image, a file or a place in a tar file as `inside` names it, as uint8 RGB (H, W, 3).

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


class Faults:
    """Counts the images that could not be read. Safe to share between threads.

    The first `least` are forgiven, and more up to a `share` in [0, 1] of all that were asked for.

    Example:
        >>> faults = Faults()
        >>> faults.add("a.jpg", "missing")
        >>> faults.summary()
        '1 of 1 images could not be read: a.jpg (missing)'
    """

    def __init__(self, share: float = 0.01, least: int = 20) -> None:
        if not 0 <= share <= 1 or least < 0:
            raise ValueError(f"share {share} must lie in [0, 1] and least {least} be at least 0")
        self.share, self.least = share, least
        self.bad: dict[str, str] = {}
        self.outside: set[str] = set()
        self.good = 0
        self._lock = threading.Lock()

    def __contains__(self, path: object) -> bool:
        return path in self.bad

    def __len__(self) -> int:
        return len(self.bad)

    def passed(self) -> None:
        """Count an image that was read."""
        with self._lock:
            self.good += 1

    def add(self, path: str, reason: str) -> None:
        """Count and log an image that could not be read; once for each path.

        Raises:
            DatasetError: If there are too many by now.
        """
        with self._lock:
            if path in self.bad:
                return
            self.bad[path] = reason
            bad, asked = len(self.bad), len(self.bad) + self.good
        logger.warning("%s: %s; skipped (%d so far)", path, reason, bad)
        if bad > self.least and bad > self.share * asked:
            raise TooManyFaultsError(
                f"too many images cannot be read: {self.summary()}; allowed are {self.least}, or "
                f"{self.share:.1%} if that is more. Check the data set: siamtrack data check"
            )

    def add_outside(self, path: str) -> None:
        """Count an image with a target outside it: no fault of the image, which others may use."""
        with self._lock:
            if path not in self.outside:
                self.outside.add(path)
                logger.warning("%s: a box outside the image; skipped", path)

    def summary(self, names: int = 3) -> str:
        """Say in one line how many images were skipped, and name the first."""
        first = ", ".join(f"{path} ({reason})" for path, reason in list(self.bad.items())[:names])
        more = f" and {len(self.bad) - names} more" if len(self.bad) > names else ""
        text = f"{len(self.bad)} of {len(self.bad) + self.good} images could not be read"
        text += f": {first}{more}" if first else ""
        if self.outside:
            text += f"; in {len(self.outside)} images, such as {min(self.outside)}, a box lies "
            text += "outside the image"
        return text


class TooManyFaultsError(DatasetError):
    """So many images cannot be read that training on the rest would not be what was asked for."""


KEPT = 1 << 24
"""Bytes of freed memory that the process keeps at least, under glibc."""


class ImageCache:
    """Decoded images, at most `capacity` bytes, the oldest out first. Safe between threads."""

    def __init__(self, capacity: int = 4 << 30, faults: Faults | None = None) -> None:
        self.capacity = capacity
        self.faults = Faults() if faults is None else faults
        self._images: OrderedDict[str, Image] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        # Once so much was freed, glibc keeps what is freed for the next array: without it, loaders
        # spend a sixth of their time in the system's zeroing of pages
        np.empty(KEPT, np.uint8)

    def __reduce__(self) -> tuple[type[ImageCache], tuple[int]]:
        """Give another process an empty memory of the same size."""
        return type(self), (self.capacity,)

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
