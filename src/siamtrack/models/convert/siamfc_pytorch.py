"""Checkpoints of siamfc-pytorch, https://github.com/huanglianghua/siamfc-pytorch.

Its AlexNet has the names of ours; versions 1 (the released one) and 3 convert. Pictures are RGB.
The response is scaled by 0.001.
"""

from __future__ import annotations

from siamtrack.core.settings import TrackerSettings
from siamtrack.models.backbones.alexnet import AlexNet
from siamtrack.models.convert.layout import LAYOUTS, Layout, State
from siamtrack.models.heads.siamfc import SiamFCHead
from siamtrack.models.network import Network


class SiamFCPytorch(Layout):
    """SiamFC with AlexNet."""

    own = ("head.scale", "head.bias")

    def recognizes(self, state: State) -> bool:
        """Know it by the first convolution."""
        return "backbone.conv1.0.weight" in state

    def build(self, state: State) -> Network:
        """Read width, groups and the last norm from the shapes."""
        first, second = state["backbone.conv1.0.weight"], state["backbone.conv2.0.weight"]
        backbone = AlexNet(
            width=first.shape[0] / 96,
            groups=max(1, first.shape[0] // second.shape[1]),
            last_norm="backbone.conv5.1.weight" in state,
            eps=1e-6,
        )
        return Network(backbone, SiamFCHead(scale=1e-3))

    def rename(self, name: str) -> str | None:
        """Keep the name."""
        return name

    def tracker(self, network: Network) -> TrackerSettings:
        """Return the defaults of its tracker."""
        return TrackerSettings(window=0.176, penalty=0.9745, size_rate=0.59, rim=0)


LAYOUTS.register("siamfc-pytorch")(SiamFCPytorch())
