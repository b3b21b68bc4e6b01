"""The loss of SiamRPN's heads: scores and offsets of a few anchors out of thousands."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from siamtrack.losses.base import check_labels


def rpn_loss(
    scores: Tensor,
    offsets: Tensor,
    labels: Tensor,
    targets: Tensor,
    box_weight: float = 1.2,
) -> dict[str, Tensor]:
    """Cross entropy of labelled anchors, target and background one half each, and box offsets.

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
    """Keep a random few of the labelled anchors of one image and mark the others as not counted.

    Args:
        labels: Of any shape; 1 = target, 0 = background, -1 = not counted.
        positives: Target anchors that are kept at most.
        total: Anchors that are kept at most.
        generator: Source of the randomness.

    Returns:
        New labels of the same shape.

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
