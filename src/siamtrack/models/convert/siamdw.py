"""Checkpoints of SiamDW, https://github.com/researchmm/SiamDW: SiamFC+ and SiamRPN+.

The backbone is below `features.features`, the head below `connect_model`. The max-pool of the
second group counts as a layer of its own there, between the first and the second unit. Pictures are
BGR. SiamFC+ scales its response by 0.1.
"""

from __future__ import annotations

from dataclasses import replace

from siamtrack.core.settings import SIAMFC, TrackerSettings
from siamtrack.errors import WeightsError
from siamtrack.models.backbones import Backbone
from siamtrack.models.backbones.ciresnet import CIResIncep, CIResNet, CIResNeXt
from siamtrack.models.convert.layout import LAYOUTS, Layout, State
from siamtrack.models.heads import SiamFCHead, UpChannelRPNHead
from siamtrack.models.heads.anchors import RATIOS
from siamtrack.models.network import Network

BODY, HEAD = "features.features.", "connect_model."
STEM = {"conv1": "conv1", "bn1": "bn1", "conv0": "conv1", "bn0": "bn1"}
PARTS = {
    "basic.conv1_0": "basic.0",
    "basic.bn1": "basic.1",
    "basic.conv3_0": "basic.3",
    "basic.bn2": "basic.4",
    "basic.conv1_1": "basic.6",
    "basic.bn3": "basic.7",
    "shortcut.0": "shortcut",
    "branch3x3.conv1": "branch3x3.0",
    "branch3x3.bn1": "branch3x3.1",
    "branch3x3.conv2": "branch3x3.3",
    "branch3x3.bn2": "branch3x3.4",
    "branch3x3.conv3": "branch3x3.6",
    "branch3x3.bn3": "branch3x3.7",
    "branch1x1.conv": "branch1x1.0",
    "branch1x1.bn": "branch1x1.1",
}
RPN = {
    "template_cls": "score_template",
    "template_reg": "box_template",
    "search_cls": "score_search",
    "search_reg": "box_search",
    "adjust": "box_adjust",
}


class SiamDW(Layout):
    """SiamFC+ with every backbone of the project, and SiamRPN+ with one or two class scores."""

    bgr = True
    first = "backbone.stem.conv1.weight"
    own = ("head.scale", "head.bias")

    def recognizes(self, state: State) -> bool:
        """Know it by the doubled prefix."""
        return any(name.startswith(BODY) for name in state)

    def build(self, state: State) -> Network:
        """Read the backbone, its depth and the head from names and shapes."""
        backbone = _backbone(state)
        if not any(name.startswith(HEAD) for name in state):
            return Network(backbone, SiamFCHead(scale=0.1))
        hidden = state[HEAD + "search_cls.weight"].shape[0]
        scores = state[HEAD + "template_cls.weight"].shape[0] // hidden
        classes, rest = divmod(scores, len(RATIOS))
        if rest or classes not in (1, 2):
            raise WeightsError(
                f"a SiamRPN+ with {scores} scores a cell: expected {len(RATIOS)} anchors with one "
                "or two scores each"
            )
        head = UpChannelRPNHead(
            backbone.channels, 5, backbone.stride, hidden=hidden, classes=classes
        )
        return Network(backbone, head)

    def rename(self, name: str) -> str | None:
        """Count units without the max-pool, and give their layers our names."""
        if name.startswith(HEAD):
            part, _, field = name[len(HEAD) :].partition(".")
            return f"head.{RPN.get(part, part)}.{field}"
        if not name.startswith(BODY):
            return None
        part, _, rest = name[len(BODY) :].partition(".")
        if part in STEM:
            return f"backbone.stem.{STEM[part]}.{rest}"
        index, _, rest = rest.partition(".")
        layer, _, field = rest.rpartition(".")
        if part not in ("layer1", "layer2") or not index.isdigit() or not layer:
            return None
        unit = int(index) - (1 if part == "layer2" and int(index) > 0 else 0)
        return f"backbone.{part}.{unit}.{PARTS.get(layer, layer)}.{field}"

    def tracker(self, network: Network) -> TrackerSettings:
        """Return the defaults of its two trackers, before any tuning."""
        if network.own_head.kind == "response":
            return replace(SIAMFC, rim=0, smallest=10.0)
        return TrackerSettings(window=0.42, penalty=0.055, size_rate=0.295, rim=0, smallest=10.0)


def _backbone(state: State) -> Backbone:
    # counted from the names, so that shallower members of the family convert as well
    units = [
        len({name[len(BODY) :].split(".")[1] for name in state if name.startswith(BODY + layer)})
        for layer in ("layer1.", "layer2.")
    ]
    if 0 in units:
        raise KeyError(f"{BODY}layer{units.index(0) + 1}")
    depth = (units[0], units[1])
    if BODY + "conv0.weight" in state:
        return CIResNeXt(depth)
    if BODY + "layer1.0.branch3x3.conv1.weight" in state:
        return CIResIncep(depth)
    outputs, inputs = state[BODY + "layer1.0.conv2.weight"].shape[:2]
    return CIResNet(depth, double=outputs == 2 * inputs)


LAYOUTS.register("siamdw")(SiamDW())
