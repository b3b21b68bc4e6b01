"""Losses of response maps, balanced logistic and focal, and which cells of a map are the target."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from siamtrack.losses.base import LOSSES, Loss, balanced_mean, check_response, shared_count
from siamtrack.losses.tracking import cell_centers


def response_labels(
    boxes: Tensor, present: Tensor, size: int, stride: int, patch: int, radius: float
) -> Tensor:
    """Label the cells of response maps: 1 within a radius of the target's center, else 0.

    Bertinetto et al., 2016, equation 5, https://arxiv.org/abs/1606.09549. The labels move with the
    target, which need not be in the middle of the patch. A target whose center lies between the
    cells still owns the nearest one; one whose center lies outside the grid owns none, and its map
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
    center = cell_centers(size, stride, patch, boxes.device)
    middle = boxes[:, :2] + boxes[:, 2:] / 2
    dx = center[None, None, :] - middle[:, 0, None, None]
    dy = center[None, :, None] - middle[:, 1, None, None]
    reach = max(radius, 0.7072 * stride)
    there = present[:, None, None] > 0
    labels = ((dx.square() + dy.square() <= reach**2) & there).float()
    half = (size - 1) / 2 * stride + stride / 2
    outside = ((middle - patch / 2).abs() > half).any(1) & (present > 0)
    return torch.where(outside[:, None, None], torch.full_like(labels, -1.0), labels)[:, None]


@LOSSES.register("logistic")
class BalancedLogisticLoss(Loss):
    """Logistic loss of every cell, target and background weighing one half each.

    With the response v of a cell and y = +1 on the target and -1 elsewhere::

        l = log(1 + exp(-y v))

    Fully-Convolutional Siamese Networks for Object Tracking, Bertinetto et al. 2016, equations 3
    to 6, https://arxiv.org/abs/1606.09549

    Example:
        >>> import torch
        >>> response = torch.zeros(1, 1, 3, 3)
        >>> labels = torch.zeros(1, 1, 3, 3)
        >>> labels[..., 1, 1] = 1
        >>> BalancedLogisticLoss()(response, labels)  # log 2
        tensor(0.6931)
    """

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the balanced mean over cells, then the mean over samples, shape ().

        Args:
            prediction: Response maps (B, 1, H, W), unbounded.
            target: Of the same shape and any dtype; 1 = target, 0 = background, -1 = not counted.
        """
        check_response("logistic loss", prediction, target)
        sign = (target == 1).to(prediction.dtype) * 2 - 1
        return balanced_mean(F.softplus(-sign * prediction), target)


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
        """
        check_response("focal loss", prediction, target)
        positive = target == 1
        margin = torch.where(positive, prediction, -prediction)
        fade = torch.exp(-self.gamma * F.softplus(margin))  # (1 - p)^gamma
        ours = positive.to(prediction.dtype)
        weight = (self.alpha * ours + (1 - self.alpha) * (1 - ours)) * (target >= 0)
        cost = weight * fade * F.softplus(-margin)
        return cost.sum() / shared_count(positive.sum(), cost)
