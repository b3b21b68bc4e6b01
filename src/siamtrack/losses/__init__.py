"""Losses, one file per idea, all called as `loss(prediction, target)`; `LOSSES` names them.

>>> sorted(LOSSES)
['contrastive', 'contrastive_dense', 'focal', 'giou', 'iou', 'logistic', 'smooth_l1', 'triplet',
 'triplet_dense']
"""

from siamtrack.losses.base import LOSSES, Loss
from siamtrack.losses.boxes import GIoULoss, IoULoss, SmoothL1Loss
from siamtrack.losses.metric import (
    ContrastiveLoss,
    DenseContrastiveLoss,
    DenseTripletLoss,
    TripletLoss,
)
from siamtrack.losses.response import BalancedLogisticLoss, FocalLoss

__all__ = [
    "LOSSES",
    "BalancedLogisticLoss",
    "ContrastiveLoss",
    "DenseContrastiveLoss",
    "DenseTripletLoss",
    "FocalLoss",
    "GIoULoss",
    "IoULoss",
    "Loss",
    "SmoothL1Loss",
    "TripletLoss",
]
