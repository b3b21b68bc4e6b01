"""Backbones, one file per family; `BACKBONES` names them all."""

from siamtrack.models.backbones.base import BACKBONES, Backbone

__all__ = ["BACKBONES", "Backbone"]
