"""The cropping-inside residual (CIR) units of SiamDW: residual units without padding effects.

Deeper and Wider Siamese Networks for Real-Time Visual Tracking, Zhang and Peng, CVPR 2019,
https://arxiv.org/abs/1901.01660, section 4.1. The paper pads the 3x3 convolution with zeros, adds
the shortcut, and then crops the border cells, which are those that saw the padding. Here the
padding is left out and the shortcut cropped instead: the same cells with the same values, for less
arithmetic, and batch statistics that never see a padded cell. `crop=False` gives the padded
units, for comparison.

Below that, what all networks use: channel counts, cropping, initialization, and whether a network
is being exported, for then sizes are symbols and no check may look at them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from siamtrack._moved import renamed

__getattr__ = partial(renamed, __name__)
_tracing = False  # a plain variable, which torch.compile can read


@contextmanager
def traced() -> Iterator[None]:
    """Export within this, unless it is to ONNX, which says so itself."""
    global _tracing
    before, _tracing = _tracing, True
    try:
        yield
    finally:
        _tracing = before


def is_traced() -> bool:
    """Return whether a network is being exported.

    Example:
        >>> with traced():
        ...     is_traced()
        True
        >>> is_traced()
        False
    """
    return _tracing or torch.onnx.is_in_onnx_export()


def scaled(channels: int, width: float) -> int:
    """Return a channel count times a width multiplier, to the next multiple of 8, at least 8.

    Raises:
        ValueError: If the width is not above 0.

    Example:
        >>> scaled(64, 0.25), scaled(64, 1), scaled(64, 0.01)
        (16, 64, 8)
    """
    if not width > 0:
        raise ValueError(f"width must be above 0, got {width:g}")
    return max(8, round(channels * width / 8) * 8)


def crop_border(x: Tensor, cells: int = 1) -> Tensor:
    """Cut `cells` rows and columns off each side of maps (B, C, H, W)."""
    return x[..., cells:-cells, cells:-cells]


def initialize(network: nn.Module) -> None:
    """Set convolutions to the normal initialization of He et al. 2015 and norms to identity."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class Stem(nn.Module):
    """7x7 convolution of stride 2 and max-pool of stride 2: (B, 3, H, W) to stride 4.

    `border` image pixels are cut off each side: the paper's CIResNet pads 3 pixels and crops 2 of
    the cells, which is the same as cutting 1 pixel here. `padding` is that of the convolution.
    """

    def __init__(
        self, channels: int, pool: int = 2, border: int = 0, padding: int = 0, bias: bool = False
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, channels, 7, stride=2, padding=padding, bias=bias)
        self.bn1 = nn.BatchNorm2d(channels)
        self.maxpool = nn.MaxPool2d(pool, stride=2)
        self.border = border

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to features (B, channels, H', W')."""
        if self.border:
            images = crop_border(images, self.border)
        features: Tensor = self.maxpool(F.relu(self.bn1(self.conv1(images))))
        return features


class CIRUnit(nn.Module):
    """Residual bottleneck 1x1, 3x3, 1x1 with the crop inside; with a pool it is the CIR-D unit.

    (B, inputs, H, W) becomes (B, planes * 4, H - 2, W - 2), and half of that with the pool. The
    paper's down-sampling unit CIR-D convolves at stride 1, crops, and then pools 2x2 at stride 2.

    Args:
        inputs: Input channels.
        planes: Channels of the first convolution; a quarter of the output channels.
        middle: Output channels of the 3x3 convolution; `planes` if None.
        relu: Whether the sum is rectified; the last unit of a network is not.
        pool: Whether the unit ends in the 2x2 max-pool.
        crop: Whether border cells are cropped instead of padded.
    """

    expansion = 4

    def __init__(
        self,
        inputs: int,
        planes: int,
        *,
        middle: int | None = None,
        relu: bool = True,
        pool: bool = False,
        crop: bool = True,
    ) -> None:
        super().__init__()
        middle = planes if middle is None else middle
        outputs = planes * self.expansion
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, middle, 3, padding=0 if crop else 1, bias=False)
        self.bn2 = nn.BatchNorm2d(middle)
        self.conv3 = nn.Conv2d(middle, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = nn.Identity()
        if inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
            )
        self.maxpool: nn.Module = nn.MaxPool2d(2) if pool else nn.Identity()
        self.relu = relu
        self.crop = crop

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, 4 planes, H - 2, W - 2), halved with the pool."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y)) + self.downsample(crop_border(x) if self.crop else x)
        features: Tensor = self.maxpool(F.relu(y) if self.relu else y)
        return features


class CIRInceptionUnit(nn.Module):
    """A bottleneck branch and a 1x1 branch of `planes` side by side, cropped: CIR-Inception.

    (B, inputs, H, W) becomes (B, planes * 5, H - 2, W - 2), and half of that with the pool.
    """

    expansion = 5

    def __init__(self, inputs: int, planes: int, *, relu: bool = True, pool: bool = False) -> None:
        super().__init__()
        self.branch3x3 = nn.Sequential(
            nn.Conv2d(inputs, planes, 1, bias=False),
            nn.BatchNorm2d(planes),
            nn.ReLU(),
            nn.Conv2d(planes, planes, 3, bias=False),
            nn.BatchNorm2d(planes),
            nn.ReLU(),
            nn.Conv2d(planes, 4 * planes, 1, bias=False),
            nn.BatchNorm2d(4 * planes),
        )
        self.branch1x1 = nn.Sequential(
            nn.Conv2d(inputs, planes, 1, bias=False), nn.BatchNorm2d(planes, eps=1e-3)
        )
        self.maxpool: nn.Module = nn.MaxPool2d(2) if pool else nn.Identity()
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, 5 planes, H - 2, W - 2), halved with the pool."""
        y = torch.cat([self.branch3x3(x), self.branch1x1(crop_border(x))], dim=1)
        features: Tensor = self.maxpool(F.relu(y) if self.relu else y)
        return features


class CIRNeXtUnit(nn.Module):
    """A bottleneck of many narrow groups, cropped: the CIR-NeXt unit.

    (B, inputs, H, W) becomes (B, 2 * inner, H - 2, W - 2) with inner = groups * group_width, and
    half of that with the pool. The last unit of a network is without `relu`.
    """

    expansion = 2

    def __init__(
        self, inputs: int, groups: int, group_width: int, *, relu: bool = True, pool: bool = False
    ) -> None:
        super().__init__()
        inner = groups * group_width
        outputs = self.expansion * inner
        self.basic = nn.Sequential(
            nn.Conv2d(inputs, inner, 1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            nn.Conv2d(inner, inner, 3, groups=groups, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            nn.Conv2d(inner, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs:
            self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.bn0 = nn.BatchNorm2d(outputs)
        self.maxpool: nn.Module = nn.MaxPool2d(2) if pool else nn.Identity()
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, 2 inner, H - 2, W - 2), halved with the pool."""
        y = self.bn0(self.basic(x) + self.shortcut(crop_border(x)))
        features: Tensor = self.maxpool(F.relu(y) if self.relu else y)
        return features
