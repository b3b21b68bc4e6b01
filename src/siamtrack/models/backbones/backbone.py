"""What a backbone is, the registry of all of them, and the arithmetic of their layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from siamtrack.core.registry import Registry
from siamtrack.models.units import is_traced


class Backbone(nn.Module):
    """A fully-convolutional feature extractor, shared by the template and the search branch.

    `forward` maps images (B, 3, H, W) to features (B, channels, H', W'). A subclass says how in
    `extract`, and sets the attributes.

    Attributes:
        channels: Number of feature channels.
        stride: Distance of two neighbouring feature cells in input pixels.
        padding_free: Whether features do not depend on where in the image they are computed, so
            that a shift of the input by one stride shifts them by exactly one cell.
        smallest: Least side of an image in pixels; it gives one cell.
    """

    channels: int
    stride: int
    padding_free: bool
    smallest: int = 1

    def stages(self) -> Sequence[nn.Module]:
        """Return the parts from the input to the output, the units of gradual unfreezing."""
        raise NotImplementedError

    def extract(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W), which are large enough, to features (B, channels, H', W')."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to features (B, channels, H', W').

        Raises:
            ValueError: If the images have another shape, are not of a floating dtype, or are too
                small for one cell.
        """
        if not is_traced():  # sizes are symbols there
            check_images(images, self.smallest)
        return self.extract(images)


def check_images(images: Tensor, smallest: int = 1) -> None:
    """Refuse what is no batch of images (B, 3, H, W) of a floating dtype.

    Args:
        images: What was given.
        smallest: Least side in pixels.

    Raises:
        ValueError: If it is none; the message shows the shape or dtype.
    """
    if images.ndim != 4 or images.shape[1] != 3 or images.shape[0] == 0:
        raise ValueError(f"expected images (B, 3, H, W), got shape {tuple(images.shape)}")
    if not images.is_floating_point():
        raise ValueError(
            f"expected images of a floating dtype, got {images.dtype}; call .float() on them"
        )
    if min(images.shape[-2:]) < smallest:
        raise ValueError(
            f"expected images of at least {smallest} pixels a side, got shape {tuple(images.shape)}"
        )


def layer_arithmetic(network: nn.Module) -> tuple[int, int]:
    """Return the receptive field and the stride of one cell, both in pixels, from the layers.

    Convolution and pooling layers count in the order in which they were registered, which has to be
    that of the calls; branches side by side may differ in 1x1 layers of stride 1 only. For any
    other network measure it: see `siamtrack.models.analysis.receptive_field`.

    Example:
        >>> layer_arithmetic(nn.Sequential(nn.Conv2d(3, 8, 7, stride=2), nn.MaxPool2d(2)))
        (9, 4)
    """
    field = jump = 1
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.MaxPool2d)):
            kernel, stride = layer.kernel_size, layer.stride
            field += ((kernel if isinstance(kernel, int) else kernel[0]) - 1) * jump
            jump *= stride if isinstance(stride, int) else stride[0]
    return field, jump


BACKBONES: Registry[Callable[..., Backbone]] = Registry("backbone", "siamtrack.backbones")
