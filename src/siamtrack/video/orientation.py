"""Turning frames upright as the display matrix of phone videos asks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from siamtrack.core.images import Image


def upright(image: Image, matrix: bytes | None) -> Image:
    """Return `image` as it is meant to be seen.

    Args:
        image: Picture (H, W, 3) as decoded.
        matrix: Display matrix of FFmpeg and of the MP4 track header, nine native 32-bit integers
            a b u c d v x y w, by which a point goes to (a x + c y, b x + d y); None: leave as is.
            Quarter turns and mirrorings are honoured; other angles go to the nearest quarter.

    Returns:
        Picture (H, W, 3), or (W, H, 3) after a quarter turn.

    Example:
        >>> picture = np.arange(6, dtype=np.uint8).reshape(2, 3, 1).repeat(3, axis=2)
        >>> clockwise = np.array([0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30], dtype=np.int32)
        >>> upright(picture, clockwise.tobytes())[..., 0].tolist()
        [[3, 0], [4, 1], [5, 2]]
    """
    if matrix is None:
        return image
    a, b, _, c, d = _numbers(matrix)[:5]
    if abs(a) + abs(d) >= abs(b) + abs(c):
        turned, mirror_x, mirror_y = image, a < 0, d < 0
    else:
        turned, mirror_x, mirror_y = image.transpose(1, 0, 2), c < 0, b < 0
    return np.ascontiguousarray(turned[:: -1 if mirror_y else 1, :: -1 if mirror_x else 1])


def _numbers(matrix: bytes) -> list[int]:
    """Return the nine integers of a display matrix."""
    numbers: NDArray[np.int32] = np.frombuffer(matrix, dtype=np.int32, count=9)
    return [int(number) for number in numbers]
