"""Backbones, one file per family; `BACKBONES` names them all.

>>> sorted(BACKBONES)
['alexnet', 'ciresincep22', 'ciresnet16', 'ciresnet19', 'ciresnet22', 'ciresnet22w', 'ciresnet43',
 'ciresnext22', 'mobile']
"""

from siamtrack.models.backbones import alexnet, ciresincep, ciresnet, ciresnext, mobile
from siamtrack.models.backbones.base import BACKBONES, Backbone

__all__ = ["BACKBONES", "Backbone", "alexnet", "ciresincep", "ciresnet", "ciresnext", "mobile"]
