"""Which cells of a response map are the target."""

from __future__ import annotations

import torch
from torch import Tensor

from siamtrack.losses.tracking import cell_centres


def response_labels(
    boxes: Tensor, present: Tensor, size: int, stride: int, patch: int, radius: float
) -> Tensor:
    """Label the cells of response maps: 1 within a radius of the target's centre, else 0.

    Bertinetto et al., 2016, equation 5, https://arxiv.org/abs/1606.09549. The labels move with the
    target, which need not be in the middle of the patch. A target whose centre lies between the
    cells still owns the nearest one; one whose centre lies outside the grid owns none, and its map
    is not counted at all (-1), because the cells next to it are neither target nor background.

    Args:
        boxes: Targets ltwh (B, 4) in patch pixels; ignored where `present` is 0.
        present: Whether the target is there (B,), 0 or 1; all cells are background if not.
        size: Cells along a side of the response.
        stride: Pixels between two cells.
        patch: Side of the search patch, pixels.
        radius: In pixels, Euclidean.

    Returns:
        Labels (B, 1, size, size), float32: 1, 0 or -1.

    Example:
        >>> box = torch.tensor([[16.0, 16.0, 8.0, 8.0]])
        >>> response_labels(box, torch.ones(1), 3, 8, 40, 8.0)[0, 0].tolist()
        [[0.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 0.0]]
    """
    centre = cell_centres(size, stride, patch, boxes.device)
    middle = boxes[:, :2] + boxes[:, 2:] / 2
    dx = centre[None, None, :] - middle[:, 0, None, None]
    dy = centre[None, :, None] - middle[:, 1, None, None]
    reach = max(radius, 0.7072 * stride)
    there = present[:, None, None] > 0
    labels = ((dx.square() + dy.square() <= reach**2) & there).float()
    half = (size - 1) / 2 * stride + stride / 2
    outside = ((middle - patch / 2).abs() > half).any(1) & (present > 0)
    return torch.where(outside[:, None, None], torch.full_like(labels, -1.0), labels)[:, None]
