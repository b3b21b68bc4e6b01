"""CIResIncep-22: the wide network of cropping-inside Inception units.

Zhang and Peng, CVPR 2019, https://arxiv.org/abs/1901.01660.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from siamtrack.models.backbones.backbone import BACKBONES, Backbone, layer_arithmetic
from siamtrack.models.units import CIRInceptionUnit, Stem, initialise, scaled


class CIResIncep(Backbone):
    """A stem and two groups of CIR-Inception units, the second going to stride 8.

    Args:
        units: Number of units at stride 4 and in the group that goes to stride 8.
        width: Multiplier of all channel counts, rounded to multiples of 8.
    """

    stride = 8
    padding_free = True

    def __init__(self, units: tuple[int, int] = (3, 4), width: float = 1.0) -> None:
        super().__init__()
        inputs = scaled(64, width)
        self.stem = Stem(inputs, pool=3)
        layers: list[nn.Module] = []
        for group, count in enumerate(units):
            planes = scaled(64 * 2**group, width)
            for index in range(count):
                last = group == 1 and index == count - 1
                pool = group == 1 and index == 0
                layers.append(CIRInceptionUnit(inputs, planes, relu=not last, pool=pool))
                inputs = planes * CIRInceptionUnit.expansion
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


@BACKBONES.register("ciresincep22")
def ciresincep22(width: float = 1.0) -> Backbone:
    """CIResIncep-22: stride 8, 640 channels, template 127 to 5x5."""
    return CIResIncep((3, 4), width)
