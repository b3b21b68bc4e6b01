"""A frame with rulers, to read a box off."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import ArrayLike

from siamtrack.core.images import Image

LONGEST = 1280
"""Pixels that the longer side of a picture has at least: small frames are magnified."""
MOST_LINES = 16
"""Lines across the longer side at most."""
LIGHT, DARK, GREEN = (255, 255, 255), (0, 0, 0), (0, 255, 0)


def ruled(image: Image, boxes: Iterable[ArrayLike] = ()) -> Image:
    """Return a picture of a frame with lines every so many pixels, numbered at its top and left.

    Args:
        image: RGB frame (H, W, 3). The numbers count its pixels, however large the picture is.
        boxes: Boxes (4,) ltwh to draw, to see whether they are right.

    Returns:
        RGB picture, a whole number of times as large as the frame.

    Example:
        >>> ruled(np.zeros((144, 176, 3), np.uint8)).shape
        (1152, 1408, 3)
    """
    height, width = image.shape[:2]
    factor = -(-LONGEST // max(height, width))
    canvas = np.array(image, dtype=np.uint8).repeat(factor, axis=0).repeat(factor, axis=1)
    step = spacing(max(height, width))
    lines = canvas.copy()
    for beside, colour in ((1, DARK), (0, LIGHT)):  # one of them shows on any ground
        lines[beside :: step * factor] = colour
        lines[:, beside :: step * factor] = colour
    canvas = np.asarray(cv2.addWeighted(lines, 0.5, canvas, 0.5, 0), dtype=np.uint8)
    size = max(canvas.shape) / 2400
    for left, top, wide, high in (np.asarray(box, np.float64) * factor for box in boxes):
        corners = np.rint([left, top, left + wide - 1, top + high - 1]).astype(int).tolist()
        cv2.rectangle(canvas, corners[:2], corners[2:], GREEN, max(2, round(4 * size)))
    for x in range(0, width, step):
        _number(canvas, x, (x * factor + 3, round(30 * size)), size)
    for y in range(step, height, step):
        _number(canvas, y, (3, y * factor + round(30 * size)), size)
    return canvas


def spacing(length: int) -> int:
    """Return how many pixels lines are apart: 1, 2 or 5 times a power of ten.

    Example:
        >>> spacing(640), spacing(1920), spacing(100)
        (50, 200, 10)
    """
    step = 1
    while step * MOST_LINES < length:
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    return step


def _number(canvas: Image, number: int, place: tuple[int, int], size: float) -> None:
    for colour, width in ((DARK, 4), (LIGHT, 1)):
        cv2.putText(
            canvas, str(number), place, cv2.FONT_HERSHEY_SIMPLEX, size,
            colour, max(1, round(width * size * 2)), cv2.LINE_AA,
        )  # fmt: skip
