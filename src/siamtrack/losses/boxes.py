"""Losses between boxes (IoU, generalized IoU, smooth L1), and that of SiamRPN's anchors."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from siamtrack.losses.base import LOSSES, Loss, check_labels, check_positive, check_same_shape, zero

BoxOrder = Literal["ltrb", "ltwh"]


class _BoxLoss(Loss):
    """Boxes in, one number out; a subclass says what one pair of boxes costs.

    Args:
        order: What the four numbers are: `ltrb` (left, top, right, bottom) or `ltwh`.
    """

    name = ""
    takes = "boxes"

    def __init__(self, order: BoxOrder = "ltrb") -> None:
        super().__init__()
        if order not in get_args(BoxOrder):
            raise ValueError(
                f"{self.name}: box order {order!r} is none of {', '.join(get_args(BoxOrder))}"
            )
        self.order = order

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the mean over the boxes, shape (); zero if there is none.

        Args:
            prediction: Boxes (..., 4) in the order of the loss; they may have no area.
            target: Boxes of the same shape, each with an area.
        """
        check_same_shape(self.name, prediction, target)
        if prediction.ndim == 0 or prediction.shape[-1] != 4:
            raise ValueError(
                f"{self.name}: expected boxes of shape (..., 4), got {tuple(prediction.shape)}"
            )
        if prediction.numel() == 0:
            return zero(prediction)
        target = target.to(prediction.dtype)
        boxes, truth = self._ltrb(prediction), self._ltrb(target)
        if not bool((truth[..., 2:] > truth[..., :2]).all()):
            raise ValueError(
                f"{self.name}: a target box has no area (in order {self.order}); leave it out"
            )
        return self._cost(boxes, truth).mean()

    def _ltrb(self, boxes: Tensor) -> Tensor:
        if self.order == "ltrb":
            return boxes
        return torch.cat([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], dim=-1)

    def _cost(self, boxes: Tensor, truth: Tensor) -> Tensor:
        """Cost (...) of `ltrb` boxes (..., 4)."""
        raise NotImplementedError


def _area(ltrb: Tensor) -> Tensor:
    return (ltrb[..., 2:] - ltrb[..., :2]).clamp(min=0).prod(-1)


def _overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return intersection over union and union of `ltrb` boxes; the second ones have an area."""
    corners = [torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])]
    intersection = _area(torch.cat(corners, dim=-1))
    union = _area(a) + _area(b) - intersection
    return intersection / union, union


@LOSSES.register("iou")
class IoULoss(_BoxLoss):
    """1 - IoU, the mean over the boxes; no gradient where boxes do not overlap.

    After UnitBox, Yu et al. 2016, https://arxiv.org/abs/1608.01471, in its linear form, which is
    bounded where their -log IoU is infinite.

    Example:
        >>> IoULoss("ltwh")(torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[1.0, 0, 2, 2]]))
        tensor(0.6667)
    """

    name = "IoU loss"

    def _cost(self, boxes: Tensor, truth: Tensor) -> Tensor:
        return 1 - _overlap(boxes, truth)[0]


@LOSSES.register("giou")
class GIoULoss(_BoxLoss):
    """1 - GIoU, in [0, 2]: boxes that do not overlap are pulled together as well.

    `GIoU = IoU - |C minus (A or B)| / |C|` with the smallest box C around both. Generalized
    Intersection over Union, Rezatofighi et al. 2019, https://arxiv.org/abs/1902.09630
    """

    name = "GIoU loss"

    def _cost(self, boxes: Tensor, truth: Tensor) -> Tensor:
        iou, union = _overlap(boxes, truth)
        corners = [
            torch.minimum(boxes[..., :2], truth[..., :2]),
            torch.maximum(boxes[..., 2:], truth[..., 2:]),
        ]
        hull = _area(torch.cat(corners, dim=-1))
        return 1 - iou + (hull - union) / hull


@LOSSES.register("smooth_l1")
class SmoothL1Loss(_BoxLoss):
    """Squared near zero, linear beyond: the mean over boxes and their four `ltrb` numbers.

    With the difference d: `d^2 / (2 beta)` where `|d| < beta`, else `|d| - beta / 2`. Fast R-CNN,
    Girshick 2015, equation 3, https://arxiv.org/abs/1504.08083

    Args:
        order: As in the other box losses.
        beta: Where the parabola ends, in the unit of the boxes.
    """

    name = "smooth L1 loss"

    def __init__(self, order: BoxOrder = "ltrb", beta: float = 1.0) -> None:
        super().__init__(order)
        check_positive(self.name, "beta", beta)
        self.beta = beta

    def _cost(self, boxes: Tensor, truth: Tensor) -> Tensor:
        return F.smooth_l1_loss(boxes, truth, beta=self.beta, reduction="none").mean(-1)


def rpn_loss(
    scores: Tensor,
    offsets: Tensor,
    labels: Tensor,
    targets: Tensor,
    box_weight: float = 1.2,
) -> dict[str, Tensor]:
    """Cross entropy of labeled anchors, target and background one half each, and box offsets.

    Offsets learn by smooth L1 (Girshick, "Fast R-CNN", 2015, equation 3,
    https://arxiv.org/abs/1504.08083), summed over their four numbers and averaged over the target
    anchors of the batch. Li et al., "SiamRPN", CVPR 2018, equations 5 to 8,
    https://doi.org/10.1109/CVPR.2018.00935

    Args:
        scores: Logits of background and target (B, 2, K, H, W).
        offsets: Predicted dx, dy, dw, dh (B, 4, K, H, W).
        labels: Of the anchors (B, K, H, W); 1 = target, 0 = background, -1 = not counted.
        targets: What the offsets of target anchors should be (B, 4, K, H, W).
        box_weight: Weight of the offsets' term.

    Returns:
        Scalars `loss` and, detached, `score` and `box`; a part of which the batch has no anchor is
        zero.

    Raises:
        ValueError: If the shapes do not fit or a label is another value.
    """
    if (
        scores.ndim != 5
        or scores.shape[1] != 2
        or labels.shape != scores[:, 0].shape
        or offsets.shape != (scores.shape[0], 4, *scores.shape[2:])
        or targets.shape != offsets.shape
    ):
        raise ValueError(
            "RPN loss: expected scores (B, 2, K, H, W), offsets and targets (B, 4, K, H, W) and "
            f"labels (B, K, H, W), got {tuple(scores.shape)}, {tuple(offsets.shape)}, "
            f"{tuple(targets.shape)} and {tuple(labels.shape)}"
        )
    check_labels("RPN loss", labels, (1, 0, -1))
    costs = F.cross_entropy(scores, labels.long().clamp(min=0), reduction="none")
    score = torch.zeros((), dtype=scores.dtype, device=scores.device)
    for value in (0, 1):
        chosen = (labels == value).to(scores.dtype)
        score = score + 0.5 * (costs * chosen).sum() / chosen.sum().clamp(min=1)
    positive = labels == 1
    # where no target is, the prediction is its own target: no cost and no gradient
    aim = torch.where(positive[:, None], targets.to(offsets.dtype), offsets.detach())
    distance = F.smooth_l1_loss(offsets, aim, reduction="none").sum(1)
    box = distance.sum() / positive.sum().clamp(min=1)
    return {"loss": score + box_weight * box, "score": score.detach(), "box": box.detach()}


def sample_labels(
    labels: Tensor, positives: int = 16, total: int = 64, generator: torch.Generator | None = None
) -> Tensor:
    """Keep a random few of the labeled anchors of one image and mark the others as not counted.

    At most `total` are kept, `positives` of them target; labels are 1 = target, 0 = background, -1.

    Raises:
        ValueError: If not 0 <= positives <= total, or a label is another value.
    """
    if not 0 <= positives <= total:
        raise ValueError(f"expected 0 <= positives <= total, got {positives} and {total}")
    check_labels("sample_labels", labels, (1, 0, -1))
    flat = labels.flatten()
    kept = torch.full_like(flat, -1)
    left = total
    for value, limit in ((1, positives), (0, total)):
        where = (flat == value).nonzero()[:, 0]
        order = torch.randperm(len(where), generator=generator)[: min(limit, left)]
        kept[where[order.to(where.device)]] = value
        left -= len(order)
    return kept.reshape(labels.shape)
