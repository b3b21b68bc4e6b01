"""Backbones, one file per family; `BACKBONES` names them all.

>>> sorted(BACKBONES)
['alexnet', 'alexnet_rpn', 'ciresincep22', 'ciresnet16', 'ciresnet19', 'ciresnet22',
 'ciresnet22w', 'ciresnet43', 'ciresnext22', 'cirmobile', 'mobile', 'mobilenetv2']
"""

from siamtrack.models.backbones import (
    alexnet,
    ciresnet,
    mobile,
)
from siamtrack.models.backbones.backbone import BACKBONES, Backbone, Embedder

__all__ = [
    "BACKBONES",
    "Backbone",
    "Embedder",
    "alexnet",
    "ciresnet",
    "mobile",
]
