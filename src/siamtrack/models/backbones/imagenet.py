"""Start a CIResNet from the ImageNet weights of a ResNet-50.

The stem, the three units at stride 4 and the four that follow have the shapes of ResNet-50's first
layers; the paper starts from them, too (Zhang and Peng, CVPR 2019, section 5.1,
https://arxiv.org/abs/1901.01660). torchvision and timm give these layers the same names.

Those weights were trained on RGB pictures in [0, 1] less a mean, divided by a deviation;
`fold_pixels` makes the stem take other pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from siamtrack.core.images import IMAGENET_MEAN, IMAGENET_STD
from siamtrack.errors import WeightsError
from siamtrack.models.backbones.ciresnet import CIResNet

if TYPE_CHECKING:
    from siamtrack.models.convert.layout import Report

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
    from siamtrack.models.convert.layout import match
    from siamtrack.models.convert.read import read_tensors, state_of

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
