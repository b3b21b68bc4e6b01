"""A classifier learned while tracking: which cells of the search feature are the target's.

The network was trained on other objects; what stands beside this target it has never seen. Ridge
regression on the cells of the frames so far tells the two apart, in closed form: with up to a
hundred channels, that is one small linear system a frame.

The idea of learning target against background online comes from correlation filters (Henriques et
al., "KCF", TPAMI 2015, https://arxiv.org/abs/1404.7584) and was joined to Siamese matching by,
among others, Danelljan et al., "ATOM", CVPR 2019, https://arxiv.org/abs/1811.07628.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from siamtrack.boxes import Array
from siamtrack.response import Map, cell_centres
from siamtrack.settings import OnlineSettings

Floats = NDArray[np.float32]
SINGLE_THREADED = 2**18
"""Multiplications up to which OpenBLAS, which is in NumPy's wheels, multiplies in one thread."""


class Discriminator:
    """Linear classifier of cells, one for each target.

    Args:
        settings: How fast it learns.
        stride: Pixels between two cells.
        patch: Side of the search patch, pixels.

    Example:
        >>> features = np.zeros((2, 5, 5), np.float32)
        >>> features[0] = 1.0  # background of one kind
        >>> features[:, 2, 2] = 0.0, 1.0  # and the target in the middle
        >>> one = Discriminator(OnlineSettings(weight=0.5, ridge=0.01), stride=16, patch=81)
        >>> one.learn(cells(features), np.array([36.5, 36.5, 8.0, 8.0]))
        >>> scores = one.scores(cells(features))
        >>> bool(scores[2, 2] > scores[0, 0] + 0.3)
        True
    """

    def __init__(self, settings: OnlineSettings, stride: int, patch: int) -> None:
        self.settings, self.stride, self.patch = settings, stride, patch
        self._moments: Array | None = None
        self._targets: Array = np.zeros(0)
        self._weights: Floats | None = None

    def learn(self, seen: Floats, box: Array, share: float | None = None) -> None:
        """Take in a frame.

        Cells in the middle of the box are the target, those clearly outside are not, the ones
        between say nothing. Both sides weigh the same however many cells they have.

        Args:
            seen: `cells` of the search feature, (H, W, C + 1).
            box: The target in patch pixels, ltwh (4,).
            share: Weight of this frame against all before it, in (0, 1]; the settings' rate if
                None. The first frame always counts fully.
        """
        flat = seen.reshape(-1, seen.shape[2])
        truth, weight = self._labels(seen.shape[0], seen.shape[1], box)
        moments = _products(flat, weight)
        targets = ((weight * truth).astype(np.float32) @ flat).astype(np.float64)
        if self._moments is None:
            self._moments, self._targets = moments, targets
        else:
            rate = self.settings.rate if share is None else share
            self._moments = (1 - rate) * self._moments + rate * moments
            self._targets = (1 - rate) * self._targets + rate * targets
        self._weights = None

    def scores(self, seen: Floats) -> Map:
        """Return how much each of `cells` (H, W, C + 1) looks like the target, (H, W) in [0, 1].

        Raises:
            ValueError: If nothing was learned yet.
        """
        if self._moments is None:
            raise ValueError("scores before learn: give it the first frame")
        if self._weights is None:
            system, size = self._moments.copy(), len(self._moments)
            # the least part keeps the system solvable where no cell had a say
            system.flat[:: size + 1] += self.settings.ridge * np.trace(system) / size + 1e-9
            self._weights = np.linalg.solve(system, self._targets).astype(np.float32)
        return np.asarray((seen @ self._weights).clip(0, 1), dtype=np.float32)

    def _labels(self, rows: int, columns: int, box: Array) -> tuple[Array, Array]:
        """Truth in [0, 1] and weight of each cell, (rows * columns,) both."""
        left, top, width, height = box.tolist()
        x = np.abs(cell_centres(columns, self.stride, self.patch) - (left + width / 2))
        y = np.abs(cell_centres(rows, self.stride, self.patch) - (top + height / 2))[:, None]
        # a target smaller than the grid still owns the cell next to its centre
        rx, ry = max(0.3 * width, self.stride), max(0.3 * height, self.stride)
        truth = np.exp(-0.5 * ((x / rx) ** 2 + (y / ry) ** 2))
        inside = truth > 0.3
        outside = ((x > 0.6 * width) | (y > 0.6 * height)) & ~inside
        weight = inside / max(np.count_nonzero(inside), 1)
        weight += outside / max(np.count_nonzero(outside), 1)
        truth[outside] = 0.0
        return truth.ravel(), weight.ravel()


def cells(features: Floats) -> Floats:
    """Turn a search feature (C, H, W) into cells of unit length with a constant, (H, W, C + 1)."""
    channels, rows, columns = features.shape
    seen = np.empty((rows * columns, channels + 1), np.float32)
    own = seen[:, :-1]
    own[:] = features.reshape(channels, -1).T
    own /= np.maximum(np.sqrt(np.einsum("nc,nc->n", own, own)), 1e-6)[:, None]
    seen[:, -1] = 1.0
    return seen.reshape(rows, columns, -1)


def _products(seen: Floats, weight: Array) -> Array:
    """Weighted sum of the outer products of cells (N, C) with themselves, (C, C).

    Single precision does, since the ridge keeps the system far from singular. A few cells at a
    time: products so small that NumPy starts no threads, which would wait for the cores that the
    network's own threads still hold.
    """
    weighted = seen * weight.astype(np.float32)[:, None]
    total = np.zeros((seen.shape[1], seen.shape[1]), np.float32)
    step = max(1, SINGLE_THREADED // total.size)
    for first in range(0, len(seen), step):
        part = slice(first, first + step)
        total += weighted[part].T @ seen[part]
    return total.astype(np.float64)
