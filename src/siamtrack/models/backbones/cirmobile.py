"""CIRMobile: EfficientNet-Lite0's first blocks to stride 8, with cropping inside.

The cropping-inside idea of Zhang and Peng, CVPR 2019, https://arxiv.org/abs/1901.01660, applied to
the inverted residuals of Tan and Le, ICML 2019, https://arxiv.org/abs/1905.11946: no convolution
pads, and the shortcut is cropped to the cells that are left. The first block with 80 channels loses
its stride, so that the network ends at stride 8 as the guidelines of the first paper ask.

All parameters keep their shapes and names, so the ImageNet weights of EfficientNet-Lite0 fit: see
`siamtrack.models.backbones.mobile.load_imagenet`.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from siamtrack.models.backbones.backbone import BACKBONES, Backbone, layer_arithmetic
from siamtrack.models.backbones.mobile import InvertedResidual
from siamtrack.models.units import scaled

# (expansion, kernel, stride, output channels, repeats)
STAGES = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 1, 80, 2))


class CIRMobile(Backbone):
    """A stem and seven inverted residuals without padding: stride 8, 80 channels.

    Images are normalised as (value - 127) / 128. Template 127 becomes 4x4 and search 255 becomes
    20x20; a cell sees 99 pixels, 78 % of the template.

    Args:
        width: Multiplier of all channel counts, rounded to multiples of 8.
    """

    padding_free = True
    stride = 8

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        last = scaled(32, width)
        self.stem = nn.Sequential(
            nn.Conv2d(3, last, 3, 2, bias=False), nn.BatchNorm2d(last), nn.ReLU6()
        )
        blocks: list[nn.Module] = []
        for expansion, kernel, stride, channels, repeats in STAGES:
            outputs = scaled(channels, width)
            for index in range(repeats):
                step = stride if index == 0 else 1
                blocks.append(InvertedResidual(last, outputs, expansion, kernel, step, crop=True))
                last = outputs
        self.blocks = nn.Sequential(*blocks)
        self.channels = last
        self.smallest = layer_arithmetic(self)[0]

    def stages(self) -> Sequence[nn.Module]:
        """Return the stem and the seven blocks."""
        return [self.stem, *self.blocks]

    def extract(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to features (B, channels, H', W')."""
        features: Tensor = self.blocks(self.stem(images))
        return features


@BACKBONES.register("cirmobile")
def cirmobile(width: float = 1.0) -> Backbone:
    """CIRMobile: stride 8, 80 channels, template 127 to 4x4, with random weights."""
    return CIRMobile(width)
