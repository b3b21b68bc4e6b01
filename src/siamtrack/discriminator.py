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


class Discriminator:
    """Linear classifier of cells, one for each target.

    Args:
        settings: How fast it learns.
        stride: Pixels between two cells.
        patch: Side of the search patch, pixels.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> features = rng.normal(size=(8, 5, 5)).astype(np.float32)
        >>> features[:, 2, 2] = np.arange(8)
        >>> one = Discriminator(OnlineSettings(weight=0.5), stride=16, patch=81)
        >>> one.learn(features, np.array([30.0, 30.0, 20.0, 20.0]))
        >>> np.unravel_index(int(one.scores(features).argmax()), (5, 5))
        (2, 2)
    """

    def __init__(self, settings: OnlineSettings, stride: int, patch: int) -> None:
        self.settings, self.stride, self.patch = settings, stride, patch
        self._moments: Array | None = None
        self._targets: Array = np.zeros(0)
        self._weights: Array | None = None

    def learn(self, features: Floats, box: Array, share: float | None = None) -> None:
        """Take in a frame.

        Cells in the middle of the box are the target, those clearly outside are not, the ones
        between say nothing. Both sides weigh the same however many cells they have.

        Args:
            features: Search feature (C, H, W).
            box: The target in patch pixels, ltwh (4,).
            share: Weight of this frame against all before it, in (0, 1]; the settings' rate if
                None. The first frame always counts fully.
        """
        cells = _cells(features)
        truth, weight = self._labels(features.shape[1], features.shape[2], box)
        # row by row of the map: products so small that NumPy starts no threads, which would wait
        # for the cores that the network's own threads still hold
        rows = (cells * np.sqrt(weight)[:, None]).reshape(*features.shape[1:], -1)
        moments = np.asarray((rows.transpose(0, 2, 1) @ rows).sum(0), dtype=np.float64)
        targets = cells.T @ (weight * truth)
        if self._moments is None:
            self._moments, self._targets = moments, targets
        else:
            rate = self.settings.rate if share is None else share
            self._moments = (1 - rate) * self._moments + rate * moments
            self._targets = (1 - rate) * self._targets + rate * targets
        self._weights = None

    def scores(self, features: Floats) -> Map:
        """Return how much each cell of (C, H, W) looks like the target, (H, W) in [0, 1].

        Raises:
            ValueError: If nothing was learned yet.
        """
        if self._moments is None:
            raise ValueError("scores before learn: give it the first frame")
        if self._weights is None:
            size = len(self._moments)
            # the least part keeps the system solvable where no cell had a say
            ridge = self.settings.ridge * np.trace(self._moments) / size + 1e-9
            self._weights = np.linalg.solve(
                self._moments + ridge * np.eye(size, dtype=np.float64), self._targets
            )
        flat = _cells(features) @ self._weights
        return np.asarray(flat.reshape(features.shape[1:]).clip(0, 1), dtype=np.float32)

    def _labels(self, rows: int, columns: int, box: Array) -> tuple[Array, Array]:
        """Truth in [0, 1] and weight of each cell, (rows * columns,) both."""
        x = cell_centres(columns, self.stride, self.patch)[None, :] - (box[0] + box[2] / 2)
        y = cell_centres(rows, self.stride, self.patch)[:, None] - (box[1] + box[3] / 2)
        # a target smaller than the grid still owns the cell next to its centre
        rx, ry = np.maximum(0.3 * box[2:], self.stride)
        truth = np.exp(-0.5 * ((x / rx) ** 2 + (y / ry) ** 2)).ravel()
        outside = ((np.abs(x) > 0.6 * box[2]) | (np.abs(y) > 0.6 * box[3])).ravel()
        inside = truth > 0.3
        weight = np.where(inside, 1 / max(int(inside.sum()), 1), 0.0)
        weight = np.where(outside & ~inside, 1 / max(int((outside & ~inside).sum()), 1), weight)
        return np.where(outside & ~inside, 0.0, truth), weight


def _cells(features: Floats) -> Array:
    """Turn (C, H, W) into cells at unit length with a constant, (H * W, C + 1)."""
    flat = features.reshape(features.shape[0], -1).T.astype(np.float64)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    return np.concatenate([flat, np.ones((len(flat), 1))], axis=1)
