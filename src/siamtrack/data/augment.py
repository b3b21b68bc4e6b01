"""Changes of patches, drawn per sample: appearance, shape, and pictures laid over pictures.

Images are uint8 RGB (H, W, 3). What is pasted into a window, or stands behind a target, need not be
cut to a fraction of a pixel as the target is (`tracking.crops.cut`): whole pixels of the frame are
resized, in a third of the time.
"""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from siamtrack.core.boxes import Array
from siamtrack.tracking.crops import Image

Rectangle = tuple[float, float, float, float]
"""A rectangle ltwh of a frame, as numbers."""
Place = tuple[slice, slice]
"""Rows and columns of a patch."""

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
    part = grain[first : first + image.size].reshape(image.shape)
    share = deviation / STEPS
    return np.asarray(cv2.addWeighted(image, 1.0, part, share, -128 * share), dtype=np.uint8)


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


def piece(frame: Image, box: Rectangle, size: tuple[int, int]) -> Image:
    """Show a rectangle of a frame (H, W, 3), black beyond it, to within half a pixel.

    Where the rectangle has at least twice as many pixels a side as asked for, whole blocks of the
    frame are averaged first, so that nothing aliases.

    Args:
        frame: What to show.
        box: The rectangle ltwh, in frame pixels.
        size: Width and height of the result, each above 0.

    Returns:
        The picture, uint8 (height, width, 3).

    Example:
        >>> frame = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
        >>> piece(frame, (1.1, 2.0, 2.8, 1.0), (3, 1))[..., 0].tolist()
        [[27, 30, 33]]
        >>> piece(frame, (3.0, 3.0, 2.0, 1.0), (4, 1))[..., 0].tolist()
        [[45, 45, 0, 0]]
    """
    left, top, width, height = box
    columns, x0, x1 = _seen(left, width, frame.shape[1], size[0])
    rows, y0, y1 = _seen(top, height, frame.shape[0], size[1])
    shown = (x1 - x0, y1 - y0)
    if min(shown) <= 0:
        return np.zeros((size[1], size[0], 3), np.uint8)
    part = frame[rows, columns]
    fx, fy = (max(1, side // out) for side, out in zip(part.shape[1::-1], shown, strict=True))
    if fx > 1 or fy > 1:
        # OpenCV averages whole blocks ten to twenty times faster
        small = (part.shape[1] // fx, part.shape[0] // fy)
        whole = part[: small[1] * fy, : small[0] * fx]
        part = np.asarray(cv2.resize(whole, small, interpolation=cv2.INTER_AREA), np.uint8)
    resized = np.asarray(cv2.resize(part, shown, interpolation=cv2.INTER_LINEAR), np.uint8)
    if shown == size:
        return resized
    found = np.zeros((size[1], size[0], 3), np.uint8)
    found[y0:y1, x0:x1] = resized
    return found


def _seen(first: float, length: float, limit: int, size: int) -> tuple[slice, int, int]:
    """Return the pixels of a frame's side that a range covers, and where of `size` they stand."""
    start = round(first)
    stop = max(start + 1, round(first + length))
    low, high = min(max(start, 0), limit), min(max(stop, 0), limit)
    scale = size / (stop - start)
    begin, end = round((low - start) * scale), round((high - start) * scale)
    return slice(low, high), begin, end if high > low else begin


def soft_mask(size: int, box: Array, rng: np.random.Generator) -> tuple[NDArray[np.uint8], Place]:
    """Return a soft mask (h, w) of a box, grown a little, and its place in a patch of `size`.

    The mask is a rectangle or an ellipse, 255 within and zero elsewhere. It has no pixels where the
    box lies outside the patch.
    """
    grow, is_box, side = rng.uniform(1.0, 1.25), rng.random() < 0.5, 2 * int(rng.integers(0, 4)) + 1
    left, top, width, height = box.tolist()
    x, y, half_x, half_y = left + width / 2, top + height / 2, width * grow / 2, height * grow / 2
    reach_x, reach_y = (max(half * 1.1, 1) + side // 2 + 2 for half in (half_x, half_y))
    x0, x1 = _within(x, reach_x, size)
    y0, y1 = _within(y, reach_y, size)
    mask, place = np.zeros((y1 - y0, x1 - x0), np.uint8), (slice(y0, y1), slice(x0, x1))
    if not mask.size:
        return mask, place
    if is_box:
        start = (round(x - half_x) - x0, round(y - half_y) - y0)
        end = (round(x + half_x) - x0, round(y + half_y) - y0)
        cv2.rectangle(mask, start, end, (255,), -1)
    else:
        axes = (max(1, round(half_x * 1.1)), max(1, round(half_y * 1.1)))
        cv2.ellipse(mask, (round(x) - x0, round(y) - y0), axes, 0, 0, 360, (255,), -1)
    return np.asarray(cv2.blur(mask, (side, side)), np.uint8) if side > 1 else mask, place


def _within(middle: float, reach: float, size: int) -> tuple[int, int]:
    """Return the first pixel of a range about `middle`, and the one after the last."""
    low, high = math.floor(middle - reach), math.ceil(middle + reach)
    return min(max(low, 0), size), min(max(high, 0), size)


def lay_over(under: Image, over: Image, mask: NDArray[np.uint8]) -> None:
    """Lay a picture over another one, in place, as far as a mask says; all three are (h, w)."""
    wide = cv2.merge([mask, mask, mask])
    shares = ((over, wide), (under, cv2.bitwise_not(wide)))
    top, rest = (cv2.multiply(part, share, scale=1 / 255) for part, share in shares)
    cv2.add(top, rest, dst=under)


def hides(box: Array, by: Array) -> bool:
    """Whether `by` overlaps a box by an IoU above 0.1, or covers more than a quarter of it."""
    shared = area = other = 1.0
    first, second = box.tolist(), by.tolist()
    for low, side, start, extent in zip(first, first[2:], second, second[2:], strict=False):
        high, end = low + side, start + extent
        shared *= max(min(high, end) - max(low, start), 0.0)
        area, other = area * (high - low), other * (end - start)
    return bool(
        shared / (area + other - shared) > 0.1 or shared / max(first[2] * first[3], 1e-9) > 0.25
    )
