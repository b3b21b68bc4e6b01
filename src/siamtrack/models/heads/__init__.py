"""Heads, one file per idea; `HEADS` names them all.

>>> sorted(HEADS)
['centre', 'region', 'siamfc', 'siamrpn', 'siamrpn_dw', 'siamrpn_multi']
"""

from siamtrack.models.heads.base import HEADS, Head
from siamtrack.models.heads.centre import CentreHead
from siamtrack.models.heads.multirpn import MultiRPNHead
from siamtrack.models.heads.region import RegionHead
from siamtrack.models.heads.siamfc import SiamFCHead
from siamtrack.models.heads.siamrpn import DepthwiseRPNHead, UpChannelRPNHead

HEADS.register("centre")(CentreHead)
HEADS.register("region")(RegionHead)

__all__ = [
    "HEADS",
    "CentreHead",
    "DepthwiseRPNHead",
    "Head",
    "MultiRPNHead",
    "RegionHead",
    "SiamFCHead",
    "UpChannelRPNHead",
]
