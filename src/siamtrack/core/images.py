"""The one reader of images: which files are frames, and how a file becomes a picture.

Videos made of images, data sets and training all read through here; they differ only in the class
of their errors.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from siamtrack.core.decoding import decode
from siamtrack.core.frames import Image, as_rgb
from siamtrack.core.reading import bytes_of

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
"""Endings of the names of images, in lower case; any case is read."""


def natural_key(path: Path) -> list[tuple[int, str]]:
    """Return a sort key by which numbers in names count as numbers.

    Example:
        >>> [p.name for p in sorted([Path("img10.png"), Path("img2.png")], key=natural_key)]
        ['img2.png', 'img10.png']
    """
    parts = re.split(r"([0-9]+)", str(path))
    key = [(int(part[:4000]), "") if part.isdecimal() else (-1, part.casefold()) for part in parts]
    return [*key, (-1, str(path))]


def image_files(paths: Iterable[Path]) -> list[Path]:
    """Return those of `paths` whose names end like images, in natural order.

    Hidden files are left out, as shells do: macOS puts ._name.jpg beside every name.jpg.
    """
    images = (p for p in paths if p.suffix.lower() in IMAGE_SUFFIXES and p.name[0] != ".")
    return sorted(images, key=natural_key)


def encoded(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Return the bytes (N,) of an image file; names of any characters work.

    Raises:
        OSError: If it cannot be read, or is no ordinary file.
    """
    return np.frombuffer(bytes_of(path), np.uint8)


def picture_of(data: NDArray[np.uint8]) -> Image:
    """Decode an image, upright as its EXIF data ask, as uint8 RGB (H, W, 3).

    Gray, palettes, CMYK, 16 bits and floats in [0, 1] become RGB as by
    `siamtrack.core.frames.as_rgb`; alpha is dropped, and does not darken what is under it.

    Args:
        data: Encoded bytes (N,).

    Raises:
        ValueError: If it is cut short, no image, too large, or has values that are no colors. The
            message begins in the middle of a sentence, after the file's name.
    """
    if is_cut(data):
        raise ValueError("cut short, no end of the image in it")
    picture = decode(data, cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
    if picture is None:
        raise ValueError("damaged or not an image, or too large")
    if picture.ndim == 3 and picture.dtype == np.uint8:
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)
    return as_rgb(picture if picture.ndim == 2 else picture[..., ::-1])


def is_cut(data: NDArray[np.uint8]) -> bool:
    """Whether `data` is a JPEG without its end; decoders fill the rest with gray, silently.

    Whatever has an end of its own, such as a preview, comes before the scan.
    """
    if data.size < 4 or data[0] != 0xFF or data[1] != 0xD8:
        return False
    content = data.tobytes()
    place = 2
    while content[place : place + 1] == b"\xff":
        marker = content[place + 1 : place + 2]
        if marker == b"\xda":
            return content.rfind(b"\xff\xd9") < place
        if marker == b"\xff":  # a byte that fills up
            place += 1
            continue
        place += 2 + int.from_bytes(content[place + 2 : place + 4], "big")
    return place >= len(content)
