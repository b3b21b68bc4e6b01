"""Losses, one file per idea, all called as `loss(prediction, target)`; `LOSSES` names them.

>>> sorted(LOSSES)
['contrastive', 'contrastive_dense', 'focal', 'giou', 'iou', 'logistic', 'smooth_l1', 'triplet',
 'triplet_dense']
"""

from siamtrack.losses.base import LOSSES, Loss
from siamtrack.losses.contrastive import ContrastiveLoss, DenseContrastiveLoss
from siamtrack.losses.focal import FocalLoss
from siamtrack.losses.logistic import BalancedLogisticLoss
from siamtrack.losses.regression import GIoULoss, IoULoss, SmoothL1Loss
from siamtrack.losses.triplet import DenseTripletLoss, TripletLoss

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
