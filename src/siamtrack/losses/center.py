"""The target's center as a map, and how a student learns a teacher's."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from siamtrack.losses.counts import shared_count
from siamtrack.losses.tracking import cell_centres


def center_map(boxes: Tensor, present: Tensor, cells: int, stride: int, patch: int) -> Tensor:
    """Return a Gaussian about the center of each box, (B, H, W) in [0, 1]; zero where none is.

    Its deviation is a sixth of the box's sides, but at least half a cell. After Law and Deng,
    "CornerNet", ECCV 2018, https://arxiv.org/abs/1808.01244

    Args:
        boxes: Targets ltwh (B, 4) in patch pixels.
        present: Whether the target is there (B,), 0 or 1.
        cells: Cells along a side, H = W.
        stride: Stride of the response in patch pixels.
        patch: Side of the search patch in pixels.
    """
    place = cell_centres(cells, stride, patch, boxes.device)
    left, top, width, height = boxes[:, :, None].unbind(1)
    least = stride / 2
    x = (place - (left + width / 2)) / (width / 6).clamp(min=least)
    y = (place - (top + height / 2)) / (height / 6).clamp(min=least)
    shape = torch.exp(-0.5 * (x[:, None, :] ** 2 + y[:, :, None] ** 2))
    return shape * present[:, None, None]


def taught_map(score: Tensor) -> Tensor:
    """Carry a score map (B, s, s) over to the s + 1 cells at the corners of its own, (B, H, W).

    Cell (j, i) of the score map covers the pixels from stride * i and stride * j on; ours stand at
    these pixels.
    """
    padded = F.pad(score[:, None], (1, 1, 1, 1), mode="replicate")
    return F.avg_pool2d(padded, 2, stride=1)[:, 0]


def center_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Quality focal loss of a center map, shape ().

    Li et al., "Generalized Focal Loss", NeurIPS 2020, https://arxiv.org/abs/2006.04388

    Args:
        logits: (B, 1, H, W).
        target: (B, H, W) in [0, 1].
    """
    found = logits[:, 0]
    focus = (found.sigmoid() - target).abs() ** 2
    cost = F.binary_cross_entropy_with_logits(found, target, reduction="none") * focus
    return cost.sum() / shared_count((target > 0.3).sum(), cost)


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """Return the IoU of boxes ltwh (B, 4), pair by pair, (B,)."""
    low = torch.maximum(a[:, :2], b[:, :2])
    high = torch.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:])
    shared = (high - low).clamp(min=0).prod(1)
    return shared / (a[:, 2:].prod(1) + b[:, 2:].prod(1) - shared).clamp(min=1e-6)
