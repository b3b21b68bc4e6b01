"""What a head is, and the registry of all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from siamtrack.core.registry import Registry
from siamtrack.models.tracing import is_traced


class Head(nn.Module):
    """Matches a template with a search feature.

    Matching has two halves, so that the template's is computed once for a whole video: `kernel`
    turns the template's feature into the kernel, and the call matches a kernel with a search
    feature. What comes out is said by each head.
    """

    def kernel(self, template: Tensor) -> Tensor:
        """Turn a template feature (B, C, h, w) into a kernel with the same first dimension."""
        return template

    def forward(self, kernel: Tensor, search: Tensor) -> Any:
        """Match a kernel with a search feature (B, C, H, W)."""
        raise NotImplementedError


def check_feature(feature: Tensor, channels: int, smallest: int = 1) -> None:
    """Refuse features that a head was not built for.

    Args:
        feature: What was given.
        channels: Channels that the head was built for.
        smallest: Least side in cells.

    Raises:
        ValueError: If it is not (B, channels, H, W) with sides of at least `smallest`.
    """
    if is_traced():
        return  # sizes are symbols there
    shape = tuple(feature.shape)
    if len(shape) != 4 or shape[1] != channels or min(shape[2:]) < smallest:
        least = f" with H and W of at least {smallest}" if smallest > 1 else ""
        raise ValueError(f"expected features (B, {channels}, H, W){least}, got shape {shape}")


HEADS: Registry[Callable[..., nn.Module]] = Registry("head", "siamtrack.heads")
"""Heads, built as `HEADS[name](channels, template_cells, stride)`: the channels of the backbone's
features, the cells along a side of the template feature, the stride of the backbone in pixels."""
