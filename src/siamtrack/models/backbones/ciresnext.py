"""CIResNeXt-22: the network of cropping-inside units with many narrow groups.

Zhang and Peng, CVPR 2019, https://arxiv.org/abs/1901.01660.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from siamtrack.models.backbones.backbone import BACKBONES, Backbone, layer_arithmetic
from siamtrack.models.units import CIRNeXtUnit, Stem, initialise, scaled


class CIResNeXt(Backbone):
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
        inputs = scaled(64, width)
        cardinality = max(1, round(32 * width))
        self.stem = Stem(inputs, pool=3, bias=True)
        layers: list[nn.Module] = []
        for group, count in enumerate(units):
            for index in range(count):
                last = group == 1 and index == count - 1
                unit = CIRNeXtUnit(
                    inputs,
                    cardinality,
                    4 * 2**group,
                    relu=not last,
                    pool=group == 1 and index == 0,
                )
                layers.append(unit)
                inputs = CIRNeXtUnit.expansion * cardinality * 4 * 2**group
        self.layer1 = nn.Sequential(*layers[: units[0]])
        self.layer2 = nn.Sequential(*layers[units[0] :])
        self.channels = inputs
        self.smallest = layer_arithmetic(self)[0]
        initialise(self)

    def stages(self) -> Sequence[nn.Module]:
        """Return the stem and every unit."""
        return [self.stem, *self.layer1, *self.layer2]

    def extract(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to features (B, channels, H', W')."""
        features: Tensor = self.layer2(self.layer1(self.stem(images)))
        return features


@BACKBONES.register("ciresnext22")
def ciresnext22(width: float = 1.0) -> Backbone:
    """CIResNeXt-22: stride 8, 512 channels, template 127 to 5x5."""
    return CIResNeXt((3, 4), width)
