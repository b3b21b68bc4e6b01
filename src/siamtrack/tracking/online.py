"""A classifier learned while tracking: which cells of the search feature are the target's.

The network was trained on other objects; what stands beside this target it has never seen. Ridge
regression on the cells of the frames so far tells the two apart, in closed form: with up to a
hundred channels, that is one small linear system a frame.

The idea of learning target against background online comes from correlation filters (Henriques et
al., "KCF", TPAMI 2015, https://arxiv.org/abs/1404.7584) and was joined to Siamese matching by,
among others, Danelljan et al., "ATOM", CVPR 2019, https://arxiv.org/abs/1811.07628.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from siamtrack.core.boxes import Array
from siamtrack.core.settings import OnlineSettings
from siamtrack.tracking.decode import Map, cell_centers

Floats = NDArray[np.float32]
OWN, TRUE, CLEAR = 0.3, 0.3, 0.6
"""Which cells are the target's: deviation of the truth as a share of a side of the box, least truth
of a cell that counts as the target, share of a side from which on a cell is clearly outside."""
SINGLE_THREADED = 2**18
"""Multiplications up to which OpenBLAS, which is in NumPy's wheels, multiplies in one thread."""


@dataclass(frozen=True, slots=True)
class Cells:
    """A search feature (C, H * W) as the classifier sees it: cells of unit length, and a constant.

    The feature keeps its length; what it has to be multiplied with goes into the small sides of the
    products instead: `factors` (H * W,), one over the length of each cell.
    """

    features: Array
    factors: Array
    shape: tuple[int, int]
    finite: bool


def cells(features: Floats) -> Cells:
    """Return the cells of a search feature (C, H, W)."""
    flat = features.reshape(len(features), -1).astype(np.float64)
    squares = np.einsum("cn,cn->n", flat, flat)
    factors = 1 / np.maximum(np.sqrt(squares), 1e-6)
    return Cells(flat, factors, features.shape[1:], math.isfinite(squares.sum()))


def aligned(features: Floats, shape: tuple[int, int]) -> Floats:
    """Return the cells of features (B, C, H', W') on which those of a response (H, W) stand.

    A response that comes from correlation has fewer cells, in the middle; where the difference is
    odd they stand between four cells, whose mean is returned.

    Example:
        >>> aligned(np.arange(5.0).reshape(1, 1, 1, 5).repeat(5, 2), (2, 2))[0, 0, 0].tolist()
        [1.5, 2.5]
    """
    extra = features.shape[2] - shape[0]
    if extra <= 0:
        return features
    first = extra // 2
    if extra % 2 == 0:
        return features[..., first : first + shape[0], first : first + shape[1]]
    corners = [
        features[..., y : y + shape[0], x : x + shape[1]]
        for y in (first, first + 1)
        for x in (first, first + 1)
    ]
    return np.asarray(sum(corners) / 4, dtype=features.dtype)


class OnlineClassifier:
    """Linear classifier of cells, one for each target.

    Args:
        settings: How fast it learns.
        stride: Pixels between two cells.
        patch: Side of the search patch, pixels.

    Example:
        >>> features = np.zeros((2, 5, 5), np.float32)
        >>> features[0] = 1.0  # background of one kind
        >>> features[:, 2, 2] = 0.0, 1.0  # and the target in the middle
        >>> one = OnlineClassifier(OnlineSettings(weight=0.5, ridge=0.01), stride=16, patch=81)
        >>> one.learn(cells(features), np.array([36.5, 36.5, 8.0, 8.0]))
        >>> scores = one.scores(cells(features))
        >>> bool(scores[2, 2] > scores[0, 0] + 0.3)
        True
    """

    def __init__(self, settings: OnlineSettings, stride: int, patch: int) -> None:
        self.settings, self.stride, self.patch = settings, stride, patch
        self._moments: Array | None = None
        self._targets: Array = np.zeros(0)
        self._weights: Array | None = None

    def learn(self, seen: Cells, box: Array, share: float | None = None) -> None:
        """Take in the cells of a frame, with the target ltwh (4,) in patch pixels.

        Cells in the middle of the box are the target, those clearly outside are not, the others say
        nothing. Both sides weigh the same however many cells they have. `share` in (0, 1] is the
        weight of this frame against all before; the first always counts fully.
        """
        truth, weight = self._labels(*seen.shape, box)
        moments, targets = _products(seen, weight), _sums(seen, weight * truth)
        if self._moments is None:
            self._moments, self._targets = moments, targets
        else:
            rate = self.settings.share if share is None else share
            self._moments *= 1 - rate
            self._moments += np.multiply(moments, rate, out=moments)
            self._targets = (1 - rate) * self._targets + rate * targets
        system, size = self._moments.copy(), len(self._moments)
        # the least part keeps the system solvable where no cell had a say
        system.flat[:: size + 1] += self.settings.ridge * np.trace(system) / size + 1e-9
        self._weights = np.linalg.solve(system, self._targets)

    def scores(self, seen: Cells) -> Map:
        """Return how much each cell looks like the target, (H, W) in [0, 1].

        Raises:
            ValueError: If nothing was learned yet.
        """
        if self._weights is None:
            raise ValueError("scores before learn: give it the first frame")
        flat = self._weights[:-1] @ seen.features
        flat *= seen.factors
        flat += self._weights[-1]
        np.minimum(np.maximum(flat, 0, out=flat), 1, out=flat)
        return flat.reshape(seen.shape).astype(np.float32)

    def mix(self, scores: Map, seen: Sequence[Cells], said: Sequence[Map] | None = None) -> Map:
        """Return the network's scores (B, H, W) of the windows seen, with these mixed in.

        `said` is what `scores` said about each; it is asked if None.
        """
        weight = self.settings.weight
        mixed = (1 - weight) * scores
        for index, own in enumerate(map(self.scores, seen) if said is None else said):
            mixed[index] += weight * own
        return mixed

    def familiarity(self, seen: Cells, x: float, y: float, said: Map | None = None) -> float:
        """Return the best score within a cell of a place in patch pixels; -1 outside the grid.

        `said` is what `scores` says about what is seen; it is asked if None.
        """
        scores = self.scores(seen) if said is None else said
        rows, columns = scores.shape
        row = round((y - self.patch / 2) / self.stride + (rows - 1) / 2)
        column = round((x - self.patch / 2) / self.stride + (columns - 1) / 2)
        near = scores[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        return float(near.max(initial=-1.0))

    def _labels(self, rows: int, columns: int, box: Array) -> tuple[Array, Array]:
        """Truth in [0, 1] and weight of each cell, (rows * columns,) both."""
        left, top, width, height = box.tolist()
        x = np.abs(cell_centers(columns, self.stride, self.patch) - (left + width / 2))
        y = np.abs(cell_centers(rows, self.stride, self.patch) - (top + height / 2))[:, None]
        # a target smaller than the grid still owns the cell next to its center
        rx, ry = max(OWN * width, self.stride), max(OWN * height, self.stride)
        truth = np.exp(-0.5 * ((x / rx) ** 2 + (y / ry) ** 2))
        inside = truth > TRUE
        outside = ((x > CLEAR * width) | (y > CLEAR * height)) & ~inside
        weight = inside / max(np.count_nonzero(inside), 1)
        weight += outside / max(np.count_nonzero(outside), 1)
        truth[outside] = 0.0
        return truth.ravel(), weight.ravel()


def _sums(seen: Cells, weight: Array) -> Array:
    """Weighted sum of all cells, and of the constant: (C + 1,)."""
    return np.append(seen.features @ (weight * seen.factors), weight.sum())


def _products(seen: Cells, weight: Array) -> Array:
    """Weighted sum of the outer products of cells and constant with themselves, (C + 1, C + 1).

    A few rows at a time, and only up to the diagonal: products so small that NumPy starts no
    threads, which would wait for the cores that the network's own threads still hold. In double
    precision: single would move a box by 1e-7 pixels, a pixel of the next crop by a level, and so
    the rest of the track.
    """
    features = seen.features
    weighted = features * (weight * seen.factors**2)
    (count, places), first = features.shape, 0
    total = np.empty((count + 1, count + 1), np.float64)
    own = total[:-1, :-1]
    while first < count:
        last = min(count, first + max(1, SINGLE_THREADED // ((count - first) * places)))
        part = weighted[first:last] @ features[first:].T
        own[first:last, first:] = part
        own[first:, first:last] = part.T
        first = last
    total[-1] = total[:, -1] = _sums(seen, weight)
    return total
