"""ResNet-50 at stride 8 with dilated convolutions: the backbone of SiamRPN++, for its checkpoints.

Li et al., "SiamRPN++", CVPR 2019, section 3.2, https://arxiv.org/abs/1812.11703; the network is He
et al., "Deep Residual Learning for Image Recognition", 2015, https://arxiv.org/abs/1512.03385. Its
structure is that of https://github.com/STVIR/pysot. It is not registered: at 14 GFLOP a search
patch it is a network to compare with, not one to train here.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from siamtrack.models.backbones.backbone import Backbone

# (inner channels, blocks, stride, dilation) of the four groups; a unit has 4 times the channels
GROUPS = ((64, 3, 1, 1), (128, 4, 2, 1), (256, 6, 1, 2), (512, 3, 1, 4))
EXPANSION = 4


class DilatedBottleneck(nn.Module):
    """1x1, dilated 3x3 and 1x1, added to the input: (B, inputs, H, W) to (B, 4 inner, H', W').

    With stride 2 nothing is padded, and H' is half of H - 1. The first unit of a group has half of
    its dilation, and a convolution in the shortcut: 3x3 where the group dilates or strides.
    """

    def __init__(
        self, inputs: int, inner: int, stride: int = 1, dilation: int = 1, first: bool = False
    ) -> None:
        super().__init__()
        outputs = EXPANSION * inner
        own = max(1, dilation // 2) if first else dilation
        padding = own if stride == 1 else 0
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, inner, 1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            nn.Conv2d(inner, inner, 3, stride, padding, own, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            nn.Conv2d(inner, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        plain = stride == 1 and dilation == 1
        side, around = (1, 0) if plain else (3, padding)
        self.shortcut = nn.Sequential()
        if first:
            self.shortcut.append(
                nn.Conv2d(inputs, outputs, side, stride, around, own, bias=False)
            ).append(nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, 4 inner, H', W')."""
        return F.relu(self.layers(x) + self.shortcut(x))


class DilatedResNet50(Backbone):
    """Stem and four groups; the features of the last three side by side in the channels.

    Args:
        width: Multiplier of all channel counts.

    Attributes:
        splits: Channels of the three features.
    """

    padding_free = False
    stride = 8
    smallest = 15

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        last = max(1, int(64 * width))
        self.stem = nn.Sequential(
            nn.Conv2d(3, last, 7, 2, bias=False),
            nn.BatchNorm2d(last),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
        )
        groups: list[nn.Module] = []
        widths: list[int] = []
        for channels, count, stride, dilation in GROUPS:
            inner = max(1, int(channels * width))
            units = [DilatedBottleneck(last, inner, stride, dilation, first=True)]
            last = EXPANSION * inner
            units += [DilatedBottleneck(last, inner, 1, dilation) for _ in range(count - 1)]
            groups.append(nn.Sequential(*units))
            widths.append(last)
        self.groups = nn.Sequential(*groups)
        self.splits = tuple(widths[1:])
        self.channels = sum(self.splits)

    def stages(self) -> Sequence[nn.Module]:
        """Return the stem and the four groups."""
        return [self.stem, *self.groups]

    def extract(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to features (B, channels, H', W')."""
        x = self.stem(images)
        features = []
        for group in self.groups:
            x = group(x)
            features.append(x)
        return torch.cat(features[1:], 1)
