from dataclasses import replace

import pytest
import torch

from siamtrack.data.manifest import Pool, read_manifest
from siamtrack.data.pairs import PairSampler
from siamtrack.training import checkpoint, train
from siamtrack.training.loop import set_trained
from siamtrack.training.speed import FrozenFront
from tests.training.manifest import write_manifest
from tests.training.test_loop import SMALL
from tests.training.test_resume import TINY


@pytest.mark.parametrize("config", [TINY, SMALL], ids=["siamfc", "box"])
@pytest.mark.parametrize("trained", [0, 2])
def test_features_and_gradients_are_those_of_torch(config, trained):
    torch.manual_seed(0)
    network = config.network()
    stages = list(network.backbone.stages())
    set_trained(network, stages, trained, "frozen")
    front = FrozenFront(network)
    set_trained(network, stages, trained, "frozen")
    images = torch.rand(2, 3, config.model.search, config.model.search) * 255
    frozen = len(stages) - trained
    ours, truth = network.features(front.run(images, frozen), frozen), network.features(images)
    torch.testing.assert_close(ours, truth, rtol=1e-3, atol=1e-4)
    assert ours.requires_grad == truth.requires_grad == (trained > 0)
    if trained:
        weights = [p for p in stages[-1].parameters() if p.requires_grad]
        for a, b in zip(
            torch.autograd.grad(ours.square().mean(), weights),
            torch.autograd.grad(truth.square().mean(), weights), strict=True,
        ):  # fmt: skip
            torch.testing.assert_close(a, b, rtol=1e-2, atol=1e-4)


def test_frozen_stages_stay_in_float32_under_autocast():
    network = SMALL.network()
    stages = list(network.backbone.stages())
    set_trained(network, stages, 2, "frozen")
    front = FrozenFront(network)
    set_trained(network, stages, 2, "frozen")
    images = torch.rand(2, 3, SMALL.model.search, SMALL.model.search) * 255
    with torch.autocast("cpu", torch.bfloat16):
        ours = network.features(front.run(images, len(stages) - 2), len(stages) - 2)
        truth = network.features(images)
    torch.testing.assert_close(ours.float(), truth.float(), rtol=0.1, atol=0.05)


def test_a_run_with_stages_that_unfreeze(tmp_path):
    pool = Pool(read_manifest(write_manifest(tmp_path / "data")))
    config = replace(TINY, steps=4, frozen="onnx", unfreeze=((0.0, 1), (0.5, 3)))
    found = [
        checkpoint.read(train(each, PairSampler(pool, each.pairs), tmp_path / each.frozen))["model"]
        for each in (config, replace(config, frozen="torch"))
    ]
    for name, value in found[0].items():
        torch.testing.assert_close(value, found[1][name], rtol=2e-2, atol=6e-3, msg=name)


def test_backbones_that_are_no_sequence_are_refused():
    config = replace(TINY, model=replace(TINY.model, backbone="mobilenetv2", width=0.1))
    with pytest.raises(ValueError, match="is not the sequence of its stages"):
        FrozenFront(config.network())
