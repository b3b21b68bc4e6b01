"""Where to look for a lost target: more of the frame, a few windows at a time.

Each frame shows the network the window around the last box and a few others of a grid over the
whole frame, nearest first, so that the cost of a frame stays bounded.
"""

from __future__ import annotations

import numpy as np

from siamtrack.core.boxes import Array, centres
from siamtrack.tracking.crops import Window, square_window

OVERLAP = 0.5
"""Step of the grid as a share of the window: a target on a border is whole in the next window."""


def grid_centres(last: Array, side: float, width: int, height: int) -> Array:
    """Centres (N, 2) of windows of `side` pixels that cover the frame, the nearest to `last` first.

    Example:
        >>> grid_centres(np.array([0.0, 0.0, 10.0, 10.0]), 50.0, 100, 50).tolist()
        [[25.0, 25.0], [50.0, 25.0], [75.0, 25.0]]
    """
    x, y = (_places(length, side) for length in (width, height))
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    distance = np.hypot(*(grid - centres(last)).T)
    return np.asarray(grid[np.argsort(distance, kind="stable")], dtype=np.float64)


def _places(length: int, side: float) -> Array:
    if side >= length:
        return np.array([length / 2])
    count = int(np.ceil((length - side) / (OVERLAP * side))) + 1
    return np.linspace(side / 2, length - side / 2, count)


def extra_windows(
    near: Window, last: Array, shape: tuple[int, int], turn: int, count: int
) -> list[Window]:
    """Return the `count` windows of the grid whose turn it is.

    Args:
        near: The window around the last box; the others have its size.
        last: The last box, ltwh (4,).
        shape: Height and width of the frame.
        turn: How many frames the target has been lost for, from 0.
        count: Windows a frame.
    """
    height, width = shape
    places = grid_centres(last, near.width, width, height)
    chosen = {(turn * count + k) % len(places) for k in range(count)}
    return [
        square_window(float(places[k][0]), float(places[k][1]), near.width, near.size)
        for k in sorted(chosen)
    ]
