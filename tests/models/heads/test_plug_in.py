"""A head of another package, named in a config: it trains, exports and tracks as ours do."""

import sys
from dataclasses import replace

import numpy as np
import pytest

import siamtrack
from siamtrack.core.config import from_dict, to_dict
from siamtrack.data.manifest import Pool, read_manifest
from siamtrack.data.pairs import PairSampler
from siamtrack.errors import PluginError, UnknownNameError
from siamtrack.models.network import BoxTrackerConfig, build_network
from siamtrack.packages.card import load_model
from siamtrack.training import TrainConfig, train
from siamtrack.training.checkpoint import export
from tests.helpers import clip
from tests.networks import answers, assert_alike
from tests.plugin_files import installed
from tests.training.manifest import write_manifest
from tests.training.test_resume import TINY

HEADS = """
from torch import nn

from siamtrack.models.correlation import depthwise_correlation
from siamtrack.models.heads import CenterHead, ResponseHead


class Weighed(ResponseHead):
    def __init__(self, channels, template_cells, stride):
        super().__init__()
        self.weigh = nn.Conv2d(channels, 1, 1)
        nn.init.constant_(self.weigh.weight, 1 / (channels * template_cells**2))

    def forward(self, kernel, search):
        return self.weigh(depthwise_correlation(kernel, search))


class Shallow(CenterHead):
    def __init__(self, channels, template_cells, stride, width):
        super().__init__(channels, template_cells, stride, width, depth=1)


def no_head(channels, template_cells, stride):
    return nn.Linear(channels, 1)
"""
ENTRIES = """[siamtrack.heads]
weighed = own_heads:Weighed
shallow = own_heads:Shallow
none = own_heads:no_head
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(installed(tmp_path / "own", "own", ENTRIES, own_heads=HEADS)))
    monkeypatch.delitem(sys.modules, "own_heads", raising=False)


@pytest.mark.parametrize(("name", "kind"), [("weighed", "response"), ("shallow", "box")])
def test_it_trains_exports_and_tracks(name, kind, package, tmp_path):
    model = {**to_dict(TINY.model), "head": name, "head_width": 8}
    config = from_dict(TrainConfig, {**to_dict(replace(TINY, steps=2)), "model": model})
    pool = Pool(read_manifest(write_manifest(tmp_path / "data")))
    path = train(config, PairSampler(pool, config.pairs), tmp_path / "run")
    card = export(path, tmp_path / "model", formats=["torch"])
    assert (card.kind, card.template, card.search) == (kind, 87, 127)
    one, other = (
        answers(load_model(tmp_path / "model", runtime=runtime, threads=1), 2)
        for runtime in ("onnx", "torch")
    )
    assert ("distances" in one) == (kind == "box")
    assert_alike(one, other, 1e-3)
    tracker = siamtrack.load(tmp_path / "model", threads=1)
    pictures, boxes = clip(3)
    tracker.init(pictures[0], boxes[0])
    assert np.isfinite(tracker.update(pictures[1]).box).all()


def test_what_is_no_head_is_refused(package):
    structure = BoxTrackerConfig(backbone="alexnet", width=0.05, template=87, search=127)
    with pytest.raises(PluginError, match=r"head 'none' returned .* which has no kind"):
        build_network(replace(structure, head="none"))
    with pytest.raises(UnknownNameError, match="did you mean 'shallow'"):
        build_network(replace(structure, head="shalow"))


def test_the_spelling_of_version_0_1_is_read():
    structure = from_dict(BoxTrackerConfig, {"head": "centre", "width": 0.25})
    assert structure == BoxTrackerConfig(width=0.25)
