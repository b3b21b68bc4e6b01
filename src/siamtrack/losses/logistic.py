"""The balanced logistic loss of SiamFC."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from siamtrack.losses.base import LOSSES, Loss, balanced_mean, check_response


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

        Raises:
            TypeError: If the response is not of a floating type.
            ValueError: If the shapes differ or a label is another value.
        """
        check_response("logistic loss", prediction, target)
        sign = (target == 1).to(prediction.dtype) * 2 - 1
        return balanced_mean(F.softplus(-sign * prediction), target)
