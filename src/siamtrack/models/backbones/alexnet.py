"""The AlexNet of SiamFC.

Fully-Convolutional Siamese Networks for Object Tracking, Bertinetto et al. 2016, table 1,
https://arxiv.org/abs/1606.09549.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from siamtrack.models.backbones.backbone import BACKBONES, Backbone, layer_arithmetic
from siamtrack.models.units import initialize, scaled


class AlexNet(Backbone):
    """Five convolutions without padding; batch norm and ReLU after all but the last.

    Two of the convolutions and the last are in two groups, as on the two GPUs of 2012.

    Template 127 becomes 6x6 and search 255 becomes 22x22, so that the response is 17x17. The
    paper's table gives conv5 with 256 filters in one column and 128 channels in another; 256 is
    what every implementation and released model has.

    Args:
        width: Multiplier of all channel counts, rounded to multiples of 8.
        groups: Groups of the second, fourth and fifth convolution: 2, or 1 as in later trackers.
        last_norm: Whether the fifth convolution has batch norm as well.
        eps: Added to the variances of the batch norms.
    """

    stride = 8
    padding_free = True

    def __init__(
        self,
        width: float = 1.0,
        groups: int = 2,
        last_norm: bool = False,
        eps: float = 1e-6,
    ) -> None:
        super().__init__()
        c1, c2, c3, c4, c5 = (scaled(c, width) for c in (96, 256, 384, 384, 256))
        self.conv1 = _block(3, c1, 11, eps, stride=2, pool=True)
        self.conv2 = _block(c1, c2, 5, eps, groups=groups, pool=True)
        self.conv3 = _block(c2, c3, 3, eps)
        self.conv4 = _block(c3, c4, 3, eps, groups=groups)
        self.conv5 = nn.Sequential(nn.Conv2d(c4, c5, 3, groups=groups))
        if last_norm:
            self.conv5.append(nn.BatchNorm2d(c5, eps=eps))
        self.channels = c5
        self.smallest = layer_arithmetic(self)[0]
        initialize(self)

    def stages(self) -> Sequence[nn.Module]:
        """Return the five layers."""
        return [self.conv1, self.conv2, self.conv3, self.conv4, self.conv5]

    def extract(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to features (B, channels, H', W')."""
        features = images
        for stage in self.stages():
            features = stage(features)
        return features


def _block(
    inputs: int,
    outputs: int,
    kernel: int,
    eps: float,
    stride: int = 1,
    groups: int = 1,
    pool: bool = False,
) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, groups=groups),
        nn.BatchNorm2d(outputs, eps=eps),
        nn.ReLU(),
    ]
    if pool:
        layers.append(nn.MaxPool2d(3, 2))
    return nn.Sequential(*layers)


@BACKBONES.register("alexnet")
def alexnet(width: float = 1.0) -> Backbone:
    """The AlexNet of SiamFC: stride 8, 256 channels, template 127 to 6x6."""
    return AlexNet(width)


@BACKBONES.register("alexnet_rpn")
def alexnet_rpn(width: float = 1.0) -> Backbone:
    """The AlexNet of DaSiamRPN and pysot: no groups, and batch norm after every convolution."""
    return AlexNet(width, groups=1, last_norm=True, eps=1e-5)
