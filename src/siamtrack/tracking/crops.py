"""Windows around a target, and the one function that cuts them out of a frame.

Training and tracking both go through here, so that a network sees in use what it saw in training.
This is the only place where continuous coordinates become pixel indices (index = continuous - 0.5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from siamtrack.core.boxes import Array
from siamtrack.core.images import Image as Image

WARP = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
LARGEST = 2**25
"""Bytes of a four-channel frame up to which it pays: what C's allocator keeps for the next one."""
VECTOR = 64
"""Columns that the widest vectors of a processor hold, and more."""


def context_side(width: float, height: float, context: float = 0.5) -> float:
    """Side of the square template window: sqrt((w + c)(h + c)) with c = context * (w + h).

    Bertinetto et al., "Fully-Convolutional Siamese Networks", 2016,
    https://arxiv.org/abs/1606.09549, section 3.1 (there p = (w + h) / 4 on either side).

    Example:
        >>> context_side(30, 30)
        60.0
    """
    margin = context * (width + height)
    return math.sqrt((width + margin) * (height + margin))


def template_side(width: float, height: float, context: float, area: float = 0.0) -> float:
    """Side of the square template window, in pixels, for a box of width x height pixels.

    It is `area` times the square root of the box's area, or `context_side` where that is 0.

    Example:
        >>> template_side(20, 80, 0.5), template_side(20, 80, 0.5, area=2.0)
        (95.39392014169457, 80.0)
    """
    return area * math.sqrt(width * height) if area else context_side(width, height, context)


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of the frame that is shown to the network as a square patch.

    Attributes:
        cx: Center x in frame pixels (continuous).
        cy: Center y in frame pixels.
        width: Width in frame pixels.
        height: Height in frame pixels.
        size: Side of the patch in patch pixels.

    Example:
        >>> window = Window(50.0, 40.0, 64.0, 64.0, 128)
        >>> window.to_patch([50.0, 40.0, 4.0, 4.0]).tolist()
        [64.0, 64.0, 8.0, 8.0]
        >>> window.to_frame([64.0, 64.0, 8.0, 8.0]).tolist()
        [50.0, 40.0, 4.0, 4.0]
    """

    cx: float
    cy: float
    width: float
    height: float
    size: int

    def to_patch(self, boxes: ArrayLike) -> Array:
        """Map boxes ltwh (..., 4) from frame pixels to patch pixels."""
        array = np.asarray(boxes, dtype=np.float64)
        return (array - self._origin()) * self._scale()

    def sides_in_patch(
        self, left: float, top: float, width: float, height: float
    ) -> tuple[float, float, float, float]:
        """Map one box as `to_patch` does, to the bit; plain numbers take a tenth of the time."""
        x, y = self.size / self.width, self.size / self.height
        left, top = left - (self.cx - self.width / 2), top - (self.cy - self.height / 2)
        return left * x, top * y, width * x, height * y

    def sides_in_frame(
        self, left: float, top: float, width: float, height: float
    ) -> tuple[float, float, float, float]:
        """Map one box as `to_frame` does, to the bit; plain numbers take a tenth of the time."""
        x, y = self.size / self.width, self.size / self.height
        left, top = left / x + (self.cx - self.width / 2), top / y + (self.cy - self.height / 2)
        return left, top, width / x, height / y

    def to_frame(self, boxes: ArrayLike) -> Array:
        """Map boxes ltwh (..., 4) from patch pixels to frame pixels."""
        array = np.asarray(boxes, dtype=np.float64)
        return array / self._scale() + self._origin()

    def _origin(self) -> Array:
        return np.array([self.cx - self.width / 2, self.cy - self.height / 2, 0.0, 0.0])

    def _scale(self) -> Array:
        x, y = self.size / self.width, self.size / self.height
        return np.array([x, y, x, y])


def square_window(cx: float, cy: float, side: float, size: int) -> Window:
    """Return the square window of `side` frame pixels, seen as `size` patch pixels."""
    return Window(cx, cy, side, side, size)


def whole_window(cx: float, cy: float, side: float, size: int) -> Window:
    """Return the square window nearest to `square_window` that consists of whole pixels.

    It is cut in half the time, and what is found in it is mapped back exactly.

    Example:
        >>> whole_window(50.2, 40.0, 64.3, 128)
        Window(cx=50.0, cy=40.0, width=64.0, height=64.0, size=128)
    """
    whole = max(1.0, float(round(side)))
    half = whole / 2
    return Window(round(cx - half) + half, round(cy - half) + half, whole, whole, size)


def is_inside(window: Window, frame: Image) -> bool:
    """Whether a window is so far inside a frame that `cut` shows nothing beyond it.

    Example:
        >>> frame = np.zeros((100, 200, 3), np.uint8)
        >>> is_inside(Window(50.0, 50.0, 80.0, 80.0, 80), frame)
        True
        >>> is_inside(Window(40.0, 50.0, 80.0, 80.0, 80), frame)
        False
    """
    rows, columns = frame.shape[:2]
    x, y = (side / 2 + 2 * side / window.size + 2 for side in (window.width, window.height))
    return bool(x <= window.cx <= columns - x and y <= window.cy <= rows - y)


def cut(
    frame: Image,
    window: Window,
    border: ArrayLike | Image = (0, 0, 0),
    out: Image | None = None,
    part: tuple[slice, slice] | None = None,
) -> Image:
    """Cut a window out of a frame, with bilinear interpolation.

    Where the window has at least twice as many pixels a side as the patch, the frame is averaged
    down first, so that large targets do not alias. A window that consists of whole pixels shows
    these alone: towards its edges nothing is mixed in from outside.

    Args:
        frame: RGB image (H, W, 3), uint8.
        window: What to cut; it may reach beyond the frame or lie outside it.
        border: What stands beyond the frame: a color (3,), or a patch (size, size, 3) to show
            through.
        out: Where to write the patch: contiguous uint8 (size, size, 3), a new array if None.
        part: Rows and columns of the patch that are wanted; None: all. The others hold anything.

    Returns:
        The patch (size, size, 3), uint8.

    Raises:
        ValueError: If `border` is neither a color nor a patch of the right shape, or `out` is not
            as described.

    Example:
        >>> frame = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
        >>> cut(frame, square_window(3.0, 2.0, 2.0, 2))[..., 0].tolist()
        [[18, 21], [30, 33]]
    """
    size = window.size
    fill: NDArray[Any] = border if isinstance(border, np.ndarray) else np.asarray(border)
    if fill.shape not in ((3,), (size, size, 3)):
        raise ValueError(
            f"a border of shape {fill.shape}: give a color (3,) or a patch ({size}, {size}, 3)"
        )
    patch: Image = np.empty((size, size, 3), np.uint8) if out is None else out
    if patch.shape != (size, size, 3) or patch.dtype != np.uint8 or not patch.flags.c_contiguous:
        raise ValueError(
            f"out of shape {patch.shape} and type {patch.dtype}: give a contiguous uint8 array "
            f"({size}, {size}, 3)"
        )
    rows, cols = frame.shape[:2]
    left, top = window.cx - window.width / 2, window.cy - window.height / 2
    sx, sy = size / window.width, size / window.height
    fx, fy = max(1, int(1 / sx)), max(1, int(1 / sy))
    x, y, width, height = int(left), int(top), int(window.width), int(window.height)
    is_whole = left == x and top == y and window.width == width and window.height == height
    if fill.ndim == 1 and fx == fy == 1 and is_whole:
        pixels = _pixels(frame, x, y, (width, height), fill)
        cv2.resize(pixels, (size, size), dst=patch, interpolation=cv2.INTER_LINEAR)
        return patch
    if fx > 1 or fy > 1:
        # whole blocks of fx x fy pixels that cover the visible part of the window
        x0 = min(max(math.floor(left) - fx, 0), cols - 1)
        y0 = min(max(math.floor(top) - fy, 0), rows - 1)
        x1 = min(cols, math.ceil(left + window.width) + fx)
        y1 = min(rows, math.ceil(top + window.height) + fy)
        x0, x1 = _whole_blocks(x0, x1, cols, fx)
        y0, y1 = _whole_blocks(y0, y1, rows, fy)
        if x1 <= x0 or y1 <= y0:
            frame = frame[:1, :1]
            left, top = float(cols), float(rows)
        else:
            seen = frame[y0:y1, x0:x1]
            small = (max(1, (x1 - x0) // fx), max(1, (y1 - y0) // fy))
            rx, ry = small[0] / (x1 - x0), small[1] / (y1 - y0)
            frame = np.asarray(cv2.resize(seen, small, interpolation=cv2.INTER_AREA), np.uint8)
            left, top, sx, sy = (left - x0) * rx, (top - y0) * ry, sx / rx, sy / ry
    # patch index u has center u + 0.5, which is x = left + (u + 0.5) / sx, and index x - 0.5
    matrix = np.array(
        [[1 / sx, 0.0, left + 0.5 / sx - 0.5], [0.0, 1 / sy, top + 0.5 / sy - 0.5]], np.float64
    )
    _warp(frame, matrix, patch, fill, part)
    return patch


def spread(
    values: NDArray[np.float32], window: Window, shape: tuple[int, int]
) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """Map values of a patch back to the pixels of the frame, the inverse of `cut`.

    Args:
        values: (size, size), one for each pixel of the patch.
        window: Where the patch was cut.
        shape: Height and width of the frame.

    Returns:
        Values (h, w) for the part of the frame that the window covers, interpolated, and column and
        row of the first of them. (0, 0) where the window lies outside the frame.
    """
    rows, columns = shape
    left, top = window.cx - window.width / 2, window.cy - window.height / 2
    x0, y0 = max(0, math.floor(left)), max(0, math.floor(top))
    x1 = min(columns, math.ceil(left + window.width))
    y1 = min(rows, math.ceil(top + window.height))
    if x1 <= x0 or y1 <= y0:
        return np.zeros((0, 0), np.float32), (0, 0)
    sx, sy = window.size / window.width, window.size / window.height
    # The center of pixel x of the part is x0 + x + 0.5, which is index (... - left) * sx - 0.5
    matrix = np.array(
        [[sx, 0.0, (x0 + 0.5 - left) * sx - 0.5], [0.0, sy, (y0 + 0.5 - top) * sy - 0.5]]
    )
    part = cv2.warpAffine(
        values, matrix, (x1 - x0, y1 - y0), flags=WARP, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(part, np.float32), (x0, y0)


def _pixels(frame: Image, left: int, top: int, size: tuple[int, int], fill: Array) -> Image:
    """Return a rectangle of a frame, (height, width, 3), with a color beyond the frame."""
    (rows, cols), (width, height) = frame.shape[:2], size
    if left >= 0 and top >= 0 and left + width <= cols and top + height <= rows:
        return frame[top : top + height, left : left + width]
    x0, x1 = (min(max(x, 0), cols) for x in (left, left + width))
    y0, y1 = (min(max(y, 0), rows) for y in (top, top + height))
    part = frame[y0:y1, x0:x1]
    whole: Image = np.empty((height, width, 3), np.uint8)
    whole[:] = np.rint(fill)
    whole[y0 - top : y1 - top, x0 - left : x1 - left] = part
    return whole


def _whole_blocks(first: int, last: int, length: int, block: int) -> tuple[int, int]:
    """Give up pixels of the margin, which is `block` wide, until only whole blocks are left.

    OpenCV averages whole blocks ten to twenty times faster. Where the range spans the whole side of
    the frame there is no margin, and it stays as it is.
    """
    excess = (last - first) % block if last > first else 0
    if first > 0:
        return first + excess, last
    return first, last - excess if last < length else last


def _warp(
    frame: Image, matrix: Array, patch: Image, fill: Array, part: tuple[slice, slice] | None
) -> None:
    """Fill the wanted part of a patch (size, size, 3), with `fill` beyond the frame.

    By way of a fourth channel: OpenCV 5 warps four more than twice as fast as three, to the same
    values. It is filled only where the patch will be read from. In frames so large that every new
    array is zeroed by the system, that would cost more than it saves.
    """
    size = patch.shape[0]
    options: dict[str, Any] = {"flags": WARP, "borderMode": cv2.BORDER_TRANSPARENT}
    if fill.ndim == 1:
        options |= {"borderMode": cv2.BORDER_CONSTANT, "borderValue": (*fill.tolist(), 0.0)}
    else:
        patch[:] = fill
    if 4 * frame.shape[0] * frame.shape[1] > LARGEST:
        cv2.warpAffine(frame, matrix, (size, size), dst=patch, **options)
        return
    # All rows and columns up to the last one wanted; where vectors end, values are rounded anew
    rows, columns = (size, size) if part is None else (part[0].stop, part[1].stop)
    columns = min(-(-columns // VECTOR) * VECTOR, size)
    (step_x, _, left), (_, step_y, top) = matrix.tolist()
    read = (_span(top, rows * step_y), _span(left, columns * step_x))
    wide = np.empty((*frame.shape[:2], 4), np.uint8)
    if frame[read].size:
        cv2.cvtColor(frame[read], cv2.COLOR_RGB2RGBA, dst=wide[read])
    wanted = patch[:rows, :columns]
    four = None if fill.ndim == 1 else cv2.cvtColor(wanted, cv2.COLOR_RGB2RGBA)
    four = cv2.warpAffine(wide, matrix, (columns, rows), dst=four, **options)
    cv2.cvtColor(four, cv2.COLOR_RGBA2RGB, dst=wanted)


def _span(first: float, length: float) -> slice:
    """Indices from `first` on, with the neighbors and what rounding may shift."""
    return slice(max(math.floor(first) - 2, 0), max(math.ceil(first + length) + 2, 0))


def mean_color(frame: Image) -> Array:
    """Mean of each channel (3,) of an image (H, W, 3): what SiamFC shows beyond the frame."""
    return np.asarray(cv2.mean(frame)[:3], dtype=np.float64)
