"""What a backbone is, the registry of all of them, and the arithmetic of their layers."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from types import ModuleType

from torch import Tensor, nn
from torch.nn import functional as F

from siamtrack.core.config import shown
from siamtrack.core.registry import Registry, run_file
from siamtrack.models.units import is_traced

MOST_WIDTH = 16


class Backbone(nn.Module):
    """A fully-convolutional feature extractor, shared by the template and the search branch.

    `forward` maps images (B, 3, H, W) to features (B, channels, H', W'). A subclass says how in
    `extract`, and sets the attributes.

    Attributes:
        channels: Number of feature channels.
        stride: Distance of two neighboring feature cells in input pixels.
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


class Embedder(Backbone):
    """A backbone, the mean over its cells, a linear map, and unit length.

    On the unit sphere distances lie in [0, 2], so that the margins of the contrastive loss (Hadsell
    et al. 2006) and of the triplet loss (Schroff et al., CVPR 2015,
    https://arxiv.org/abs/1503.03832, section 3.1) have a scale.

    Args:
        backbone: Gives features (B, C, H', W').
        dimensions: Length of the vectors, D.

    Example:
        >>> import torch
        >>> embedder = Embedder(build_backbone("ciresnet16", 0.125), dimensions=16)
        >>> embedder(torch.randn(2, 3, 63, 63)).shape
        torch.Size([2, 16, 1, 1])
    """

    def __init__(self, backbone: Backbone, dimensions: int = 64) -> None:
        super().__init__()
        if dimensions < 1:
            raise ValueError(f"dimensions {dimensions}: expected at least 1")
        self.backbone = backbone
        self.project = nn.Linear(backbone.channels, dimensions)
        self.channels = dimensions
        self.stride = backbone.stride
        self.padding_free = False  # the mean sees the whole image
        self.smallest = backbone.smallest

    def stages(self) -> Sequence[nn.Module]:
        """Return the stages of the backbone, then the linear map."""
        return [*self.backbone.stages(), self.project]

    def extract(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to vectors of unit length (B, D, 1, 1)."""
        vectors = self.project(self.backbone.extract(images).mean((2, 3)))
        return F.normalize(vectors, dim=1)[:, :, None, None]


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


def build_backbone(name: str, width: float = 1.0) -> nn.Module:
    """Build a backbone.

    Args:
        name: A registered name; or `FILE.py:NAME` or `package.module:NAME`, where NAME is a class
            or function that builds the network, the network itself, or a name that the file
            registers in `BACKBONES`. The file is run: give only files that you trust.
        width: Multiplier of all channel counts, in (0, 16]; handed on if it is not 1.

    Raises:
        UnknownNameError: If no backbone is registered under the name.
        ValueError: If the file or module cannot be imported, has no such name, or does not build a
            network of this width.

    Example:
        >>> build_backbone("siamtrack.models.backbones.alexnet:AlexNet", 0.25).channels
        64
    """
    if not 0 < width <= MOST_WIDTH:
        raise ValueError(f"width {shown(width)}: expected a number above 0, up to {MOST_WIDTH}")
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
