"""Verification: how well a distance tells pairs of the same object from pairs of different ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from siamtrack.evaluation.report.plots import matplotlib_figure


def roc_auc(distance: ArrayLike, dissimilar: ArrayLike) -> float:
    """Area under the ROC curve of "near means the same", for distances (N,) of pairs.

    It is the probability that a pair of different objects (`dissimilar` 1) is farther apart than a
    pair of one object (0), counting half where they are equally far.

    Raises:
        ValueError: If the shapes differ, a distance is not finite, a label is neither 0 nor 1, or a
            label does not occur.

    Example:
        >>> roc_auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
        0.75
    """
    distances, labels = np.asarray(distance, np.float64), np.asarray(dissimilar)
    if distances.shape != labels.shape or distances.ndim != 1:
        raise ValueError(
            f"expected distances and labels (N,), got {distances.shape} and {labels.shape}"
        )
    if not np.isfinite(distances).all():
        raise ValueError("expected finite distances")
    if set(np.unique(labels).tolist()) != {0, 1}:
        raise ValueError(f"expected labels 0 and 1, got {np.unique(labels).tolist()}")
    same, other = np.sort(distances[labels == 0]), distances[labels == 1]
    below = np.searchsorted(same, other, "left")
    upto = np.searchsorted(same, other, "right")
    return float((below + upto).sum() / 2 / (len(same) * len(other)))


def plot_distances(
    panels: dict[str, ArrayLike], dissimilar: ArrayLike, path: str | Path, bins: int = 40
) -> None:
    """Draw histograms of the distances (N,) of same and different pairs, a panel for each method.

    Raises:
        MissingExtraError: If Matplotlib is not installed.
    """
    labels = np.asarray(dissimilar)
    figure = matplotlib_figure("plots", "plots", 3.2 * len(panels), 2.6)
    for index, (title, distance) in enumerate(panels.items()):
        distances = np.asarray(distance, np.float64)
        axes = figure.add_subplot(1, len(panels), index + 1)
        edges = np.linspace(0, max(float(distances.max()), 1e-9), bins + 1).tolist()
        for value, name in ((0, "same object"), (1, "another object")):
            axes.hist(distances[labels == value], edges, alpha=0.6, label=name)
        axes.set_title(f"{title}\nAUC {roc_auc(distances, labels):.3f}", fontsize=9)
        axes.set_xlabel("distance")
        axes.set_yticks([])
    figure.axes[0].legend(fontsize=8)
    figure.savefig(path, dpi=110)
