"""Changes of appearance, drawn per sample. Images are uint8 RGB (H, W, 3)."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from siamtrack.core.boxes import Array
from siamtrack.tracking.crops import Image

CELL = 8
"""Pixels between two places at which a warp is computed."""
STEPS = 32
"""Levels of a byte that stand for one deviation of the grain."""


def color(image: Image, rng: np.random.Generator, strength: float = 0.3) -> Image:
    """Scale brightness, contrast and each channel by factors within 1 +- `strength`."""
    gain = 1 + rng.uniform(-strength, strength)
    channel = gain * (1 + rng.uniform(-strength, strength, 3) / 2)
    mean = sum(cv2.sumElems(image)) / image.size
    # One product of matrices, which vectors compute; tables are looked up byte by byte
    matrix = np.zeros((3, 4), np.float32)
    matrix[0, 0], matrix[1, 1], matrix[2, 2] = channel
    matrix[:, 3] = rng.uniform(-strength, strength) * 80 + (1 - gain) * mean * 0.5
    return np.asarray(cv2.transform(image, matrix), dtype=np.uint8)


def mirror(image: Image) -> Image:
    """Swap left and right."""
    return np.asarray(cv2.flip(image, 1), dtype=np.uint8)


def gray(image: Image) -> Image:
    """Remove all color."""
    single = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.cvtColor(single, cv2.COLOR_GRAY2RGB), dtype=np.uint8)


def blur(image: Image, rng: np.random.Generator) -> Image:
    """Blur by defocus or by motion in a random direction, 3 to 13 pixels."""
    side = int(rng.integers(1, 7)) * 2 + 1
    if rng.random() < 0.5:
        profile = cv2.getGaussianKernel(side, 0, cv2.CV_32F)
        return np.asarray(cv2.sepFilter2D(image, -1, profile, profile), dtype=np.uint8)
    kernel = np.zeros((side, side), np.float32)
    angle = rng.uniform(0, np.pi)
    reach = np.array([np.cos(angle), np.sin(angle)]) * (side // 2)
    middle = np.array([side // 2, side // 2])
    start, end = np.rint(middle - reach).astype(int), np.rint(middle + reach).astype(int)
    cv2.line(kernel, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), (1.0,))
    # Without rows and columns of zeros: OpenCV transforms by Fourier from 130 places on
    (x0, x1), (y0, y1) = (sorted(ends) for ends in zip(start.tolist(), end.tolist(), strict=True))
    line = kernel[y0 : y1 + 1, x0 : x1 + 1] / kernel.sum()
    anchor = (side // 2 - x0, side // 2 - y0)
    return np.asarray(cv2.filter2D(image, -1, line, anchor=anchor), dtype=np.uint8)


def low_resolution(image: Image, rng: np.random.Generator) -> Image:
    """Lose detail as a small or strongly compressed target does: shrink 2 to 4 times and back."""
    rows, cols = image.shape[:2]
    factor = rng.uniform(2.0, 4.0)
    least = max(1, int(cols / factor)), max(1, int(rows / factor))
    # close to the mean over the area that a pixel stands for, in a fifth of the time
    small = cv2.resize(cv2.blur(image, (3, 3)), least, interpolation=cv2.INTER_LINEAR)
    return np.asarray(
        cv2.resize(small, (cols, rows), interpolation=cv2.INTER_LINEAR), dtype=np.uint8
    )


def appearance(
    image: Image,
    rng: np.random.Generator,
    *,
    color: float = 0.8,
    strength: float = 0.3,
    blur: float = 0.15,
    low_resolution: float = 0.15,
    noise: float = 0.15,
) -> Image:
    """Apply a random selection of the above, as the search patch of a pair gets it.

    Args:
        image: Patch (H, W, 3).
        rng: Source of chance.
        color: Probability of a change of color, by at most `strength`.
        strength: See `color`.
        blur: Probability of a blur.
        low_resolution: Probability of a loss of detail.
        noise: Probability of noise, normal with a deviation of 2 to 10 levels.
    """
    if rng.random() < color:
        image = _color(image, rng, strength)
    if rng.random() < blur:
        image = _blur(image, rng)
    if rng.random() < low_resolution:
        image = _low_resolution(image, rng)
    if rng.random() < noise:
        image = _noise(image, rng, rng.uniform(2, 10))
    return image


_color, _blur, _low_resolution = color, blur, low_resolution  # also names of arguments above


@lru_cache(maxsize=4)
def _grain(count: int) -> NDArray[np.uint8]:
    """Return normal values as bytes (count,): 128 is zero, `STEPS` are one deviation."""
    values = np.random.default_rng(0).standard_normal(count, dtype=np.float32)
    return np.clip(np.rint(values * STEPS + 128), 0, 255).astype(np.uint8)


def _noise(image: Image, rng: np.random.Generator, deviation: float) -> Image:
    """Add normal noise, up to four deviations: a random piece of what is drawn once."""
    grain = _grain(max(1 << 20, 2 * image.size))
    first = int(rng.integers(grain.size - image.size + 1))
    piece = grain[first : first + image.size].reshape(image.shape)
    share = deviation / STEPS
    return np.asarray(cv2.addWeighted(image, 1.0, piece, share, -128 * share), dtype=np.uint8)


def warp(image: Image, box: Array, rng: np.random.Generator) -> tuple[Image, Array]:
    """Turn, shear and bend a patch (H, W, 3) about the middle of a box, as objects do that move.

    Angles are normal with a deviation of 15 degrees, one in eight is anything up to 90 degrees.
    The bend is a smooth random field of about 3 % of the box's size.

    Returns:
        The changed patch, mirrored at its borders, and the box (4,) ltwh: that of the ellipse in
        the old box after the change, since the corners of a box are seldom part of the object.
    """
    rows, cols = image.shape[:2]
    angle = rng.normal(0, 0.26) if rng.random() < 0.875 else rng.uniform(-np.pi / 2, np.pi / 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.array([[1.0, rng.normal(0, 0.08)], [rng.normal(0, 0.08), 1.0]])
    center = box[:2] + box[2:] / 2
    field = rng.normal(0, 0.03 * np.sqrt(box[2] * box[3]), (5, 5, 2)).astype(np.float32)
    # Where each pixel comes from: at every eighth one, with margins; between them it is linear
    wide, high = -(-cols // CELL) + 2, -(-rows // CELL) + 2
    origin = cv2.resize(field, (wide, high), interpolation=cv2.INTER_CUBIC)
    x, y = (int(part // CELL) + 1 for part in center.tolist())
    origin -= origin[min(max(y, 1), high - 2), min(max(x, 1), wide - 2)]
    inverse = np.linalg.inv(matrix).astype(np.float32)
    dx, dy = (
        (np.arange(count, dtype=np.float32) - 0.5) * CELL - np.float32(middle)
        for count, middle in ((wide, center[0]), (high, center[1]))
    )
    for axis in range(2):
        part = origin[..., axis]
        part += inverse[axis, 0] * dx + np.float32(center[axis] - 0.5)
        part += (inverse[axis, 1] * dy)[:, None]
    origin = cv2.resize(origin, (wide * CELL, high * CELL), interpolation=cv2.INTER_LINEAR)
    origin = origin[CELL : CELL + rows, CELL : CELL + cols]
    # as in `crops`: four channels take half the time of three
    four = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
    four = cv2.remap(  # type: ignore[call-overload]
        four, origin, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    patch = cv2.cvtColor(four, cv2.COLOR_RGBA2RGB)
    size = np.sqrt((matrix**2) @ (box[2:] ** 2))
    return np.asarray(patch, dtype=np.uint8), np.concatenate([center - size / 2, size])
