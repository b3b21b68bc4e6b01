"""Find a backbone by its registered name, or in a file or module of the user's own."""

from __future__ import annotations

import importlib
from types import ModuleType

from torch import nn

from siamtrack.core.registry import run_file
from siamtrack.models.backbones.backbone import BACKBONES


def build_backbone(name: str, width: float = 1.0) -> nn.Module:
    """Build a backbone.

    Args:
        name: A registered name; or `FILE.py:NAME` or `package.module:NAME`, where NAME is a class
            or function that builds the network, the network itself, or a name that the file
            registers in `BACKBONES`. The file is run: give only files that you trust.
        width: Multiplier of all channel counts, handed on if it is not 1.

    Raises:
        UnknownNameError: If no backbone is registered under the name.
        ValueError: If the file or module cannot be imported, has no such name, or does not build a
            network of this width.

    Example:
        >>> build_backbone("siamtrack.models.backbones.alexnet:AlexNet", 0.25).channels
        64
    """
    place, colon, last = name.rpartition(":")
    factory: object
    if colon:
        factory = getattr(_module(place), last, None)
        if factory is None and last not in BACKBONES:
            raise ValueError(f"{place} neither holds nor registers {last!r}")
        factory = BACKBONES[last] if factory is None else factory
    else:
        factory = BACKBONES[name]
    if isinstance(factory, nn.Module):
        return factory
    if not callable(factory):
        raise ValueError(f"{name} is no backbone, but {factory!r}")
    try:
        network = factory() if width == 1 else factory(width=width)
    except TypeError as error:
        raise ValueError(f"{name} does not build a network of width {width:g}: {error}") from error
    if not isinstance(network, nn.Module):
        raise ValueError(f"{name} builds {type(network).__name__}, expected a torch module")
    return network


def _module(place: str) -> ModuleType:
    try:
        return run_file(place) if place.endswith(".py") else importlib.import_module(place)
    except Exception as error:  # anything can go wrong in a file of the user's
        raise ValueError(f"cannot import {place}: {type(error).__name__}: {error}") from error
