import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from siamtrack.data.manifest import Pool, read_manifest
from siamtrack.data.pairs import PairSampler
from siamtrack.training import checkpoint, preset, train
from siamtrack.training.batches import Batch
from siamtrack.training.loop import set_trained
from siamtrack.training.speed import FrozenFront, frozen_front
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


BOX = replace(SMALL, steps=6, loaders=0, frozen=preset("box").frozen, unfreeze=((0.0, 0), (0.5, 3)))
"""The small network with what the preset says of frozen stages, half of the run each way."""


class SwitchedOffError(Exception):
    pass


class Interrupted(PairSampler):
    """Breaks off after so many steps."""

    last = 0

    def draw(self, index):
        if index >= self.last * BOX.batch:
            raise SwitchedOffError
        return super().draw(index)


def run(config, data, out, resume=False, last=99):
    torch.set_num_threads(1)
    sampler = Interrupted(Pool(read_manifest(data)), config.pairs, config.seed)
    sampler.last = last
    return torch.load(train(config, sampler, out, resume=resume), weights_only=True)


def test_the_box_preset_gives_the_weights_of_torch_in_both_phases(tmp_path):
    assert BOX.frozen == "onnx"
    data = write_manifest(tmp_path / "data")
    found = run(BOX, data, tmp_path / "onnx")
    truth = run(replace(BOX, frozen="torch"), data, tmp_path / "torch")
    for name, value in found["average"].items():
        torch.testing.assert_close(value, truth["average"][name], rtol=2e-2, atol=5e-3, msg=name)
    losses = [
        json.loads((tmp_path / name / "metrics.jsonl").read_text().splitlines()[-1])["loss"]
        for name in ("onnx", "torch")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


@pytest.mark.parametrize("last", [2, 3, 4])  # frozen, at the step that unfreezes, and after it
def test_a_run_resumed_in_either_phase_is_bitwise_the_uninterrupted_one(last, tmp_path):
    data = write_manifest(tmp_path / "data")
    whole = run(BOX, data, tmp_path / "whole")
    with pytest.raises(SwitchedOffError):
        run(BOX, data, tmp_path / "broken", last=last)
    resumed = run(BOX, data, tmp_path / "broken", resume=True)
    for part in ("model", "average"):
        assert all(torch.equal(resumed[part][k], v) for k, v in whole[part].items()), part


def test_a_run_without_it_resumes_with_it(tmp_path):
    data = write_manifest(tmp_path / "data")
    plain = replace(BOX, frozen="torch")
    whole = run(plain, data, tmp_path / "whole")
    with pytest.raises(SwitchedOffError):
        run(plain, data, tmp_path / "broken", last=2)
    resumed = run(BOX, data, tmp_path / "broken", resume=True)
    for name, value in whole["average"].items():
        torch.testing.assert_close(value, resumed["average"][name], rtol=2e-2, atol=5e-3, msg=name)


def test_torch_runs_a_backbone_that_cannot_be_taken_apart_and_the_log_says_so(tmp_path, caplog):
    model = replace(BOX.model, backbone="mobilenetv2", width=0.1)
    config = replace(BOX, model=model, steps=1)
    with caplog.at_level("INFO", "siamtrack"):
        run(config, write_manifest(tmp_path / "data"), tmp_path / "run")
    assert (
        "frozen stages run in torch: MobileNetV2 is not the sequence of its stages" in caplog.text
    )


def test_torch_runs_stages_on_other_devices():
    assert frozen_front(BOX.network().to("meta")) is None


class Unexportable(nn.Module):
    """A layer of a user, for which no graph has a word."""

    def forward(self, x):
        return torch.special.bessel_j0(x)


def test_torch_runs_stages_that_have_no_graph(caplog):
    network = BOX.network()
    network.backbone.blocks[0].layers.append(Unexportable())
    front = FrozenFront(network)
    side = BOX.model.template
    pictures = torch.rand(2, 3, side, side) * 255
    batch = Batch(pictures, torch.ones(2, 2), pictures, torch.ones(2, 4), torch.ones(2))
    for _ in range(2):
        assert front(batch, 3) is batch
    assert caplog.text.count("frozen stages run in torch, since ONNX Runtime has no graph") == 1
