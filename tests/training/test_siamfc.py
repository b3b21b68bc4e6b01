import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from siamtrack.core.config import from_dict, to_dict
from siamtrack.data.manifest import Pool, read_manifest
from siamtrack.data.pairs import PairSampler
from siamtrack.errors import UnknownNameError
from siamtrack.models.backbones import BACKBONES
from siamtrack.models.network import SiamFCConfig, build_network
from siamtrack.training import PRESETS, TrainConfig, checkpoint, preset, train
from siamtrack.training.config import SIAMDW_UNFREEZING, rate_factor, trained_stages
from siamtrack.training.loop import build_optimizer, set_trained, start
from tests.training.manifest import write_manifest
from tests.training.test_resume import TINY


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    return Pool(read_manifest(write_manifest(tmp_path_factory.mktemp("data") / "a")))


def lines(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("loss", ["logistic", "contrastive", "triplet"])
def test_every_loss_falls(loss, pool, tmp_path):
    config = replace(
        TINY, steps=40, batch=4, loss=loss, unfreeze=((0.0, 5),), rate=3e-3, save_every=99.0
    )
    train(config, PairSampler(pool, config.pairs), tmp_path)
    losses = [line["loss"] for line in lines(tmp_path)]
    assert losses[-1] < losses[0]


def test_logistic_then_triplet_is_two_runs(pool, tmp_path):
    first = train(replace(TINY, steps=2), PairSampler(pool, TINY.pairs), tmp_path / "1")
    config = replace(TINY, steps=1, loss="triplet", initial=str(first), rate=1e-9)
    second = train(config, PairSampler(pool, TINY.pairs), tmp_path / "2")
    before, after = checkpoint.read(first)["average"], checkpoint.read(second)["model"]
    weight = "backbone.conv1.0.weight"
    torch.testing.assert_close(after[weight], before[weight], atol=1e-6, rtol=0)


def test_unknown_loss(pool, tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'logistic'"):
        train(replace(TINY, loss="logistik"), PairSampler(pool, TINY.pairs), tmp_path)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_unfreezing_keeps_frozen_stages_and_the_state_of_the_optimizer(optimizer):
    config = replace(TINY, optimizer=optimizer, decay=0.1, rate=0.01)
    model, _ = start(config)
    learner = build_optimizer(config, model, None)
    learn, stages = model.objective(config), list(model.backbone.stages())
    generator = torch.Generator().manual_seed(0)

    def step(count, norms):
        from siamtrack.training.batches import Batch

        set_trained(model, stages, count, norms)
        batch = Batch(
            torch.rand(2, 3, 87, 87, generator=generator) * 255,
            torch.full((2, 2), 0.5),
            torch.rand(2, 3, 127, 127, generator=generator) * 255,
            torch.tensor([[50.0, 50.0, 27.0, 27.0]] * 2),
            torch.ones(2),
        )
        learner.zero_grad(set_to_none=True)
        learn(model.features(batch.template), model.features(batch.search), batch)[
            "loss"
        ].backward()
        learner.step()

    before = {name: value.clone() for name, value in model.state_dict().items()}

    def changed():
        now = model.state_dict()
        return {n.split(".")[1] for n, v in before.items() if not torch.equal(v, now[n])}

    step(1, "train")
    assert changed() <= {"conv5", "bias"}
    last = model.backbone.conv5[0].weight
    assert learner.state[last]
    assert model.backbone.conv4[0].weight not in learner.state
    momentum = {k: v.clone() for k, v in learner.state[last].items() if torch.is_tensor(v)}
    step(2, "frozen")
    assert "conv4" in changed()
    assert not {"conv1", "conv2", "conv3"} & changed()
    assert torch.equal(
        before["backbone.conv4.1.running_mean"], model.state_dict()["backbone.conv4.1.running_mean"]
    )
    assert any(not torch.equal(v, learner.state[last][k]) for k, v in momentum.items())
    step(2, "train")
    assert not torch.equal(
        before["backbone.conv4.1.running_mean"], model.state_dict()["backbone.conv4.1.running_mean"]
    )


def test_the_unfreezing_of_siamdw_leaves_the_stem():
    config = preset("paper")
    stages = BACKBONES["ciresnet22"](width=0.1).stages()
    assert len(stages) == 8
    assert config.unfreeze == SIAMDW_UNFREEZING
    epochs = [trained_stages(round(epoch / 50 * config.steps), config) for epoch in range(50)]
    assert [epochs.index(count) for count in range(1, 8)] == [0, 5, 10, 15, 25, 30, 35]
    assert max(epochs) == 7


def test_rate_in_log_space():
    config = preset("paper")
    assert config.steps * config.batch == 50 * 600_000
    rates = [config.rate * rate_factor(s, config) for s in (0, config.steps // 2, config.steps - 1)]
    np.testing.assert_allclose(rates, [1e-2, 10**-3.5, 1e-5], rtol=1e-4)


def test_a_config_of_version_0_1_spells_optimiser():
    assert preset("cpu", {"optimiser": "sgd"}).optimizer == "sgd"
    settings = to_dict(preset("paper"))
    settings["optimiser"] = settings.pop("optimizer")
    assert from_dict(TrainConfig, settings) == preset("paper")


def test_presets_fit_and_survive_json():
    assert list(PRESETS) == ["box", "cpu", "paper"]
    for name in PRESETS:
        config = preset(name)
        assert from_dict(TrainConfig, json.loads(json.dumps(to_dict(config)))) == config
    changed = preset("cpu", {"model": {"backbone": "alexnet"}, "pairs": {"flip": 0.0}, "steps": 7})
    assert (changed.model.backbone, changed.model.width) == ("alexnet", 0.25)
    assert (changed.pairs.flip, changed.pairs.search, changed.steps) == (0.0, 255, 7)
    assert isinstance(
        preset(
            "box", {"model": {"kind": "siamfc"}, "pairs": {"template": 127, "search": 255}}
        ).model,
        SiamFCConfig,
    )
    with pytest.raises(UnknownNameError, match="model kind"):
        preset("cpu", {"model": {"kind": "siamfd"}})


def test_configs_of_earlier_box_runs_load():
    config = from_dict(
        TrainConfig,
        {
            "model": {
                "backbone": "mobile",
                "width": 1.0,
                "template": 129,
                "search": 257,
                "head_width": 96,
                "head_depth": 3,
            },
            "steps": 1500,
            "unfreeze": [[0.0, 8]],
            "teacher": "t.onnx",
            "pairs": {"weights": [["davis2016", 3.0]], "negative": 0.1},
        },
    )
    assert config.model.kind == "box"
    assert config == preset(
        "box",
        {
            "steps": 1500,
            "unfreeze": [[0.0, 8]],
            "teacher": "t.onnx",
            "frozen": "torch",
            "pairs": {"weights": [["davis2016", 3.0]], "negative": 0.1},
        },
    )


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"schedule": "log"}, "above 0 with schedule"),
        ({"loaders": -1}, "loaders -1"),
        ({"average": 1.0}, "must lie in"),
        ({"unfreeze": ((2.0, 1),)}, "fraction of the run"),
        ({"model": SiamFCConfig()}, "give pairs.template and pairs.search"),
    ],
)
def test_bad_settings(bad, message):
    with pytest.raises(ValueError, match=message):
        replace(TINY, **bad)


def test_padded_form():
    plain = build_network(SiamFCConfig(width=0.125, padded=True)).eval()
    assert not plain.backbone.padding_free
    with torch.no_grad():
        found = plain(torch.zeros(1, 3, 127, 127), torch.zeros(1, 3, 255, 255))
    assert found.shape == (1, 1, 17, 17)
    with pytest.raises(ValueError, match="no padded form"):
        build_network(SiamFCConfig(backbone="alexnet", padded=True))


@pytest.mark.parametrize("network", [{"backbone": "alexnet"}, {}, {"padded": True}])
def test_responses_start_where_losses_learn(network):
    torch.manual_seed(0)
    model = build_network(SiamFCConfig(width=0.125, **network))
    found = model(torch.rand(2, 3, 127, 127) * 255, torch.rand(2, 3, 255, 255) * 255)
    assert 0 < found.abs().max() < 20
    assert not model.head.scale.requires_grad


def test_bfloat16_trains(pool, tmp_path):
    config = replace(TINY, steps=2, precision="bfloat16")
    path = train(config, PairSampler(pool, config.pairs), tmp_path)
    weights = checkpoint.read(path)["model"].values()
    assert all(value.dtype != torch.bfloat16 for value in weights)
