"""Frames of any common kind, turned into the one kind that this package works on."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Image: TypeAlias = NDArray[np.uint8]
"""A picture: uint8 RGB of shape (H, W, 3)."""

_ADVICE = "give uint8 RGB (H, W, 3); gray (H, W), RGBA, uint16 and floats in [0, 1] are converted"


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
    if np.ma.isMaskedArray(frame):
        raise ValueError("a masked array: fill what is masked first, with its method `filled`")
    array = _array_of_pil(frame) if _is_pil(frame) else np.asarray(frame)
    _check_shape(array.shape)
    if array.dtype == np.uint8 and array.shape[2:] == (3,):
        return np.ascontiguousarray(array)
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
    """Return an image of Pillow as an array that is gray or RGB; its mode tells what it holds.

    Raises:
        ValueError: If it is of a mode that has no colors.
    """
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
