"""MobileNetV2 at stride 8, with features of three depths side by side, as in SiamRPN++.

Sandler et al., "MobileNetV2", CVPR 2018, https://arxiv.org/abs/1801.04381; with strides removed and
kernels dilated instead in Li et al., "SiamRPN++", CVPR 2019, https://arxiv.org/abs/1812.11703. The
network pads, and its receptive field is far larger than a template: here to run the models of the
field and to compare with, not as a design to follow.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from siamtrack.models.backbones.backbone import BACKBONES, Backbone

# (expansion, channels, blocks, stride, dilation of the first block, dilation of the others)
STAGES = (
    (1, 16, 1, 1, 1, 1),
    (6, 24, 2, 2, 1, 1),
    (6, 32, 3, 2, 1, 1),
    (6, 64, 4, 1, 1, 2),
    (6, 96, 3, 1, 2, 2),
    (6, 160, 3, 1, 2, 4),
    (6, 320, 1, 1, 4, 4),
)
USED = (3, 5, 7)  # stages whose features are returned, counted from 1


class DilatedResidual(nn.Module):
    """Expand 1x1, depth-wise 3x3, project 1x1; with a shortcut where shapes allow it.

    (B, inputs, H, W) becomes (B, outputs, H, W), or with stride 2, which does not pad, half of
    H - 1. An expansion of 1 keeps its 1x1 convolution here.
    """

    def __init__(
        self, inputs: int, outputs: int, expansion: int, stride: int, dilation: int
    ) -> None:
        super().__init__()
        inner = inputs * expansion
        padding = dilation if dilation > 1 else 2 - stride
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, inner, 1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU6(),
            nn.Conv2d(inner, inner, 3, stride, padding, dilation, groups=inner, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU6(),
            nn.Conv2d(inner, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H', W')."""
        y: Tensor = self.layers(x)
        return x + y if self.shortcut else y


class MobileNetV2(Backbone):
    """Stem and seven stages; the features of stages 3, 5 and 7 side by side in the channels.

    Args:
        width: Multiplier of all channel counts, which are cut to whole numbers.

    Attributes:
        splits: Channels of the three features.
    """

    padding_free = False
    stride = 8
    smallest = 15

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        if not width > 0:
            raise ValueError(f"width must be above 0, got {width:g}")
        last = max(1, int(32 * width))
        self.stem = nn.Sequential(
            nn.Conv2d(3, last, 3, 2, bias=False), nn.BatchNorm2d(last), nn.ReLU6()
        )
        groups: list[nn.Module] = []
        widths: list[int] = []
        for expansion, channels, count, stride, first, others in STAGES:
            outputs = max(1, int(channels * width))
            blocks: list[nn.Module] = []
            for index in range(count):
                step, dilation = (stride, first) if index == 0 else (1, others)
                blocks.append(DilatedResidual(last, outputs, expansion, step, dilation))
                last = outputs
            groups.append(nn.Sequential(*blocks))
            widths.append(last)
        self.groups = nn.Sequential(*groups)
        self.splits = tuple(widths[stage - 1] for stage in USED)
        self.channels = sum(self.splits)

    def stages(self) -> Sequence[nn.Module]:
        """Return the stem and the seven stages."""
        return [self.stem, *self.groups]

    def extract(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to features (B, channels, H', W')."""
        x = self.stem(images)
        features = []
        for number, group in enumerate(self.groups, start=1):
            x = group(x)
            if number in USED:
                features.append(x)
        return torch.cat(features, 1)


@BACKBONES.register("mobilenetv2")
def mobilenetv2(width: float = 1.0) -> Backbone:
    """MobileNetV2 at stride 8, three depths side by side: 448 channels, template 127 to 15x15."""
    return MobileNetV2(width)
