"""Runs that cannot start say why in one sentence, before the first step."""

from dataclasses import replace

import pytest
import torch

from siamtrack.data.manifest import Pool, read_manifest
from siamtrack.data.pairs import PairSampler
from siamtrack.errors import WeightsError
from siamtrack.models.network import BoxTrackerConfig
from siamtrack.training import train
from siamtrack.training.checkpoint import read
from tests.training.manifest import write_manifest
from tests.training.test_resume import TINY

torch.set_num_threads(1)
FEW = replace(TINY, steps=2)


@pytest.fixture(scope="module")
def sampler(tmp_path_factory):
    pool = Pool(read_manifest(write_manifest(tmp_path_factory.mktemp("data"))))
    return PairSampler(pool, FEW.pairs)


@pytest.fixture(scope="module")
def trained(sampler, tmp_path_factory):
    return train(FEW, sampler, tmp_path_factory.mktemp("before") / "run")


def refused(config, sampler, out, error, message):
    with pytest.raises(error, match=message) as raised:
        train(config, sampler, out)
    assert "\n" not in str(raised.value)
    assert not (out / "checkpoint.pt").exists()


def test_imagenet_weights_that_nobody_has(sampler, tmp_path):
    wanted = replace(FEW, imagenet=True)
    refused(wanted, sampler, tmp_path, ValueError, "no package has ImageNet weights of 'alexnet'")
    # unless it is asked for, a backbone without such weights begins with random ones
    assert train(replace(FEW, imagenet=None), sampler, tmp_path).is_file()


def test_a_run_of_before_that_asked_for_them_can_be_resumed(sampler, trained, tmp_path):
    state = read(trained)
    state["config"] = state["config"].replace('"imagenet": false', '"imagenet": true')
    state["step"] = 1
    torch.save(state, tmp_path / "checkpoint.pt")
    path = train(replace(FEW, imagenet=None), sampler, tmp_path, resume=True)
    assert read(path)["step"] == 2


def test_a_checkpoint_of_another_head(sampler, trained, tmp_path):
    model = BoxTrackerConfig(
        backbone="alexnet", width=0.05, template=87, search=127, head="region", head_width=8
    )
    other = replace(FEW, model=model, initial=str(trained))
    message = "has a head 'siamfc', the config's `model` has 'region': give a checkpoint with"
    refused(other, sampler, tmp_path, WeightsError, message)
    backbone = replace(other, backbone_only=True)
    assert train(backbone, sampler, tmp_path / "backbone").is_file()
    wide = replace(backbone, model=replace(model, width=0.1))
    message = "has the backbone 'alexnet' of width 0.05: expected 'alexnet' of width 0.1"
    refused(wide, sampler, tmp_path / "wide", WeightsError, message)


def test_a_loss_of_another_kind_of_head(sampler, tmp_path):
    message = "loss 'giou' takes boxes, and the head gives response maps"
    refused(replace(FEW, loss="giou"), sampler, tmp_path, ValueError, message)


def test_a_run_goes_on_on_another_device_with_another_precision(sampler, trained, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(trained.read_bytes())
    state = read(tmp_path / "checkpoint.pt")
    torch.save({**state, "step": 1}, tmp_path / "checkpoint.pt")
    other = replace(FEW, device="cpu:0", precision="bfloat16")
    assert read(train(other, sampler, tmp_path, resume=True))["step"] == 2
