"""The backbones of SiamDW: residual networks of cropping-inside units, deeper and wider.

Zhang and Peng, CVPR 2019, https://arxiv.org/abs/1901.01660. CIResNet-16, -19, -22, -22W and -43,
CIResIncep-22 of Inception units, CIResNeXt-22 of units with many narrow groups. A number counts the
layers: one in the stem and three in each unit. The units of the first group have stride 4; the
first unit of the second group ends in a max-pool, so that the rest has stride 8.

The parameter names of CIResNets are those of ResNet-50 (`layer1.0.conv1.weight`, the stem under
`stem.`), whose ImageNet weights fit CIResNet-22 layer by layer; the paper starts from them too
(section 5.1). They take RGB in [0, 1] less a mean, divided by a deviation; `fold_pixels` makes the
stem take other pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from siamtrack.core.images import IMAGENET_MEAN, IMAGENET_STD
from siamtrack.errors import WeightsError
from siamtrack.models.backbones.backbone import BACKBONES, Backbone, layer_arithmetic
from siamtrack.models.units import CIRInceptionUnit, CIRNeXtUnit, CIRUnit, Stem, initialize, scaled

if TYPE_CHECKING:
    from siamtrack.models.convert.layout import Report


class Stacked(Backbone):
    """A stem and one or two groups of units, the second going to stride 8."""

    def stack(
        self,
        stem: Stem,
        channels: int,
        units: Sequence[int],
        make: Callable[[int, int, bool, bool], tuple[nn.Module, int]],
    ) -> None:
        """Build the network.

        Args:
            stem: What comes first.
            channels: Of what it gives.
            units: Number of units in each group.
            make: From input channels, number of the group, whether the unit is rectified and
                whether it pools, to the unit and its output channels.
        """
        self.stem = stem
        groups = []
        for group, count in enumerate(units):
            layers: list[nn.Module] = []
            for index in range(count):
                last = group == len(units) - 1 and index == count - 1
                unit, channels = make(channels, group, not last, group > 0 and index == 0)
                layers.append(unit)
            groups.append(nn.Sequential(*layers))
        self.layer1 = groups[0]
        self.layer2 = groups[1] if len(groups) > 1 else nn.Sequential()
        self.channels = channels
        if self.padding_free:
            self.smallest = layer_arithmetic(self)[0] + 2 * stem.border
        initialize(self)

    def stages(self) -> Sequence[nn.Module]:
        """Return the stem and every unit."""
        return [self.stem, *self.layer1, *self.layer2]

    def extract(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to features (B, channels, H', W')."""
        features: Tensor = self.layer2(self.layer1(self.stem(images)))
        return features


class CIResNet(Stacked):
    """A stem and one or two groups of CIR units.

    Args:
        units: Number of units at stride 4, then (if two are given) of the group that goes to
            stride 8.
        width: Multiplier of all channel counts, rounded to multiples of 8.
        double: Whether the 3x3 convolutions have twice the channels ("W" in the names).
        crop: Whether units crop instead of pad. False gives the plain padded ResNet that SiamDW
            argues against, for comparison.
    """

    def __init__(
        self, units: Sequence[int], width: float = 1.0, double: bool = False, crop: bool = True
    ) -> None:
        super().__init__()
        self.padding_free = crop
        self.stride = 4 * len(units)

        def make(inputs: int, group: int, relu: bool, pool: bool) -> tuple[nn.Module, int]:
            planes = scaled(64 * 2**group, width)
            middle = planes * 2 if double else planes
            unit = CIRUnit(inputs, planes, middle=middle, relu=relu, pool=pool, crop=crop)
            return unit, planes * CIRUnit.expansion

        stem = scaled(64, width)
        border, padding = (1, 0) if crop else (0, 3)
        self.stack(Stem(stem, border=border, padding=padding), stem, units, make)


@BACKBONES.register("ciresnet16")
def ciresnet16(width: float = 1.0, crop: bool = True) -> Backbone:
    """CIResNet-16, units [3, 2]: stride 8, 512 channels, template 127 to 9x9."""
    return CIResNet((3, 2), width, crop=crop)


@BACKBONES.register("ciresnet19")
def ciresnet19(width: float = 1.0, crop: bool = True) -> Backbone:
    """CIResNet-19, units [3, 3]: stride 8, 512 channels, template 127 to 7x7."""
    return CIResNet((3, 3), width, crop=crop)


@BACKBONES.register("ciresnet22")
def ciresnet22(width: float = 1.0, crop: bool = True) -> Backbone:
    """CIResNet-22, units [3, 4]: stride 8, 512 channels, template 127 to 5x5."""
    return CIResNet((3, 4), width, crop=crop)


@BACKBONES.register("ciresnet22w")
def ciresnet22w(width: float = 1.0, crop: bool = True) -> Backbone:
    """CIResNet-22W, CIResNet-22 with twice the channels in the 3x3 convolutions."""
    return CIResNet((3, 4), width, double=True, crop=crop)


@BACKBONES.register("ciresnet43")
def ciresnet43(width: float = 1.0, crop: bool = True) -> Backbone:
    """CIResNet-43, 14 units at stride 4: 256 channels, template 127 to 2x2."""
    return CIResNet((14,), width, crop=crop)


class CIResIncep(Stacked):
    """A stem and two groups of CIR-Inception units, the second going to stride 8."""

    stride = 8
    padding_free = True

    def __init__(self, units: tuple[int, int] = (3, 4), width: float = 1.0) -> None:
        super().__init__()

        def make(inputs: int, group: int, relu: bool, pool: bool) -> tuple[nn.Module, int]:
            planes = scaled(64 * 2**group, width)
            unit = CIRInceptionUnit(inputs, planes, relu=relu, pool=pool)
            return unit, planes * CIRInceptionUnit.expansion

        stem = scaled(64, width)
        self.stack(Stem(stem, pool=3), stem, units, make)


@BACKBONES.register("ciresincep22")
def ciresincep22(width: float = 1.0) -> Backbone:
    """CIResIncep-22: stride 8, 640 channels, template 127 to 5x5."""
    return CIResIncep((3, 4), width)


class CIResNeXt(Stacked):
    """A stem and two groups of CIR-NeXt units, the second going to stride 8.

    Args:
        units: Number of units at stride 4 and in the group that goes to stride 8.
        width: Multiplier of the channels of the stem and of the number of groups in a unit, 32 at
            width 1; each group keeps its 4 channels at stride 4 and 8 at stride 8.
    """

    stride = 8
    padding_free = True

    def __init__(self, units: tuple[int, int] = (3, 4), width: float = 1.0) -> None:
        super().__init__()
        cardinality = max(1, round(32 * width))

        def make(inputs: int, group: int, relu: bool, pool: bool) -> tuple[nn.Module, int]:
            inner = 4 * 2**group
            unit = CIRNeXtUnit(inputs, cardinality, inner, relu=relu, pool=pool)
            return unit, CIRNeXtUnit.expansion * cardinality * inner

        stem = scaled(64, width)
        self.stack(Stem(stem, pool=3, bias=True), stem, units, make)


@BACKBONES.register("ciresnext22")
def ciresnext22(width: float = 1.0) -> Backbone:
    """CIResNeXt-22: stride 8, 512 channels, template 127 to 5x5."""
    return CIResNeXt((3, 4), width)


WRAPPED = ("backbone.", "encoder.", "model.")  # prefixes under which others keep the network


def load_resnet50(backbone: CIResNet, checkpoint: str | Path | Mapping[str, Any]) -> Report:
    """Fill every layer of `backbone` that a ResNet-50 has in the same shape.

    CIResNet-16, -19 and -22 are filled completely at width 1; -22W keeps its random 3x3
    convolutions, -43 its units after the third.

    Args:
        backbone: Network of width 1.
        checkpoint: State dict of ResNet-50 in the names of torchvision or timm, or a file with it.

    Returns:
        What was filled, what was left random, and what of ResNet-50 was not used.

    Raises:
        TypeError: If the backbone is no CIResNet.
        WeightsError: If the file cannot be read, is no ResNet-50, or not even the first
            convolution fits. The backbone is unchanged then.
    """
    from siamtrack.models.convert.layout import match, read_tensors, state_of

    if not isinstance(backbone, CIResNet):
        raise TypeError(f"expected a CIResNet, got {type(backbone).__name__}")
    tensors = state_of(checkpoint) if isinstance(checkpoint, Mapping) else read_tensors(checkpoint)
    for prefix in WRAPPED:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name[len(prefix) :]: value for name, value in tensors.items()}
    if not {"conv1.weight", "layer1.0.conv3.weight", "layer2.3.conv3.weight"} <= set(tensors):
        raise WeightsError(
            "expected a ResNet-50 with tensors such as 'conv1.weight' and 'layer1.0.conv3.weight', "
            f"got {len(tensors)} tensors such as {next(iter(tensors))!r}"
        )
    found, report = match(backbone, tensors, _rename)
    if "stem.conv1.weight" not in found:
        raise WeightsError(
            f"the ResNet-50 does not fit this backbone, has it width 1? {report.misshapen[0]}"
        )
    backbone.load_state_dict({**backbone.state_dict(), **found})
    return report


def fold_pixels(backbone: CIResNet, mean: float = 127.0, deviation: float = 128.0) -> None:
    """Let a stem that expects (x / 255 - mean) / deviation of ImageNet take (x - mean) / deviation.

    The scale of each channel goes into the first convolution, the shift into the mean of the norm
    after it. Features stay what they were, up to rounding; where the stem pads, only away from the
    border, since a zero stands for another color then.

    Args:
        backbone: Filled by `load_resnet50`; changed in place.
        mean: What the network subtracts from pixels in [0, 255].
        deviation: What it divides the rest by.
    """
    stem = backbone.stem
    weight = stem.conv1.weight
    with torch.no_grad():
        mu, sigma = weight.new_tensor(IMAGENET_MEAN), weight.new_tensor(IMAGENET_STD)
        scale, shift = deviation / sigma, (mean - mu) / sigma
        assert stem.bn1.running_mean is not None
        stem.bn1.running_mean -= (weight.sum((2, 3)) * shift).sum(1)
        weight *= scale[:, None, None]


def _rename(name: str) -> str:
    return f"stem.{name}" if name.startswith(("conv1.", "bn1.")) else name
