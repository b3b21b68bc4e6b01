"""What a backbone is, and the registry of all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from siamtrack.registry import Registry


class Backbone(nn.Module):
    """A fully-convolutional feature extractor, shared by the template and the search branch.

    `forward` maps images (B, 3, H, W) to features (B, channels, H', W').

    Attributes:
        channels: Number of feature channels.
        stride: Distance of two neighbouring feature cells in input pixels.
        padding_free: Whether features do not depend on where in the image they are computed, so
            that a shift of the input by one stride shifts them by exactly one cell.
    """

    channels: int
    stride: int
    padding_free: bool

    def stages(self) -> Sequence[nn.Module]:
        """Return the parts from the input to the output, the units of gradual unfreezing."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to features (B, channels, H', W')."""
        raise NotImplementedError


BACKBONES: Registry[Callable[..., Backbone]] = Registry("backbone")
