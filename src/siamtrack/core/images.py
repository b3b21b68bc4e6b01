"""The one reader of images: which files are frames, how large they are, how they become pictures.

Videos made of images, data sets, training and the studio all read through here; they differ only in
the class of their errors. Nobody vouches for the files: a PNG of 3 MB can hold 900 million pixels
of one color, which fill 5 GB while they are decoded, so the size that a header states comes first.
"""

from __future__ import annotations

import contextlib
import os
import re
import struct
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from siamtrack.core.files import bytes_of, open_ordinary

Image: TypeAlias = NDArray[np.uint8]
"""A picture: uint8 RGB of shape (H, W, 3)."""

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
"""Endings of the names of images, in lower case; any case is read."""
MOST_PIXELS = 1 << 27
"""Larger pictures are refused: 134 million pixels, four times an 8K frame."""
IMAGENET_MEAN, IMAGENET_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""Mean and standard deviation of ImageNet's RGB channels in [0, 255]."""

_ADVICE = "give uint8 RGB (H, W, 3); gray (H, W), RGBA, uint16 and floats in [0, 1] are converted"
_EXTRA_SAMPLES, _ASSOCIATED, _UNASSOCIATED = 338, 1, 2
"""TIFF's tag of what a fourth channel means, and two of its values."""


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
    """Decode an image, bytes (N,), upright as its Exif data ask, as uint8 RGB (H, W, 3).

    Gray, palettes, CMYK, 16 bits and floats in [0, 1] become RGB as by `as_rgb`; alpha is dropped,
    and does not darken what is under it.

    Raises:
        ValueError: If it is cut short, no image, too large, or has values that are no colors. The
            message begins in the middle of a sentence, after the file's name.
    """
    # Decoders fill the missing part of a JPEG with gray, silently.
    if is_cut(data.tobytes()):
        raise ValueError("cut short, no end of the image in it")
    picture = decode(data, cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
    if picture is None:
        raise ValueError("damaged or not an image, or too large")
    if picture.ndim == 3 and picture.dtype == np.uint8:
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)
    return as_rgb(picture if picture.ndim == 2 else picture[..., ::-1])


def decode(data: NDArray[np.uint8], flags: int) -> NDArray[Any] | None:
    """Decode a picture, bytes (N,), with OpenCV and the `flags` of `cv2.imdecode`.

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
    content = data.tobytes() if data[:4].tobytes() in TIFF else b""
    with contextlib.suppress(struct.error):
        for tag, count, value, place in tiff_entries(BytesIO(content)):
            if (tag, count, value) == (_EXTRA_SAMPLES, 1, _UNASSOCIATED):
                changed = bytearray(content)
                order = "<" if content[:1] == b"I" else ">"
                struct.pack_into(order + "H", changed, place, _ASSOCIATED)
                return np.frombuffer(bytes(changed), np.uint8)
    return data


def as_rgb(frame: ArrayLike) -> Image:
    """Return `frame` as a uint8 RGB picture.

    Gray frames get three equal channels; the alpha channel of RGBA frames is dropped; 16-bit values
    are divided by 257 and rounded, so that 65535 becomes 255; floats are multiplied by 255 and
    rounded.

    Args:
        frame: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4); uint8, uint16, or floats in [0, 1].
            Colors in the order red, green, blue. Images of Pillow are converted by their mode:
            palettes, CMYK, HSV, LAB, YCbCr, 16 bits and so on.

    Returns:
        Picture (H, W, 3). It is `frame` itself where nothing had to be changed.

    Raises:
        ValueError: If the shape or the type is another one, such as a complex or a masked array,
            the frame has no pixels, or a float lies outside [0, 1] or is not finite.

    Example:
        >>> as_rgb(np.full((2, 4), 65535, dtype=np.uint16))[0, 0].tolist()
        [255, 255, 255]
        >>> as_rgb(np.zeros((3, 32, 64), dtype=np.uint8))
        Traceback (most recent call last):
        ValueError: a frame of shape (3, 32, 64): the channels come first; transpose it to ...
    """
    # What most callers give; a subclass, such as a masked array, is looked at below.
    if type(frame) is np.ndarray and frame.dtype == np.uint8 and frame.shape[2:] == (3,):
        plain: Image = frame
        if plain.size:
            return plain if plain.flags.c_contiguous else np.ascontiguousarray(plain)
    if "numpy.ma" in sys.modules and np.ma.isMaskedArray(frame):  # or nobody can have made one
        raise ValueError("a masked array: fill what is masked first, with its method `filled`")
    array = _array_of_pil(frame) if _is_pil(frame) else np.asarray(frame)
    _check_shape(array.shape)
    if array.dtype == np.uint8 and array.shape[2:] == (3,):
        return np.ascontiguousarray(array)
    # Drop alpha, scale to 8 bits, and repeat gray.
    if array.ndim == 2:
        array = array[..., None]
    eight = _eight_bits(array[..., :3])
    if eight.shape[2] == 1:
        eight = np.repeat(eight, 3, axis=2)
    return np.ascontiguousarray(eight)


def _is_pil(frame: object) -> bool:
    """Whether a frame is an image of Pillow, which need not be installed."""
    return type(frame).__module__.startswith("PIL.") and hasattr(frame, "convert")


def _array_of_pil(picture: Any) -> NDArray[np.generic]:
    """Return an image of Pillow as an array that is gray or RGB; its mode tells what it holds."""
    mode = str(picture.mode)
    if mode in ("L", "RGB", "RGBA", "RGBX", "F") or mode.startswith("I;16"):
        array: NDArray[np.generic] = np.asarray(picture)
        return array
    if mode == "I":  # 32 bits that most often hold 16
        wide = np.asarray(picture)
        if wide.size and not 0 <= wide.min() <= wide.max() < 1 << 16:
            raise ValueError(
                f"an image of mode I with values from {wide.min()} to {wide.max()}: expected 16 "
                "bits; convert it to L or RGB"
            )
        return wide.astype(np.uint16)
    if mode == "LAB":
        from PIL import ImageCms  # Pillow converts no LAB without a profile

        lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return np.asarray(ImageCms.profileToProfile(picture, lab, rgb, outputMode="RGB"))
    try:
        return np.asarray(picture.convert("L" if mode in ("1", "LA", "La") else "RGB"))
    except ValueError as error:
        raise ValueError(f"an image of mode {mode}: convert it to RGB ({error})") from error


def _check_shape(shape: tuple[int, ...]) -> None:
    """Raise `ValueError` unless `shape` is (H, W) or (H, W, 1 | 3 | 4) with pixels in it."""
    channels = (1, 3, 4)
    if len(shape) == 3 and shape[0] in channels and shape[2] not in channels:
        raise ValueError(
            f"a frame of shape {shape}: the channels come first; transpose it to (H, W, {shape[0]})"
        )
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] not in channels):
        raise ValueError(f"a frame of shape {shape}: {_ADVICE}")
    if 0 in shape:
        raise ValueError(f"a frame of shape {shape} has no pixels: {_ADVICE}")


def _eight_bits(array: NDArray[np.generic]) -> Image:
    """Return the values of `array` on the scale 0 to 255."""
    if array.dtype == np.uint8:
        return array.astype(np.uint8, copy=False)
    if np.issubdtype(array.dtype, np.uint16):  # in either byte order
        return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if np.issubdtype(array.dtype, np.floating):
        low, high = float(array.min()), float(array.max())
        if not (low >= 0.0 and high <= 1.0):
            raise ValueError(
                f"a float frame with values from {low:g} to {high:g}: expected [0, 1]; "
                "divide by the largest possible value, or convert to uint8"
            )
        rounded: NDArray[np.float32] = np.rint(array.astype(np.float32) * np.float32(255))
        return rounded.astype(np.uint8)
    raise ValueError(f"a frame of type {array.dtype}: {_ADVICE}")


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


def jpeg(picture: Image, width: int = 0, quality: int = 85) -> bytes:
    """Return RGB (H, W, 3) as JPEG, reduced to `width` pixels if it is wider; 0: as it is."""
    if width and picture.shape[1] > width:
        height = max(1, round(picture.shape[0] * width / picture.shape[1]))
        # whole factors are averaged well and fast; INTER_LINEAR is far quicker than INTER_AREA
        picture = np.asarray(cv2.resize(picture, (width, height)), dtype=np.uint8)
    flags = [cv2.IMWRITE_JPEG_QUALITY, quality]
    return bytes(cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), flags)[1])


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
