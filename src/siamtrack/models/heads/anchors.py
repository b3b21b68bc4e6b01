"""Anchor boxes: what SiamRPN's head describes boxes against.

High Performance Visual Tracking with Siamese Region Proposal Network, Li et al., CVPR 2018,
section 3.3, https://doi.org/10.1109/CVPR.2018.00935
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from siamtrack.losses.tracking import cell_centers

RATIOS = (0.33, 0.5, 1.0, 2.0, 3.0)


def anchor_shapes(
    stride: int, ratios: Sequence[float] = RATIOS, scales: Sequence[float] = (8.0,)
) -> Tensor:
    """Return width and height (K, 2) of the anchors in pixels, scales changing fastest.

    An anchor has about the area (stride * scale)^2 and a height of ratio times its width. Sides are
    cut to whole pixels before they are scaled, as in every released model of the family, whose
    numbers refer to exactly these boxes.

    Raises:
        ValueError: If a ratio, scale or the stride is not above 0, or there is no anchor.

    Example:
        >>> anchor_shapes(8, ratios=[0.5, 1.0])
        tensor([[88., 40.],
                [64., 64.]])
    """
    if stride < 1 or not ratios or not scales or min(ratios) <= 0 or min(scales) <= 0:
        raise ValueError(
            f"expected a stride, ratios and scales above 0, got {stride}, {list(ratios)} and "
            f"{list(scales)}"
        )
    shapes = []
    for ratio in ratios:
        width = int(math.sqrt(stride * stride / ratio))
        height = int(width * ratio)
        if height < 1 or width < 1:
            raise ValueError(f"ratio {ratio:g} is too extreme for stride {stride}")
        shapes += [(width * scale, height * scale) for scale in scales]
    return torch.tensor(shapes, dtype=torch.float32)


def anchor_boxes(shapes: Tensor, count: int, stride: int, patch: int) -> Tensor:
    """Place anchors (K, 2), width and height in pixels, on a response centered in the search patch.

    Returns:
        Boxes cxcywh (4, K, count, count) in patch pixels, `stride` apart.
    """
    center = cell_centers(count, stride, patch, shapes.device)
    cy, cx = torch.meshgrid(center, center, indexing="ij")
    size = shapes.T[:, :, None, None].expand(-1, -1, count, count)
    place = torch.stack([cx, cy])[:, None].expand(-1, len(shapes), -1, -1)
    return torch.cat([place, size])


def encode(boxes: Tensor, anchors: Tensor) -> Tensor:
    """Describe boxes against anchors: shift in anchor sizes, and logarithm of the size ratio.

    Both are cxcywh, (..., 4, K, H, W) or broadcast to it; boxes have an area.

    Returns:
        Offsets dx, dy, dw, dh (..., 4, K, H, W).
    """
    (place, size), (anchor_place, anchor_size) = _halves(boxes), _halves(anchors)
    return torch.cat([(place - anchor_place) / anchor_size, torch.log(size / anchor_size)], -4)


def decode(offsets: Tensor, anchors: Tensor) -> Tensor:
    """Undo `encode`: boxes cxcywh (..., 4, K, H, W) from offsets of that shape."""
    (place, size), (anchor_place, anchor_size) = _halves(offsets), _halves(anchors)
    return torch.cat([place * anchor_size + anchor_place, torch.exp(size) * anchor_size], -4)


def _halves(boxes: Tensor) -> tuple[Tensor, Tensor]:
    return boxes[..., :2, :, :, :], boxes[..., 2:, :, :, :]


def assign(
    box: Tensor, anchors: Tensor, positive: float = 0.6, negative: float = 0.3
) -> tuple[Tensor, Tensor]:
    """Label anchors by their overlap with the target, and say what their offsets should be.

    Args:
        box: Target cxcywh (4,) in patch pixels, with an area.
        anchors: cxcywh (4, K, H, W).
        positive: Anchors with an IoU above it are target.
        negative: Anchors with an IoU below it are background; the others are not counted.

    Returns:
        Labels (K, H, W): 1 = target, 0 = background, -1 = not counted; and offsets (4, K, H, W).

    Raises:
        ValueError: If the box has no area, or not 0 <= negative <= positive < 1.
    """
    if not 0 <= negative <= positive < 1:
        raise ValueError(
            f"expected 0 <= negative <= positive < 1, got {negative:g} and {positive:g}"
        )
    if box.shape != (4,) or not bool((box[2:] > 0).all()):
        raise ValueError(f"expected a box cxcywh (4,) with an area, got {box.tolist()}")
    target = box[:, None, None, None].to(anchors.dtype)
    low = torch.maximum(anchors[:2] - anchors[2:] / 2, target[:2] - target[2:] / 2)
    high = torch.minimum(anchors[:2] + anchors[2:] / 2, target[:2] + target[2:] / 2)
    overlap = (high - low).clamp(min=0).prod(0)
    iou = overlap / (anchors[2:].prod(0) + target[2:].prod(0) - overlap)
    labels = torch.full_like(iou, -1, dtype=torch.long)
    labels[iou < negative] = 0
    labels[iou > positive] = 1
    return labels, encode(target, anchors)
