"""Masks: which pixels of a frame belong to an object, and the forms in which files hold that.

A pixel belongs to a polygon if its center lies inside (even-odd rule), and the outline of a mask
runs along the edges of its pixels: a mask is the same after the way to polygons and back, but for
its holes, which polygons of COCO, CVAT and YOLO do not have.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from siamtrack.core.boxes import Array

Bits = NDArray[np.bool_]
LARGEST = 2**28
"""Pixels of a frame, at most: what a damaged file states must not fill the memory."""
WIDEST = 2**26
"""Pixels of the window of a mask, at most, for the same reason."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """A rotated rectangle.

    Attributes:
        cx: Center x in frame pixels (continuous).
        cy: Center y.
        width: Length of the side that the angle belongs to.
        height: Length of the other side.
        angle: Degrees from the x-axis to the first side, clockwise as seen, in (0, 90].
    """

    cx: float
    cy: float
    width: float
    height: float
    angle: float

    @property
    def corners(self) -> Array:
        """Return the corners (4, 2), x and y, clockwise as seen; they may lie beyond the frame."""
        turn = math.radians(self.angle)
        side = np.array([math.cos(turn), math.sin(turn)]) * self.width / 2
        other = np.array([-math.sin(turn), math.cos(turn)]) * self.height / 2
        center = np.array([self.cx, self.cy])
        left, right = center - side, center + side
        return np.stack([left - other, right - other, right + other, left + other])


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """The pixels of one object in one frame.

    Attributes:
        pixels: Which pixels of the window belong to it, bool (h, w); (0, 0) if none does. The
            window is the smallest one.
        left: Column of the frame at which the window begins.
        top: Row of the frame at which it begins.
        shape: Height and width of the frame.

    Example:
        >>> frame = np.zeros((6, 8), bool)
        >>> frame[2:4, 3:7] = True
        >>> mask = Mask.of(frame)
        >>> mask.box, mask.area, mask.counts()
        ((3.0, 2.0, 4.0, 2.0), 8, [20, 2, 4, 2, 4, 2, 4, 2, 8])
        >>> [outline.tolist() for outline in mask.polygons()]
        [[[7.0, 2.0], [7.0, 4.0], [3.0, 4.0], [3.0, 2.0]]]
    """

    pixels: Bits
    left: int
    top: int
    shape: tuple[int, int]

    @classmethod
    def of(
        cls,
        pixels: ArrayLike,
        offset: tuple[int, int] = (0, 0),
        shape: tuple[int, int] | None = None,
    ) -> Mask:
        """Make a mask of a frame (H, W), or of a part of one; what is not zero belongs to it.

        Args:
            pixels: The frame, or a window of it that may reach beyond the frame.
            offset: Column and row of the window's first pixel.
            shape: Height and width of the frame; by default those of `pixels`.

        Raises:
            ValueError: If `pixels` has not two dimensions.
        """
        bits = np.asarray(pixels) != 0
        if bits.ndim != 2:
            raise ValueError(f"a mask of shape {bits.shape}: expected (height, width)")
        rows, columns = bits.shape if shape is None else shape
        left, top = offset
        # Cut off what lies beyond the frame, then what holds nothing
        first, above = max(0, -left), max(0, -top)
        bits = bits[above : max(0, rows - top), first : max(0, columns - left)]
        left, top = left + first, top + above
        x, y, width, height = cv2.boundingRect(bits.astype(np.uint8)) if bits.size else (0, 0, 0, 0)
        if not width:
            return cls(np.zeros((0, 0), bool), 0, 0, (rows, columns))
        window = np.ascontiguousarray(bits[y : y + height, x : x + width])
        return cls(window, left + x, top + y, (rows, columns))

    @property
    def area(self) -> int:
        """Number of pixels."""
        return int(np.count_nonzero(self.pixels))

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The box around it: left, top, width, height; all zero if the mask is empty."""
        height, width = self.pixels.shape
        return (float(self.left), float(self.top), float(width), float(height))

    def full(self) -> Bits:
        """Return the mask of the whole frame, bool (H, W)."""
        frame = np.zeros(self.shape, bool)
        height, width = self.pixels.shape
        frame[self.top : self.top + height, self.left : self.left + width] = self.pixels
        return frame

    def rotated(self) -> Rotated | None:
        """Return the rectangle of least area around its pixels; None if there are none."""
        if not self.area:
            return None
        # Of each row only the first and the last pixel can be corners
        rows = np.flatnonzero(self.pixels.any(axis=1))
        first = self.pixels[rows].argmax(axis=1) + self.left
        last = self.left + self.pixels.shape[1] - self.pixels[rows, ::-1].argmax(axis=1)
        ends, above = np.stack([first, last], axis=1), np.stack([rows, rows], axis=1) + self.top
        corners = [np.stack([ends, above + below], axis=2).reshape(-1, 2) for below in (0, 1)]
        points = np.concatenate(corners).astype(np.float32)
        (cx, cy), (width, height), angle = cv2.minAreaRect(points)
        while angle <= 0:  # OpenCV's range has changed from version to version
            width, height, angle = height, width, angle + 90
        return Rotated(float(cx), float(cy), float(width), float(height), float(angle))

    def polygons(self, tolerance: float = 0.0) -> list[Array]:
        """Return the outer outlines (n, 2) of its parts, x and y, the largest part first.

        Parts are connected by edges, not by corners; holes are filled.

        Args:
            tolerance: Pixels by which an outline may be off, with fewer corners; 0 follows every
                pixel. A part whose outline loses all its area is left out.
        """
        loops = [loop + np.array([self.left, self.top]) for loop in _loops(self.pixels)]
        if tolerance > 0:
            simple = [cv2.approxPolyDP(loop.astype(np.float32), tolerance, True) for loop in loops]
            loops = [np.asarray(loop[:, 0], np.float64) for loop in simple if len(loop) > 2]
        areas = [polygon_area(loop) for loop in loops]
        kept = sorted((k for k, area in enumerate(areas) if area > 0), key=lambda k: -areas[k])
        return [loops[k] for k in kept]

    def row_counts(self) -> list[int]:
        """Return run lengths of the window as VOT and CVAT have them: row by row, zeros first."""
        flat = np.concatenate([[False], self.pixels.ravel(), [False]])
        places = np.flatnonzero(flat[1:] != flat[:-1])
        counts: list[int] = np.diff(np.concatenate([[0], places])).tolist()
        rest = self.pixels.size - sum(counts)
        return [*counts, rest] if rest else counts

    def vot(self) -> str:
        """Return the text of VOT: `m`, left, top, width and height of the window, then its runs."""
        height, width = self.pixels.shape
        return "m" + ",".join(map(str, [self.left, self.top, width, height, *self.row_counts()]))

    def counts(self) -> list[int]:
        """Return run lengths as COCO has them: column by column over the frame, zeros first."""
        rows, columns = self.shape
        # Where runs begin and end, as numbers of pixels in the frame's columns one after another
        padded = np.pad(self.pixels.T, ((0, 0), (1, 1))).astype(np.int8)
        column, row = np.nonzero(np.diff(padded, axis=1))
        places = (column + self.left) * rows + row + self.top
        # A run that ends with a column and one that begins with the next are one run
        joined = np.flatnonzero(places[1:] == places[:-1])
        places = np.delete(places, np.concatenate([joined, joined + 1]))
        ends = np.concatenate([[0], places, [rows * columns]])
        counts: list[int] = np.diff(ends).tolist()
        return counts if counts[-1] or len(counts) == 1 else counts[:-1]

    def rle(self) -> dict[str, Any]:
        """Return COCO's compressed run lengths: `size` [height, width] and `counts`."""
        return {"size": list(self.shape), "counts": packed(self.counts())}


def polygon_area(points: Array) -> float:
    """Return the signed area of a polygon (n, 2): positive where it runs clockwise as seen."""
    x, y = points[:, 0], points[:, 1]
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def _loops(pixels: Bits) -> list[Array]:
    """Return the closed outlines (n, 2) along the edges of pixels, the inside at their right."""
    padded = np.pad(pixels, 1).astype(np.int8)
    # Longest straight runs of edges, keyed by the corner and direction in which they begin: right
    # along tops (1, 0), left along bottoms (-1, 0), down along right sides, up along left ones.
    edges: dict[tuple[int, int, int], tuple[int, int]] = {}
    for upright, change in ((False, np.diff(padded, axis=0)), (True, np.diff(padded, axis=1).T)):
        for sign in (1, -1):
            runs = np.diff((change == sign).astype(np.int8), axis=1, prepend=0, append=0)
            line, first = np.nonzero(runs == 1)
            last = np.nonzero(runs == -1)[1]
            # The padding shifts corners by one along the lines
            first, last = first - 1, last - 1
            forward = (sign == 1) != upright
            begins, ends = (first, last) if forward else (last, first)
            way = (2 if upright else 0) + (0 if forward else 1)
            for at, a, b in zip(line.tolist(), begins.tolist(), ends.tolist(), strict=True):
                key = (at, a, way) if upright else (a, at, way)
                edges[key] = (at, b) if upright else (b, at)
    # Link them. Where two pixels touch by a corner only, turn right and stay with the same one.
    right, left = (2, 3, 1, 0), (3, 2, 0, 1)
    loops: list[Array] = []
    while edges:
        (x, y, way), corner = edges.popitem()
        loop = [(x, y)]
        while corner != loop[0] or len(loop) < 4:
            loop.append(corner)
            turned = (*corner, right[way])
            way = right[way] if turned in edges else left[way]
            following = edges.pop((*corner, way), None)
            if following is None:
                break
            corner = following
        loops.append(np.array(loop, np.float64))
    return loops


def packed(counts: Iterable[int]) -> str:
    """Return run lengths as the text that COCO's own tools write.

    From the fourth on, a number is the difference to the one two places before; each is written in
    groups of five bits, lowest first, with a bit for "more follows", as characters from "0" on.

    Example:
        >>> packed([20, 2, 4, 2, 4, 2, 8]), unpacked("d0240004")
        ('d0240004', [20, 2, 4, 2, 4, 2, 8])
    """
    text, numbers = [], list(counts)
    for place, count in enumerate(numbers):
        value = count - numbers[place - 2] if place > 2 else count
        more = True
        while more:
            group = value & 31
            value >>= 5
            more = value != (-1 if group & 16 else 0)
            text.append(chr(48 + (group | (32 if more else 0))))
    return "".join(text)


def unpacked(text: str) -> list[int]:
    """Return the run lengths of COCO's text.

    Raises:
        ValueError: If it holds other characters, or ends within a number.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        group = ord(character) - 48
        if not 0 <= group < 64:
            raise ValueError(f"run lengths with the character {character!r}: expected '0' to 'o'")
        value |= (group & 31) << shift
        shift += 5
        if not group & 32:
            value -= (1 << shift) if group & 16 else 0
            counts.append(value + counts[-2] if len(counts) > 2 else value)
            value = shift = 0
    if shift:
        raise ValueError("run lengths end within a number")
    return counts


def from_counts(counts: Sequence[int], height: int, width: int) -> Mask:
    """Return the mask of run lengths, column by column, zeros first.

    Raises:
        ValueError: If one is negative, or they are not as many pixels as the frame has.
    """
    if not 0 < height * width <= LARGEST or min(height, width) < 1:
        raise ValueError(f"a mask of {width}x{height} pixels: expected 1 to {LARGEST} pixels")
    if any(not 0 <= count <= LARGEST for count in counts):
        raise ValueError(f"run lengths that are not 0 to {LARGEST}: expected numbers of pixels")
    lengths = np.array(counts, np.int64)
    if lengths.sum() != height * width:
        raise ValueError(f"run lengths of {lengths.sum()} pixels: the frame has {width}x{height}")
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return Mask.of(flat.reshape(width, height).T)


def window_of(counts: Sequence[int], width: int, height: int) -> Bits:
    """Return the pixels (height, width) of run lengths as VOT and CVAT have them, zeros first.

    They go row by row; the rest, where they end early, is zeros.

    Raises:
        ValueError: If one is negative, or they or the window have too many pixels.

    Example:
        >>> window_of([1, 2, 2, 1], 4, 2).astype(int).tolist()
        [[0, 1, 1, 0], [0, 1, 0, 0]]
    """
    if min(width, height, *counts) < 0 or width * height > WIDEST:
        raise ValueError(
            f"a rectangle of {width} x {height} with runs from {min(counts, default=0)}"
        )
    if (total := sum(counts)) > width * height:
        raise ValueError(f"its runs have {total} pixels, its rectangle {width} x {height}")
    flat = np.zeros(width * height, bool)
    flat[:total] = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return flat.reshape(height, width)


def from_polygons(polygons: Iterable[ArrayLike], height: int, width: int) -> Mask:
    """Return the mask of the pixels whose centers lie in one of the polygons (n, 2), x and y.

    Raises:
        ValueError: If a polygon has fewer than three corners, or one that is not finite.
    """
    frame = np.zeros((height, width), bool)
    for polygon in polygons:
        points = np.asarray(polygon, np.float64)
        if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3:
            raise ValueError(f"a polygon of shape {points.shape}: expected 3 corners x, y or more")
        if not np.isfinite(points).all():
            raise ValueError("a polygon with a corner that is not finite")
        frame |= _inside(points, height, width)
    return Mask.of(frame)


def _inside(points: Array, height: int, width: int) -> Bits:
    """Return which pixel centers of a frame (H, W) lie in a polygon, by the even-odd rule."""
    ends = np.roll(points, -1, axis=0)
    low, high = np.minimum(points[:, 1], ends[:, 1]), np.maximum(points[:, 1], ends[:, 1])
    rows = np.arange(height)[:, None] + 0.5
    row, edge = np.nonzero((low <= rows) & (rows < high))
    # Where edges cross the rows' centers; a pixel is inside if crossings at its left are odd
    (x0, y0), (x1, y1) = points[edge].T, ends[edge].T
    cross = x0 + (row + 0.5 - y0) * (x1 - x0) / (y1 - y0)
    column = np.clip(np.ceil(cross - 0.5), 0, width).astype(np.int64)
    turns = np.zeros((height, width + 1), np.int32)
    np.add.at(turns, (row, column), 1)
    return np.asarray(np.cumsum(turns[:, :width], axis=1) % 2 == 1)


def read_segmentation(value: object, height: int, width: int) -> Mask:
    """Return the mask of a COCO `segmentation`.

    Args:
        value: Run lengths, a mapping with `size` [height, width] and `counts` as text or a list;
            or polygons, a list of lists x, y, x, y, ...
        height: Height of the image, which a `size` must agree with.
        width: Width of the image.

    Raises:
        ValueError: If it is neither, or does not fit the image.
    """
    if isinstance(value, Mapping):
        size, counts = value.get("size"), value.get("counts")
        if size not in ([height, width], (height, width)):
            raise ValueError(f"a mask of size {size}: its image has [{height}, {width}]")
        if isinstance(counts, str):
            return from_counts(unpacked(counts), height, width)
        if isinstance(counts, list) and all(type(each) is int for each in counts):
            return from_counts(counts, height, width)
    elif isinstance(value, list) and value and all(isinstance(each, list) for each in value):
        if any(len(each) % 2 or len(each) < 6 for each in value):
            raise ValueError("a polygon of an odd number of values, or of fewer than six")
        if not all(type(number) in (int, float) for each in value for number in each):
            raise ValueError("a polygon with a value that is no number")
        flat = [np.array(each, np.float64).reshape(-1, 2) for each in value]
        return from_polygons(flat, height, width)
    raise ValueError(
        "no mask: expected run lengths {'size': [height, width], 'counts': ...} or polygons "
        "[[x, y, x, y, ...], ...]"
    )
