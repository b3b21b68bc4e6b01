"""What the first bytes of an image state, without decoding it: its size, and whether it is cut."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from siamtrack.core.files import open_ordinary

TIFF = (b"II*\0", b"MM\0*")
"""First bytes of a TIFF."""
_PNG = b"\x89PNG\r\n\x1a\n"
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # JPEG markers of a frame header
_EXIF, _SCAN, _END = 0xE1, 0xDA, -1
_WIDTH, _HEIGHT = 256, 257  # tags of TIFF


@dataclass(frozen=True)
class _Header:
    size: tuple[int, int]
    final: bool  # whether the decoded picture surely has this size: nothing may turn it


def stated_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height that the header of a PNG, JPEG, WebP, BMP or TIFF states.

    None for other formats, and where the header is damaged: OpenCV's own limit of 2**30 pixels
    holds for those.

    Example:
        >>> import cv2, numpy as np
        >>> picture = cv2.imencode(".png", np.zeros((2, 3, 3), np.uint8))[1]
        >>> stated_size(picture.tobytes())
        (3, 2)
    """
    header = _header(BytesIO(data))
    return None if header is None else header.size


def upright_size(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """Return width and height of the picture in a file, from the header of a PNG, JPEG or WebP.

    Returns:
        None where only decoding tells: other formats, damaged headers, and JPEG and WebP with Exif
        data, which may turn the picture.

    Raises:
        OSError: If it cannot be read, or is no ordinary file.
    """
    with open_ordinary(path) as file:
        header = _header(file)
    return header.size if header is not None and header.final else None


def _header(file: BinaryIO) -> _Header | None:
    """Read the header of an image that `file` begins with."""
    head = file.read(30)
    with contextlib.suppress(struct.error):
        if head[:8] == _PNG:
            width, height = struct.unpack_from(">II", head, 16)
            return _Header((width, height), final=True)
        if head[:2] == b"\xff\xd8":
            return _jpeg_header(file)
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return _webp_header(head)
        if head[:2] == b"BM":
            width, height = struct.unpack_from("<ii", head, 18)
            return _Header((abs(width), abs(height)), final=False)
        if head[:4] in TIFF:
            sides = {tag: value for tag, _, value, _ in tiff_entries(file)}
            if _WIDTH in sides and _HEIGHT in sides:
                return _Header((sides[_WIDTH], sides[_HEIGHT]), final=False)
    return None


def _jpeg_header(file: BinaryIO) -> _Header | None:
    final = True
    for kind, place in _jpeg_segments(file):
        final = final and kind != _EXIF
        if kind in _FRAMES:
            file.seek(place + 5)
            height, width = struct.unpack(">HH", file.read(4))
            return _Header((width, height), final)
    return None


def _jpeg_segments(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Yield kind and place of the segments of a JPEG, up to its scan, or `_END` if it ends before.

    What follows damaged segments is not yielded.
    """
    place = 2
    while True:
        file.seek(place)
        head = file.read(4)
        if head[:1] not in (b"", b"\xff"):
            return
        kind = head[1] if len(head) > 1 else _END
        if kind == 0xFF:  # a byte that fills up
            place += 1
            continue
        yield kind, place
        if kind in (_SCAN, _END):
            return
        place += 2 + int.from_bytes(head[2:], "big")


def is_cut(content: bytes) -> bool:
    """Whether `content` is a JPEG without its end.

    Whatever has an end of its own, such as a preview, comes before the scan.
    """
    if len(content) < 4 or content[:2] != b"\xff\xd8":
        return False
    for kind, place in _jpeg_segments(BytesIO(content)):
        if kind == _SCAN:
            return content.rfind(b"\xff\xd9") < place
        if kind == _END:
            return True
    return False


def _webp_header(head: bytes) -> _Header | None:
    kind = head[12:16]
    if kind == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", head, 26)
        return _Header((width & 0x3FFF, height & 0x3FFF), final=True)
    if kind == b"VP8L" and head[20:21] == b"\x2f":
        (bits,) = struct.unpack_from("<I", head, 21)
        return _Header(((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1), final=True)
    if kind == b"VP8X" and len(head) == 30:
        width, height = (int.from_bytes(head[at : at + 3], "little") + 1 for at in (24, 27))
        return _Header((width, height), final=not head[20] & 0x08)
    return None


def tiff_entries(file: BinaryIO) -> Iterator[tuple[int, int, int, int]]:
    """Yield tag, count, value and its place of the entries in the first directory of a TIFF."""
    file.seek(0)
    head = file.read(8)
    order = "<" if head[:1] == b"I" else ">"
    (directory,) = struct.unpack_from(order + "I", head, 4)
    file.seek(directory)
    (length,) = struct.unpack(order + "H", file.read(2))
    entries = file.read(12 * length)
    for place in range(0, 12 * length, 12):
        tag, kind, count = struct.unpack_from(order + "HHI", entries, place)
        # Where there are several values or long ones, this is the place of the first.
        (value,) = struct.unpack_from(order + ("H" if kind == 3 else "I"), entries, place + 8)
        yield tag, count, value, directory + 2 + place + 8
