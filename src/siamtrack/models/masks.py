"""A network that outlines the object in a box: encoder, decoder, and a map of logits.

It sees a window around the box and is told the box itself, so that it serves every tracker. The
encoder is EfficientNet-Lite0 to stride 16; the decoder adds its features from coarse to fine, as
Lin et al., "Feature Pyramid Networks", 2017, https://arxiv.org/abs/1612.03144, do, and learns the
four pixels of a cell at once (Shi et al., 2016, https://arxiv.org/abs/1609.05158).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from siamtrack.models.backbones.mobile import EfficientNetLite0

SIDE = 96
"""Side of the patch and of the map, in pixels."""
LEVELS = (1, 3, 5)
"""Blocks of the encoder after which its features at strides 2, 4 and 8 are taken."""
WIDTHS = (24, 32, 48, 64)
"""Channels of the decoder at strides 2, 4, 8 and 16."""


class Mix(nn.Module):
    """Depth-wise, then 1x1 convolution, with a shortcut: (B, C, H, W) to the same."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, kernel, 1, kernel // 2, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU6(),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        y: Tensor = self.layers(x)
        return y + x


def joined(inputs: int, outputs: int) -> nn.Sequential:
    """Map (B, inputs, H, W) to (B, outputs, H, W) by a 1x1 convolution."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))


class Pyramid(nn.Module):
    """The encoder, and what adds its features from coarse to fine.

    The first blocks of the encoder are never trained: edges and colors are learned from ImageNet
    better than from a few thousand masks.

    Args:
        extra: How many channels are told of a cell beside its feature, at strides 2, 4, 8 and 16.
    """

    def __init__(self, extra: Sequence[int]) -> None:
        super().__init__()
        self.encoder = EfficientNetLite0()
        channels = (16, 24, 40, self.encoder.channels)
        self.lateral = nn.ModuleList(
            [joined(c + e, width) for c, e, width in zip(channels, extra, WIDTHS, strict=True)]
        )
        self.down = nn.ModuleList(
            [joined(WIDTHS[level + 1], WIDTHS[level]) for level in range(len(WIDTHS) - 1)]
        )
        mixes = zip(WIDTHS, (3, 3, 5, 5), (1, 2, 2, 2), strict=True)
        self.mix = nn.ModuleList(
            [nn.Sequential(*(Mix(width, kernel) for _ in range(n))) for width, kernel, n in mixes]
        )

    def features(self, patch: Tensor) -> list[Tensor]:
        """Map patches (B, 96, 96, 3), uint8 RGB, to features at strides 2, 4, 8 and 16."""
        x = self.encoder.stem((patch.permute(0, 3, 1, 2).float() - 127.0) / 128.0)
        features = []
        for index, block in enumerate(self.encoder.blocks):
            x = block(x)
            if index + 1 in LEVELS:
                features.append(x)
        return [*features, x]

    def decoded(self, told: Sequence[Tensor]) -> Tensor:
        """Return (B, 24, 48, 48) of features, and what else is told of cells, of four levels."""
        y: Tensor | None = None
        for level in reversed(range(len(told))):
            z = self.lateral[level](told[level])
            if y is not None:
                z = z + interpolate(
                    self.down[level](y), scale_factor=2.0, mode="bilinear", align_corners=False
                )
            y = self.mix[level](nn.functional.relu6(z))
        assert y is not None
        return y


class MaskNetwork(Pyramid):
    """Outlines the object in the middle of a patch."""

    def __init__(self) -> None:
        super().__init__(extra=(1, 1, 1, 1))  # how far a cell lies inside the box
        self.last = nn.Conv2d(WIDTHS[0], 4, 1)

    def forward(self, patch: Tensor, size: Tensor) -> Tensor:
        """Map patches (B, 96, 96, 3), uint8 RGB, to logits (B, 96, 96).

        Args:
            patch: Windows around boxes, each box in the middle of its window.
            size: Width and height of the boxes as shares of the window's, (B, 2).
        """
        told = [torch.cat([f, inside(size, f.shape[-1])], 1) for f in self.features(patch)]
        logits: Tensor = nn.functional.pixel_shuffle(self.last(self.decoded(told)), 2)
        return logits[:, 0]


def inside(size: Tensor, cells: int) -> Tensor:
    """Return how far cells lie inside boxes (B, 1, cells, cells): 1 well inside, -1 outside."""
    place = (torch.arange(cells, device=size.device) + 0.5) / cells - 0.5
    across = (size[:, 0, None] / 2 - place.abs()) * 16
    down = (size[:, 1, None] / 2 - place.abs()) * 16
    both = torch.minimum(across[:, None, :], down[:, :, None]).clamp(-1.0, 1.0)
    return both[:, None]
