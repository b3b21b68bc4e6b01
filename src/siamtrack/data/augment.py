"""Changes of appearance, drawn per sample. Images are uint8 RGB (H, W, 3)."""

from __future__ import annotations

import cv2
import numpy as np

from siamtrack.core.boxes import Array
from siamtrack.tracking.crops import Image

LEVELS = np.arange(256, dtype=np.float32)[:, None]


def color(image: Image, rng: np.random.Generator, strength: float = 0.3) -> Image:
    """Scale brightness, contrast and each channel by factors within 1 +- `strength`."""
    gain = 1 + rng.uniform(-strength, strength)
    channel = gain * (1 + rng.uniform(-strength, strength, 3) / 2)
    mean = sum(cv2.sumElems(image)) / image.size
    offset = rng.uniform(-strength, strength) * 80 + (1 - gain) * mean * 0.5
    table = LEVELS * channel.astype(np.float32) + offset
    lookup = np.clip(table, 0, 255).astype(np.uint8)[None]
    return np.asarray(cv2.LUT(image, lookup), dtype=np.uint8)


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
        return np.asarray(cv2.GaussianBlur(image, (side, side), 0), dtype=np.uint8)
    kernel = np.zeros((side, side), np.float32)
    angle = rng.uniform(0, np.pi)
    reach = np.array([np.cos(angle), np.sin(angle)]) * (side // 2)
    middle = np.array([side // 2, side // 2])
    start, end = np.rint(middle - reach).astype(int), np.rint(middle + reach).astype(int)
    cv2.line(kernel, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), (1.0,))
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), dtype=np.uint8)


def low_resolution(image: Image, rng: np.random.Generator) -> Image:
    """Lose detail as a small or strongly compressed target does: shrink 2 to 4 times and back."""
    rows, cols = image.shape[:2]
    factor = rng.uniform(2.0, 4.0)
    least = max(1, int(cols / factor)), max(1, int(rows / factor))
    small = cv2.resize(image, least, interpolation=cv2.INTER_AREA)
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


def _noise(image: Image, rng: np.random.Generator, deviation: float) -> Image:
    """Add normal noise, a few rows at a time, which stay in the processor's cache."""
    noisy = np.empty_like(image)
    for first in range(0, len(image), 16):
        rows = image[first : first + 16]
        grain = rng.standard_normal(rows.shape)
        grain *= deviation
        grain += rows
        np.clip(grain.astype(np.int16), 0, 255, out=noisy[first : first + 16], casting="unsafe")
    return noisy


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
    bend = cv2.resize(field, (cols, rows), interpolation=cv2.INTER_CUBIC)
    x = int(np.clip(center[0], 0, cols - 1))
    y = int(np.clip(center[1], 0, rows - 1))
    bend_x, bend_y = (part - part[y, x] for part in cv2.split(bend))
    inverse = np.linalg.inv(matrix).astype(np.float32)
    dx = np.arange(cols, dtype=np.float32)[None] + 0.5 - np.float32(center[0])
    dy = np.arange(rows, dtype=np.float32)[:, None] + 0.5 - np.float32(center[1])
    map_x = inverse[0, 0] * dx + inverse[0, 1] * dy + bend_x + np.float32(center[0] - 0.5)
    map_y = inverse[1, 0] * dx + inverse[1, 1] * dy + bend_y + np.float32(center[1] - 0.5)
    # as in `crops`: four channels take half the time of three
    wide = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
    wide = cv2.remap(wide, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    patch = cv2.cvtColor(wide, cv2.COLOR_RGBA2RGB)
    size = np.sqrt((matrix**2) @ (box[2:] ** 2))
    return np.asarray(patch, dtype=np.uint8), np.concatenate([center - size / 2, size])
