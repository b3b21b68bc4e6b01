"""The loss of box heads: score, box and presence together, and the target's center as a map."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from siamtrack.losses.base import check_labels, shared_count


def cell_centers(count: int, stride: int, patch: int, device: torch.device | None = None) -> Tensor:
    """Patch coordinates (count,) of the cells along a side, centered in the patch, pixels."""
    cells = torch.arange(count, device=device, dtype=torch.float32)
    return (cells - (count - 1) / 2) * stride + patch / 2


def tracking_loss(
    outputs: tuple[Tensor, Tensor, Tensor],
    boxes: Tensor,
    present: Tensor,
    stride: int,
    patch: int,
    sides: float = 0.0,
    focus: float = 0.0,
) -> dict[str, Tensor]:
    """Loss of a batch of pairs.

    Scores learn the overlap of the cell's own box with the target (Li et al., "Generalized Focal
    Loss", NeurIPS 2020, https://arxiv.org/abs/2006.04388); positive cells lie in the ellipse of
    half the target's size (Chen et al., "SiamBAN", CVPR 2020, https://arxiv.org/abs/2003.06761).
    Boxes learn by generalized IoU (Rezatofighi et al., CVPR 2019).

    Args:
        outputs: Score logits (B, 1, H, W), side distances (B, 4, H, W) in pixels, presence logits
            (B, 1).
        boxes: Targets ltwh (B, 4) in patch pixels; ignored where `present` is 0.
        present: Whether the target is there (B,), 0 or 1.
        stride: Stride of the response in patch pixels.
        patch: Side of the search patch in pixels.
        sides: Weight of the distance of the logarithms of width and height, smooth L1, beside the
            generalized IoU, which says little about them where boxes are far from right.
        focus: How much more the boxes of cells near the target's center count: exp(-focus * r^2),
            with r = 0 there and 1 on the border of the ellipse. Trackers read these.

    Returns:
        Scalars `loss`, `score`, `box`, `presence` and, detached, the mean `iou` of positive cells.

    Raises:
        ValueError: If the shapes do not fit each other, or `present` holds another value.
    """
    logits, distances, presence = outputs
    batch = len(logits)
    shapes = tuple(tuple(x.shape) for x in (distances[:, :, 0, 0], presence, boxes, present))
    if shapes != ((batch, 4), (batch, 1), (batch, 4), (batch,)):
        raise ValueError(
            "box tracking loss: expected distances (B, 4, H, W), presence (B, 1), boxes (B, 4) "
            f"and present (B,) for {batch} scores, got {', '.join(map(str, shapes))}"
        )
    check_labels("box tracking loss", present, (0, 1))
    size = logits.shape[-1]
    center = cell_centers(size, stride, patch, logits.device)
    y, x = torch.meshgrid(center, center, indexing="ij")
    left, top, width, height = boxes[:, :, None, None].unbind(1)
    dx, dy = x - (left + width / 2), y - (top + height / 2)
    # a target smaller than the grid still owns the cell next to its center
    rx, ry = (width / 4).clamp(min=0.71 * stride), (height / 4).clamp(min=0.71 * stride)
    radius = (dx / rx) ** 2 + (dy / ry) ** 2
    there = present[:, None, None] > 0
    positive = (radius <= 1) & there
    outside = (dx / (2 * rx)) ** 2 + (dy / (2 * ry)) ** 2 > 1
    negative = outside | ~there

    truth = torch.stack([x - left, y - top, left + width - x, top + height - y], dim=1)
    predicted = distances
    overlap, generalised = _giou(predicted, truth)
    weight = positive.float()
    count = shared_count(weight.sum(), weight)
    pull = weight * torch.exp(-focus * radius) if focus else weight
    boxes_count = shared_count(pull.sum(), pull) if focus else count
    box = ((1 - generalised) * pull).sum() / boxes_count
    if sides:
        extents = [
            torch.stack([each[:, 0] + each[:, 2], each[:, 1] + each[:, 3]], dim=1).clamp(min=1e-3)
            for each in (predicted, truth)
        ]
        apart = F.smooth_l1_loss(extents[0].log(), extents[1].log(), reduction="none", beta=0.1)
        box = box + sides * (apart.sum(1) * pull).sum() / boxes_count

    quality = overlap.detach().clamp(0, 1) * weight
    cost = _quality_focal(logits[:, 0], quality, positive | negative)
    score_loss = cost.sum() / count
    presence_loss = F.binary_cross_entropy_with_logits(presence[:, 0], present.float())
    return {
        "loss": score_loss + 1.5 * box + 0.3 * presence_loss,
        "score": score_loss.detach(),
        "box": box.detach(),
        "presence": presence_loss.detach(),
        "iou": ((overlap * weight).sum() / count).detach(),
    }


def _giou(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalized IoU of boxes given as side distances from a shared cell (B, 4, H, W)."""
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    inter = (low[:, 0] + low[:, 2]).clamp(min=0) * (low[:, 1] + low[:, 3]).clamp(min=0)
    area_a = (a[:, 0] + a[:, 2]) * (a[:, 1] + a[:, 3])
    area_b = ((b[:, 0] + b[:, 2]) * (b[:, 1] + b[:, 3])).clamp(min=0)
    union = (area_a + area_b - inter).clamp(min=1e-6)
    hull = ((high[:, 0] + high[:, 2]) * (high[:, 1] + high[:, 3])).clamp(min=1e-6)
    iou = inter / union
    return iou, iou - (hull - union) / hull


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
    place = cell_centers(cells, stride, patch, boxes.device)
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


def sampled_map(score: Tensor, cells: int, stride: int, patch: int, covered: int = 16) -> Tensor:
    """Read a score map (B, s, s) at the cells of a response, (B, cells, cells), bilinearly.

    Args:
        score: Cell (j, i) covers `covered` pixels of the search patch from covered * i and
            covered * j on.
        cells: Cells along a side of the response, centered in the patch.
        stride: Pixels between two of these.
        patch: Side of the search patch in pixels.
        covered: See `score`.
    """
    place = cell_centers(cells, stride, patch, score.device) / (covered * score.shape[-1]) * 2 - 1
    y, x = torch.meshgrid(place, place, indexing="ij")
    grid = torch.stack([x, y], -1)[None].expand(len(score), -1, -1, -1)
    found = F.grid_sample(score[:, None], grid, padding_mode="border", align_corners=False)
    return found[:, 0]


def center_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Quality focal loss of a center map, shape ().

    Args:
        logits: (B, 1, H, W).
        target: (B, H, W) in [0, 1].
    """
    cost = _quality_focal(logits[:, 0], target, 1)
    return cost.sum() / shared_count((target > 0.3).sum(), cost)


def _quality_focal(logits: Tensor, target: Tensor, counts: Tensor | int) -> Tensor:
    """Cost of each cell (B, H, W) whose target lies in [0, 1]; Li et al., 2020."""
    focus = (logits.sigmoid() - target).abs() ** 2 * counts
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none") * focus


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """Return the IoU of boxes ltwh (B, 4), pair by pair, (B,)."""
    low = torch.maximum(a[:, :2], b[:, :2])
    high = torch.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:])
    shared = (high - low).clamp(min=0).prod(1)
    return shared / (a[:, 2:].prod(1) + b[:, 2:].prod(1) - shared).clamp(min=1e-6)
