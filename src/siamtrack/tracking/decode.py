"""Where a network looks, and how its response becomes a box: one decoder for each kind of model.

The functions below the decoders are pure functions of NumPy arrays.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from siamtrack.core.boxes import Array, centers
from siamtrack.core.registry import Registry
from siamtrack.packages.card import Card
from siamtrack.runtimes.base import Floats, Response
from siamtrack.tracking.crops import (
    Window,
    context_side,
    square_window,
    template_side,
    whole_window,
)

Map = NDArray[np.float32]
F = TypeVar("F", bound=np.floating[Any])

EXTRA_WINDOWS = 3
"""Windows beside the usual one in which a lost target is searched, in each frame."""
OVERLAP = 0.5
"""Step of the grid of these as a share of the window: what is on a border is whole in the next."""


@dataclass(frozen=True, slots=True)
class Detection:
    """Where the target was found: ltwh (4,) in frame pixels, in one of the windows searched.

    `presence` is the logit that it is there, `score` that of the cell that was chosen.
    """

    box: Array
    presence: float
    score: float = 0.0
    window: int = 0


@dataclass(frozen=True, slots=True)
class Expectation:
    """Where the target should be in the next frame.

    `shift` (2,) is from the center of its last box, in frame pixels; `spread` the deviation around
    that place, in sizes of the target (square root of the area of its box).
    """

    shift: Array
    spread: float

    def likelihood(self, size: float, cells: int, step: float) -> Array:
        """Return how likely each cell of a response is (cells, cells), 1 at the expected place.

        Args:
            size: Square root of the area of the last box, in frame pixels.
            cells: Cells along a side; the middle one lies on the center of the last box.
            step: Distance of two cells in frame pixels.

        Example:
            >>> Expectation(np.array([8.0, 0.0]), 0.5).likelihood(16, 3, 8.0)[1].round(3).tolist()
            [0.135, 0.607, 1.0]
        """
        away = _from_middle(cells) * step - self.shift[:, None]  # of columns and rows, (2, cells)
        away /= size * self.spread
        away *= away
        away *= -0.5
        x, y = np.exp(away, out=away)
        return np.asarray(y[:, None] * x, np.float64)


class Decoder(ABC):
    """What is asked of one kind of model in a frame, and what its response means.

    It holds no state of a target. A subclass that is registered in `DECODERS` adds a kind, which
    cards may then name. With `redetect`, more and more of the frame is searched while it is lost.
    """

    learns: ClassVar[bool] = False
    """Whether the online classifier applies: its scores have the cells and range of the model's."""

    def __init__(self, card: Card, *, redetect: bool = False) -> None:
        self.card, self.settings, self.redetect = card, card.tracker, redetect

    @abstractmethod
    def windows(
        self, last: Array, shape: tuple[int, int], frames: int, lost_for: int
    ) -> list[Window]:
        """Return the windows to search in a frame, `lost_for` frames after the target was lost."""

    @abstractmethod
    def decode(
        self,
        last: Array,
        windows: Sequence[Window],
        response: Response,
        expected: Expectation | None = None,
    ) -> Detection | None:
        """Read the best box (4,) ltwh in frame pixels, near the last and where it is expected.

        Returns:
            The best box; None if the response is not finite where it matters.
        """

    def mixed(self, first: Floats, recent: Floats, share: float) -> Floats:
        """Join the kernel of the first template and of a recent one, which has this share."""
        return first

    def span(self, scores: Map) -> tuple[float, float]:
        """Return where scores begin and how far they reach, to mix them with others in [0, 1]."""
        return 0.0, 1.0

    def search_square(self, last: Array) -> tuple[float, float, float]:
        """Return center and side of the usual search window, in frame pixels."""
        left, top, width, height = last.tolist()
        side = template_side(width, height, self.settings.context, self.settings.area)
        side *= self.card.search / self.card.template
        return left + width / 2, top + height / 2, side


DECODERS: Registry[type[Decoder]] = Registry("kind of model")
"""Kind of a model, as its card says, to the class that reads its responses."""


@DECODERS.register("box")
class BoxDecoder(Decoder):
    """Reads the box at the best cell of a box head: score times penalty, mixed with the window.

    The size follows slowly where the score is low, as in SiamRPN (Li et al., CVPR 2018), but no
    slower than `size_floor` allows. With re-detection there is no such floor: a target that is lost
    may have left, and comes back with its size.
    """

    learns = True

    def __init__(self, card: Card, *, redetect: bool = False) -> None:
        super().__init__(card, redetect=redetect)
        self._size_floor = 0.0 if redetect else self.settings.size_floor

    def windows(
        self, last: Array, shape: tuple[int, int], frames: int, lost_for: int
    ) -> list[Window]:
        """Return the window around the last box, and more of the frame to find the target again."""
        windows = [whole_window(*self.search_square(last), self.card.search)]
        turn = lost_for - self.settings.presence.patience
        if self.redetect and turn >= 0:
            windows += extra_windows(windows[0], last, shape, turn, EXTRA_WINDOWS)
        return windows

    def decode(
        self,
        last: Array,
        windows: Sequence[Window],
        response: Response,
        expected: Expectation | None = None,
    ) -> Detection | None:
        """Read the best box of the first window, or of another one that surely shows the target."""
        best = self._best_cell(last, windows, response, 0, expected)
        width, height = last[2:].tolist()
        for index, window in enumerate(windows[1:], start=1):
            # as if the target had last been seen in the middle of that window
            middle = np.array([window.cx - width / 2, window.cy - height / 2, width, height])
            other = self._best_cell(middle, windows, response, index)
            presence = self.settings.presence
            if other is None or presence.score(other.presence) < presence.tracked_from:
                continue
            if best is None or other.presence > best.presence:
                best = other
        return best

    def mixed(self, first: Floats, recent: Floats, share: float) -> Floats:
        """Join two kernels: a mean.

        In one of cells (1, T * T + 2, C) these stay as long as they were: similarity is a cosine,
        and the mean of two unlike cells would be too short for one. A SiamRPN's kernel
        (1, C, h, w) is a filter, and so is the mean.
        """
        joined = (1 - share) * first + share * recent
        if joined.ndim != 3:
            return joined.astype(np.float32)
        cells = joined[:, :-2]
        first_length, recent_length, length = (
            np.linalg.norm(each[:, :-2], axis=-1, keepdims=True) for each in (first, recent, joined)
        )
        wanted = (1 - share) * first_length + share * recent_length
        cells *= wanted / np.maximum(length, 1e-6)
        return joined.astype(np.float32)

    def _best_cell(
        self,
        last: Array,
        windows: Sequence[Window],
        response: Response,
        index: int,
        expected: Expectation | None = None,
    ) -> Detection | None:
        window, settings = windows[index], self.settings
        if response.distances is None:
            return None
        score = response.score[index]  # (H, W), or (K, H, W) with K boxes a cell
        distances = response.distances[index].astype(np.float64)
        with np.errstate(invalid="ignore"):  # infinities of both signs
            # one value that is not finite shows in the sum; of float32 it cannot overflow
            total = np.add.reduce(score, axis=None, dtype=np.float64)
            total += np.add.reduce(distances, axis=None)
        if not math.isfinite(total):
            return None
        # Choose a cell: it scores high, where the target is expected (near the middle if nobody
        # knows better), for a box of about the last size.
        last_left, last_top, last_width, last_height = last.tolist()
        _, _, width, height = window.sides_in_patch(last_left, last_top, last_width, last_height)
        left, top, right, bottom = distances
        penalty = change_penalty(left + right, top + bottom, width, height, settings.penalty)
        if expected is None:
            places: Map | Array = cosine_window(*score.shape[-2:], settings.rim)
            weight = settings.window
        else:
            step = self.card.stride * window.width / window.size
            length = math.sqrt(last_width * last_height)
            places = expected.likelihood(length, score.shape[-1], step)
            weight = settings.motion.weight
        cell = best_cell(score * penalty, places, weight)
        # Take the center of its box, and a share of its size; in plain numbers, since each call of
        # NumPy takes a few microseconds after the network.
        sides = distances[:, cell[0]] if len(cell) == 3 else distances
        row, column = cell[-2:]
        box = box_at(sides, row, column, self.card.stride, self.card.search)
        left_, top_, wide, high = window.sides_in_frame(*box.tolist())
        chosen, likely = float(score[cell]), float(penalty[cell])
        rate = settings.size_rate * max(chosen, self._size_floor) * likely
        w = (1 - rate) * last_width + rate * wide
        h = (1 - rate) * last_height + rate * high
        found = np.array([left_ + wide / 2 - w / 2, top_ + high / 2 - h / 2, w, h])
        presence = 0.0 if response.presence is None else float(response.presence[index])
        return Detection(found, presence, chosen, index)


@DECODERS.register("response")
class ResponseDecoder(Decoder):
    """Reads displacement and scale from the responses (S, H, W) of SiamFC to a scale pyramid.

    Bertinetto et al., "Fully-Convolutional Siamese Networks", 2016, section 3.3: the enlarged
    responses compete, other scales are penalised, the winner is mixed with the cosine window.
    """

    learns = True

    def span(self, scores: Map) -> tuple[float, float]:
        """Return the least response to all scales, and how far the highest lies above it."""
        low, high = float(scores.min()), float(scores.max())
        spread = high - low
        return (low, spread) if math.isfinite(spread) and spread > 0 else (0.0, 1.0)

    def windows(
        self, last: Array, shape: tuple[int, int], frames: int, lost_for: int
    ) -> list[Window]:
        """Return one window for each scale, or that of the last size alone between two of these."""
        settings = self.settings
        cx, cy, side = self.search_square(last)
        count = settings.scales if frames % settings.scale_every == 0 else 1
        return [
            square_window(cx, cy, side * settings.scale_step**exponent, self.card.search)
            for exponent in range(-(count // 2), count - count // 2)
        ]

    def decode(
        self,
        last: Array,
        windows: Sequence[Window],
        response: Response,
        expected: Expectation | None = None,
    ) -> Detection | None:
        """Read the highest peak of all scales."""
        settings, maps = self.settings, response.score
        if not np.isfinite(maps).all():
            return None
        middle = len(windows) // 2
        large = [_enlarged(each, settings.up) for each in maps]
        peaks, lows = (np.array([value(each) for each in large]) for value in (np.max, np.min))
        if not np.isfinite(peaks - lows).all():  # the largest float32 overflow between the cells
            return None
        # Choose a scale: a trained bias makes responses negative where nothing fits, and a penalty
        # always lowers.
        lower = np.where(peaks > 0, settings.penalty, 1 / max(settings.penalty, 1e-6))
        peaks *= np.where(np.arange(len(peaks)) == middle, 1.0, lower)
        best = int(peaks.argmax())
        # Choose a place in its response: high, and where the target is expected (near the middle if
        # nobody knows better).
        view, step = windows[best], self.card.stride / settings.up
        spread = large[best] - lows[best]
        places: Map | Array = cosine_window(*spread.shape, settings.rim)
        weight = settings.window
        if expected is not None:
            length = math.sqrt(float(last[2] * last[3]))
            zoom = view.width / view.size
            places = expected.likelihood(length, spread.shape[-1], step * zoom)
            weight = settings.motion.weight
        row, column = best_cell(
            spread / max(float(spread.sum()), 1e-12),
            places / max(float(places.sum()), 1e-12),
            weight,
        )
        # Move there from the last box, and take a share of the change of scale.
        rows, columns = spread.shape
        offset = np.array([column - (columns - 1) / 2, row - (rows - 1) / 2]) * step
        center = centers(last) + offset * view.width / view.size
        factor = view.width / windows[middle].width
        rate = settings.size_rate
        size = last[2:] * ((1 - rate) + rate * factor)
        peak = float(maps[best].max())
        score = settings.presence.score(peak)
        return Detection(np.concatenate([center - size / 2, size]), peak, score, best)


def _enlarged(response: Floats, up: int) -> Array:
    size = (response.shape[1] * up, response.shape[0] * up)
    return np.asarray(cv2.resize(response, size, interpolation=cv2.INTER_CUBIC), dtype=np.float64)


def best_cell(scores: Map | Array, window: Map | Array, influence: float) -> tuple[int, ...]:
    """Row and column of the peak of scores (H, W) mixed with the cosine window (H, W).

    (1 - influence) * scores + influence * window, as in SiamFC and SiamRPN. A score that is not
    finite never wins, unless there is no other. Of scores (K, H, W), the place among the K leads.

    Example:
        >>> best_cell(np.array([[-9.0, np.nan, -5.0]]), cosine_window(1, 3), 0.1)
        (0, 2)
    """
    with np.errstate(invalid="ignore"):  # none of infinity
        mixed = (1 - influence) * scores + influence * window
    best = int(mixed.argmax())
    # What was chosen is not finite where a score is infinite or no number.
    if not math.isfinite(mixed.item(best)):
        good = np.isfinite(scores)
        mixed = (1 - influence) * np.where(good, scores, 0.0) + influence * window
        mixed[~good] = -np.inf
        best = int(mixed.argmax())
    rest, column = divmod(best, mixed.shape[-1])
    if mixed.ndim == 2:
        return rest, column
    return (*divmod(rest, mixed.shape[-2]), column)


@lru_cache(maxsize=16)
def cosine_window(rows: int, columns: int, rim: int = 1) -> Map:
    """Hann window (rows, columns), 1 in the middle, 0 in the cell `rim` beyond the edge; read-only.

    Example:
        >>> cosine_window(3, 3)[1].round(2).tolist()
        [0.5, 1.0, 0.5]
    """
    y, x = (np.hanning(cells + 2 * rim)[rim : rim + cells] for cells in (rows, columns))
    return _fixed(np.outer(y, x).astype(np.float32))


@lru_cache(maxsize=16)
def cell_centers(count: int, stride: int, patch: int) -> Array:
    """Patch coordinates (count,) of the cells along a side, the grid in the middle; read-only.

    Example:
        >>> cell_centers(3, 16, 65).tolist()
        [16.5, 32.5, 48.5]
    """
    cells = np.arange(count, dtype=np.float64)
    return _fixed((cells - (count - 1) / 2) * stride + patch / 2)


@lru_cache(maxsize=16)
def _from_middle(cells: int) -> Array:
    return _fixed(np.arange(cells, dtype=np.float64) - (cells - 1) / 2)


def _fixed(array: NDArray[F]) -> NDArray[F]:
    """Make an array read-only, which many callers share."""
    array.flags.writeable = False
    return array


def box_at(distances: Array, row: int, column: int, stride: int, patch: int) -> Array:
    """Return the box ltwh (4,) of one cell of side distances (4, H, W), all in patch pixels."""
    _, rows, columns = distances.shape
    left, top, right, bottom = distances[:, row, column].tolist()
    x = cell_centers(columns, stride, patch)[column]
    y = cell_centers(rows, stride, patch)[row]
    return np.array([x - left, y - top, left + right, top + bottom])


def change_penalty(
    widths: Array, heights: Array, width: float, height: float, strength: float
) -> Array:
    """Factor in (0, 1] that disfavors boxes whose size or aspect differs from the last.

    exp(-strength * (r * s - 1)) with the change of aspect r and of size s, both at least 1. Li et
    al., "SiamRPN", CVPR 2018, section 4.3. `widths` and `heights` of the candidates have one shape;
    all sides are in patch pixels.
    """
    w, h = np.maximum(widths, 1e-3), np.maximum(heights, 1e-3)
    margin = 0.5 * (w + h)
    size = np.sqrt((w + margin) * (h + margin)) / context_side(width, height)
    aspect = (w / h) / (width / height)
    change = np.maximum(size, 1 / size) * np.maximum(aspect, 1 / aspect)
    return np.asarray(np.exp(-strength * (change - 1)), dtype=np.float64)


def extra_windows(
    near: Window, last: Array, shape: tuple[int, int], turn: int, count: int
) -> list[Window]:
    """Return the `count` windows of a grid over the frame whose turn it is, to find a lost target.

    The cost of a frame stays bounded, and in time all of it is searched, the nearest first. They
    have the size of `near`, the window around the last box (4,) ltwh; `shape` is that of the frame.
    """
    height, width = shape
    places = grid_centers(last, near.width, width, height)
    chosen = {(turn * count + k) % len(places) for k in range(count)}
    return [
        square_window(float(places[k][0]), float(places[k][1]), near.width, near.size)
        for k in sorted(chosen)
    ]


def grid_centers(last: Array, side: float, width: int, height: int) -> Array:
    """Centers (N, 2) of windows of `side` pixels that cover the frame, the nearest to `last` first.

    Example:
        >>> grid_centers(np.array([0.0, 0.0, 10.0, 10.0]), 50.0, 100, 50).tolist()
        [[25.0, 25.0], [50.0, 25.0], [75.0, 25.0]]
    """
    x, y = (_places(length, side) for length in (width, height))
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    distance = np.hypot(*(grid - centers(last)).T)
    return np.asarray(grid[np.argsort(distance, kind="stable")], dtype=np.float64)


def _places(length: int, side: float) -> Array:
    if side >= length:
        return np.array([length / 2])
    count = int(np.ceil((length - side) / (OVERLAP * side))) + 1
    return np.linspace(side / 2, length - side / 2, count)
