"""How long a media file says it is: the way to notice that its end is missing."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

_MP4_BOXES = frozenset(
    b"ftyp moov mdat free skip wide moof mfra sidx styp meta uuid pdin emsg".split()
)


def promised_bytes(path: Path) -> int | None:
    """Return the length in bytes that the headers of a file promise; None if they promise nothing.

    Understands MP4 and QuickTime boxes, AVI and Matroska or WebM. A file shorter than this is cut.
    """
    with path.open("rb") as file:
        head = file.read(12)
        if head[4:8] in _MP4_BOXES:
            return _mp4(file)
        if head[:4] == b"RIFF" and head[8:] == b"AVI ":
            size = int.from_bytes(head[4:8], "little")
            return None if size in (0, 0xFFFFFFFF) else size + 8  # those who cannot seek back
        if head[:4] == b"\x1a\x45\xdf\xa3":
            return _matroska(file)
    return None


def _mp4(file: BinaryIO) -> int | None:
    """Follow the boxes on the top level up to the first one that is unknown or past the end."""
    end = 0
    while True:
        file.seek(end)
        head = file.read(16)
        if len(head) < 8 or head[4:8] not in _MP4_BOXES:
            return end or None
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if size < 8:  # 0: this box reaches to the end of the file, wherever that is
            return None
        end += size


def _matroska(file: BinaryIO) -> int | None:
    """Return the end of the segment behind the EBML header."""
    file.seek(4)
    header = _variable_integer(file)
    if header is None:
        return None
    file.seek(header, 1)
    if file.read(4) != b"\x18\x53\x80\x67":
        return None
    size = _variable_integer(file)
    return None if size is None else file.tell() + size


def _variable_integer(file: BinaryIO) -> int | None:
    """Read an EBML length; None where all bits are set, which means that it is unknown."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    extra = 8 - first[0].bit_length()
    value = int.from_bytes(first + file.read(extra), "big")
    bits = 7 * (extra + 1)
    value &= (1 << bits) - 1
    return None if value == (1 << bits) - 1 else value
