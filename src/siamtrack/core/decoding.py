"""Decoding pictures that nobody vouches for: how large they say they are is read first.

A PNG of 3 MB can hold 900 million pixels of one colour, which fill 5 GB while they are decoded.
"""

from __future__ import annotations

import contextlib
import struct
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

MOST_PIXELS = 1 << 27
"""Larger pictures are refused: 134 million pixels, four times an 8K frame."""

_EXTRA_SAMPLES, _ASSOCIATED, _UNASSOCIATED = 338, 1, 2
"""TIFF's tag of what a fourth channel means, and two of its values."""
_JPEG_SIZES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})


def decode(data: NDArray[np.uint8], flags: int) -> NDArray[Any] | None:
    """Decode a picture with OpenCV.

    Args:
        data: Encoded bytes (N,).
        flags: As `cv2.imdecode` takes them.

    Returns:
        What OpenCV gives, or None where it is no picture, or one of more than `MOST_PIXELS`.
    """
    size = stated_size(data.tobytes()) if data.size else None
    if not data.size or (size is not None and size[0] * size[1] > MOST_PIXELS):
        return None
    with contextlib.suppress(cv2.error):
        return cv2.imdecode(_not_darkened(data), flags)
    return None


def _not_darkened(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a TIFF whose alpha is taken as multiplied in already, as OpenCV else multiplies it in.

    OpenCV asks libtiff for RGBA, which multiplies the colors by an alpha that is called
    unassociated: a picture would be darker than the same one as PNG, whose alpha is dropped.
    """
    head = data[:4].tobytes()
    if head not in (b"II*\0", b"MM\0*"):
        return data
    order, content = "<" if head[:1] == b"I" else ">", data.tobytes()
    with contextlib.suppress(struct.error):
        for entry in _tiff_entries(content, order):
            tag, kind, count, value = struct.unpack_from(order + "HHIH", content, entry)
            if (tag, kind, count, value) == (_EXTRA_SAMPLES, 3, 1, _UNASSOCIATED):
                changed = bytearray(content)
                struct.pack_into(order + "H", changed, entry + 8, _ASSOCIATED)
                return np.frombuffer(bytes(changed), np.uint8)
    return data


def _tiff_entries(data: bytes, order: str) -> range:
    """Return where the entries of the first directory of a TIFF begin."""
    (place,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, place)
    return range(place + 2, place + 2 + 12 * count, 12)


def stated_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height that the header of a PNG, JPEG, WebP, BMP or TIFF states.

    None for other formats, and where the header is damaged: OpenCV's own limit of 2**30 pixels
    holds for those.

    Example:
        >>> picture = cv2.imencode(".png", np.zeros((2, 3, 3), np.uint8))[1]
        >>> stated_size(picture.tobytes())
        (3, 2)
    """
    with contextlib.suppress(struct.error):
        if data[:8] == b"\x89PNG\r\n\x1a\n":
            width, height = struct.unpack_from(">II", data, 16)
            return width, height
        if data[:2] == b"\xff\xd8":
            return _jpeg(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
        if data[:2] == b"BM":
            width, height = struct.unpack_from("<ii", data, 18)
            return abs(width), abs(height)
        if data[:4] in (b"II*\0", b"MM\0*"):
            return _tiff(data, "<" if data[:1] == b"I" else ">")
    return None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    place = 2
    while data[place : place + 1] == b"\xff":
        kind, length = struct.unpack_from(">BH", data, place + 1)
        if kind in _JPEG_SIZES:
            height, width = struct.unpack_from(">HH", data, place + 5)
            return width, height
        if kind == 0xDA or length < 2:
            break
        place += 2 + length
    return None


def _webp(data: bytes) -> tuple[int, int] | None:
    if data[12:16] == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        return width, height
    return None  # 14 bits a side: at most twice MOST_PIXELS


def _tiff(data: bytes, order: str) -> tuple[int, int] | None:
    sides = {}
    for entry in _tiff_entries(data, order):
        tag, kind = struct.unpack_from(order + "HH", data, entry)
        if tag in (256, 257):
            (sides[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, entry + 8)
    return (sides[256], sides[257]) if len(sides) == 2 else None
