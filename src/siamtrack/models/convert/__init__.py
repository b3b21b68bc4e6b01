"""Checkpoints of other projects as networks of ours, one file per layout; `LAYOUTS` names them.

>>> sorted(LAYOUTS)
['pysot-alexnet', 'pysot-mobilenetv2', 'pysot-resnet50', 'siamdw', 'siamfc-pytorch']
"""

from siamtrack.models.convert import pysot, siamdw, siamfc_pytorch
from siamtrack.models.convert.layout import LAYOUTS, Layout, Report, convert, read_tensors

__all__ = [
    "LAYOUTS",
    "Layout",
    "Report",
    "convert",
    "pysot",
    "read_tensors",
    "siamdw",
    "siamfc_pytorch",
]
