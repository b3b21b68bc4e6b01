"""Pictures laid over pictures: pieces of frames, soft masks, and what may hide a target.

What is pasted into a window, or stands behind a target, need not be cut to a fraction of a pixel as
the target is (`tracking.crops.cut`): whole pixels of the frame are resized, in a third of the time.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from siamtrack.core.boxes import Array
from siamtrack.tracking.crops import Image

Rectangle = tuple[float, float, float, float]
"""A rectangle ltwh of a frame, as numbers."""
Place = tuple[slice, slice]
"""Rows and columns of a patch."""


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
