"""Heads, one file per idea; `HEADS` names them all.

>>> sorted(HEADS)
['center', 'centre', 'region', 'siamfc', 'siamrpn', 'siamrpn_dw', 'siamrpn_multi']
"""

from siamtrack.models.heads.box import BoxHead, CenterHead, RegionHead
from siamtrack.models.heads.head import HEADS, OBJECTIVES, Head
from siamtrack.models.heads.siamfc import ResponseHead, SiamFCHead
from siamtrack.models.heads.siamrpn import DepthwiseRPNHead, MultiRPNHead, UpChannelRPNHead

CentreHead = CenterHead
"""What version 0.1 called it."""

__all__ = [
    "HEADS",
    "OBJECTIVES",
    "BoxHead",
    "CenterHead",
    "CentreHead",
    "DepthwiseRPNHead",
    "Head",
    "MultiRPNHead",
    "RegionHead",
    "ResponseHead",
    "SiamFCHead",
    "UpChannelRPNHead",
]
