"""Checkpoints of pysot, https://github.com/STVIR/pysot: SiamRPN++ on three backbones.

AlexNet, MobileNetV2 and ResNet-50. Both AlexNets of the project convert: the "legacy" one, which
numbers all its layers, and the one that numbers them in five groups. Pictures are BGR. Anchors are
the five of every released model.
"""

from __future__ import annotations

import re
from dataclasses import replace

from siamtrack.core.settings import SIAMRPN, TrackerSettings
from siamtrack.models.backbones.alexnet import AlexNet
from siamtrack.models.backbones.mobile import MobileNetV2
from siamtrack.models.backbones.resnet import DilatedResNet50
from siamtrack.models.convert.layout import LAYOUTS, Layout, State
from siamtrack.models.heads import DepthwiseRPNHead, MultiRPNHead
from siamtrack.models.network import Network

LEGACY = {
    number + part: (layer, part)
    for layer, number in enumerate((0, 4, 8, 11, 14), start=1)
    for part in (0, 1)
}
"""Number of a layer in the "legacy" AlexNet to its group of ours, and there to 0 for the
convolution or 1 for the norm."""
BRANCH = {"cls": "score", "loc": "box"}
PART = {"conv_kernel": "_template", "conv_search": "_search", "head": ""}
RPN = re.compile(r"rpn_head\.(?:rpn(\d)\.)?(cls|loc)\.(conv_kernel|conv_search|head)\.(.+)")
NECK = re.compile(r"neck\.downsample(\d)\.downsample\.(.+)")
MOBILE = re.compile(r"backbone\.layer(\d)\.(\d)\.conv\.(.+)")
RESIDUAL = re.compile(r"backbone\.layer(\d)\.(\d)\.(?:(conv|bn)(\d)|downsample\.(\d))\.(.+)")


class AlexNetLayout(Layout):
    """SiamRPN++ with AlexNet and one depth-wise head."""

    bgr = True
    first = "backbone.conv1.0.weight"

    def recognizes(self, state: State) -> bool:
        """Know it by its first convolution."""
        return self._first(state) is not None

    def build(self, state: State) -> Network:
        """Read width and hidden channels from the shapes."""
        first = self._first(state)
        if first is None:
            raise KeyError("backbone.features.0.weight")
        backbone = AlexNet(state[first].shape[0] / 96, groups=1, last_norm=True, eps=1e-5)
        hidden = state["rpn_head.cls.conv_kernel.0.weight"].shape[0]
        head = DepthwiseRPNHead(backbone.channels, 6, 8, hidden=hidden)
        return Network(backbone, head, sides=(127, 287))

    def rename(self, name: str) -> str | None:
        """Give our names for the layers of AlexNet and the head."""
        if found := re.fullmatch(r"backbone\.features\.(\d+)\.(.+)", name):
            layer, part = LEGACY.get(int(found[1]), (0, 0))
            return f"backbone.conv{layer}.{part}.{found[2]}"
        if found := re.fullmatch(r"backbone\.layer(\d)\.(.+)", name):
            return f"backbone.conv{found[1]}.{found[2]}"
        return _head(name)

    def tracker(self, network: Network) -> TrackerSettings:
        """Return the settings of the experiment `siamrpn_alex_dwxcorr`."""
        return replace(SIAMRPN, rim=0, smallest=10.0)

    @staticmethod
    def _first(state: State) -> str | None:
        names = ("backbone.features.0.weight", "backbone.layer1.0.weight")
        return next((name for name in names if name in state and state[name].ndim == 4), None)


class MobileLayout(Layout):
    """SiamRPN++ with MobileNetV2: three depths, each with its neck and head."""

    bgr = True
    first = "backbone.stem.0.weight"

    def recognizes(self, state: State) -> bool:
        """Know it by its inverted residuals."""
        return "backbone.layer1.0.conv.0.weight" in state

    def build(self, state: State) -> Network:
        """Read the width from the last stage, and the hidden channels."""
        backbone = MobileNetV2(state["backbone.layer7.0.conv.6.weight"].shape[0] / 320)
        hidden = state["neck.downsample2.downsample.0.weight"].shape[0]
        head = MultiRPNHead(backbone.channels, 15, 8, splits=backbone.splits, hidden=hidden)
        return Network(backbone, head)

    def rename(self, name: str) -> str | None:
        """Give our names for the stages, the necks and the heads."""
        if name.startswith("backbone.layer0."):
            return name.replace("layer0", "stem")
        if found := MOBILE.fullmatch(name):
            return f"backbone.groups.{int(found[1]) - 1}.{found[2]}.layers.{found[3]}"
        if found := NECK.fullmatch(name):
            return f"head.necks.{int(found[1]) - 2}.{found[2]}"
        return _head(name)

    def tracker(self, network: Network) -> TrackerSettings:
        """Return the settings of the experiment `siamrpn_mobilev2_l234_dwxcorr`."""
        return TrackerSettings(window=0.4, penalty=0.04, size_rate=0.5, rim=0, smallest=10.0)


class ResNetLayout(MobileLayout):
    """SiamRPN++ with ResNet-50: three depths, whose heads have weights."""

    def recognizes(self, state: State) -> bool:
        """Know it by its bottlenecks."""
        return "backbone.layer4.0.conv3.weight" in state

    def build(self, state: State) -> Network:
        """Read width and hidden channels from the shapes."""
        backbone = DilatedResNet50(state["backbone.conv1.weight"].shape[0] / 64)
        hidden = state["neck.downsample2.downsample.0.weight"].shape[0]
        head = MultiRPNHead(
            backbone.channels, 15, 8, splits=backbone.splits, hidden=hidden, weighted=True
        )
        return Network(backbone, head)

    def rename(self, name: str) -> str | None:
        """Give our names for the groups, and for what MobileNetV2 has as well."""
        if found := re.fullmatch(r"backbone\.(conv|bn)1\.(.+)", name):
            return f"backbone.stem.{int(found[1] == 'bn')}.{found[2]}"
        if found := RESIDUAL.fullmatch(name):
            group, unit, kind, number, place, rest = found.groups()
            inside = f"shortcut.{place}"
            if kind:
                inside = f"layers.{3 * int(number) - 3 + (kind == 'bn')}"
            return f"backbone.groups.{int(group) - 1}.{unit}.{inside}.{rest}"
        weights = {"rpn_head.cls_weight": "score_weight", "rpn_head.loc_weight": "box_weight"}
        return f"head.{weights[name]}" if name in weights else super().rename(name)

    def tracker(self, network: Network) -> TrackerSettings:
        """Return the settings of the experiment `siamrpn_r50_l234_dwxcorr`."""
        return TrackerSettings(window=0.42, penalty=0.05, size_rate=0.38, rim=0, smallest=10.0)


def _head(name: str) -> str | None:
    """`score_template`, `score_search` and `score` of one depth-wise head, or of each depth's."""
    found = RPN.fullmatch(name)
    if found is None:
        return None
    depth, branch, part, rest = found.groups()
    place = "head." if depth is None else f"head.heads.{int(depth) - 2}."
    return f"{place}{BRANCH[branch]}{PART[part]}.{rest}"


LAYOUTS.register("pysot-alexnet")(AlexNetLayout())
LAYOUTS.register("pysot-mobilenetv2")(MobileLayout())
LAYOUTS.register("pysot-resnet50")(ResNetLayout())
