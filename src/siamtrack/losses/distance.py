"""Euclidean distances with a gradient that is finite everywhere."""

from __future__ import annotations

import torch
from torch import Tensor


def safe_sqrt(x: Tensor) -> Tensor:
    """Square root of non-negative values whose gradient at zero is zero instead of infinite."""
    positive = x > 0
    root = torch.where(positive, x, torch.ones_like(x)).sqrt()
    return torch.where(positive, root, torch.zeros_like(x))


def euclidean(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distance of vectors, with gradient zero where the two are equal.

    Args:
        a: Vectors (..., D).
        b: Vectors (..., D), broadcast against `a`.

    Returns:
        Distances (...), in the dtype of the inputs.

    Example:
        >>> euclidean(torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 4.0]]))
        tensor([5.])
    """
    return safe_sqrt((a - b).square().sum(-1))


def pairwise(embeddings: Tensor) -> Tensor:
    """Distances (N, N) between all pairs of N embeddings (N, D), computed from differences.

    The differences are formed explicitly, because |a|^2 + |b|^2 - 2ab loses all digits for near
    neighbours.
    """
    return euclidean(embeddings[:, None], embeddings[None])
