"""The focal loss."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from siamtrack.losses.base import LOSSES, Loss, check_response
from siamtrack.losses.counts import shared_count


@LOSSES.register("focal")
class FocalLoss(Loss):
    """Logistic loss that fades for cells which are classified well already.

    With p the probability given to the right class of a cell::

        l = -alpha (1 - p)^gamma log p

    summed over the cells and divided by the number of target cells (at least 1). Both factors are
    computed from the logits, so that value and gradient stay finite for any response. Focal Loss
    for Dense Object Detection, Lin et al. 2017, equation 5, https://arxiv.org/abs/1708.02002

    Args:
        alpha: Weight of target cells, in [0, 1]; background cells weigh 1 - alpha.
        gamma: How fast easy cells fade, at least 0; 0 gives the weighted logistic loss.
    """

    def __init__(self, alpha: float = 0.25, gamma: float = 2.0) -> None:
        super().__init__()
        if not 0 <= alpha <= 1:
            raise ValueError(f"focal loss: alpha must lie in 0 to 1, got {alpha:g}")
        if not gamma >= 0:
            raise ValueError(f"focal loss: gamma must be at least 0, got {gamma:g}")
        self.alpha = alpha
        self.gamma = gamma

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss, shape (); zero if no cell is counted.

        Args:
            prediction: Logits (B, ...).
            target: Of the same shape and any dtype; 1 = target, 0 = background, -1 = not counted.

        Raises:
            TypeError: If the logits are not of a floating type.
            ValueError: If the shapes differ or a label is another value.
        """
        check_response("focal loss", prediction, target)
        positive = target == 1
        margin = torch.where(positive, prediction, -prediction)
        fade = torch.exp(-self.gamma * F.softplus(margin))  # (1 - p)^gamma
        ours = positive.to(prediction.dtype)
        weight = (self.alpha * ours + (1 - self.alpha) * (1 - ours)) * (target >= 0)
        cost = weight * fade * F.softplus(-margin)
        return cost.sum() / shared_count(positive.sum(), cost)
