"""Two processes train what one does, and go on when one of them is killed."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from siamtrack.core.config import to_dict
from siamtrack.data.manifest import Pool, read_manifest
from siamtrack.data.pairs import PairConfig, PairSampler
from siamtrack.models.network import BoxTrackerConfig
from siamtrack.training import TrainConfig
from siamtrack.training.batches import batches
from siamtrack.training.distributed import Ranks, SyncedBatchNorm2d, join, sync_norms
from tests.training.manifest import write_manifest
from tests.training.test_resume import TINY

ROOT = Path(__file__).parents[2]
SIAMFC = replace(
    TINY,
    pairs=replace(TINY.pairs, negative=0.4),
    batch=4,
    steps=6,
    optimizer="sgd",
    sync_norms=True,
    rate=1e-2,
)
BOX = TrainConfig(
    model=BoxTrackerConfig(template=65, search=129, head_width=16, head_depth=1),
    pairs=PairConfig(template=65, search=129),
    batch=4,
    steps=4,
    save_every=0.0,
    loaders=0,
    unfreeze=((0.0, 0), (0.5, 2)),
    imagenet=False,
    optimizer="sgd",
    sync_norms=True,
    rate=1e-3,
)


@pytest.fixture
def data(tmp_path):
    return write_manifest(tmp_path / "data")


def torchrun(config, data, out, processes, at=-1, restarts=0):
    """Train under torchrun and return the checkpoint."""
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        processes,
        "--max-restarts",
        restarts,
        "-m",
        "tests.training.ranked",
        json.dumps(to_dict(config)),
        data,
        out,
        at,
    ]
    path = os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    child = subprocess.run(
        list(map(str, command)), env=environment, capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr[-3000:]
    return torch.load(out / "checkpoint.pt", weights_only=True)


def far(first, second, part="model"):
    """Largest difference of a tensor, as a share of its largest value, or of 0.01."""
    pairs = [(first[part][name], second[part][name]) for name in first[part]]
    return max(float((a - b).abs().max() / b.abs().max().clamp(min=1e-2)) for a, b in pairs)


def test_the_parts_of_all_processes_are_the_batch(data):
    config = replace(SIAMFC, batch=6)
    sampler = PairSampler(Pool(read_manifest(data)), config.pairs, seed=1)
    for loaders in (0, 2):
        whole = next(batches(sampler, 6, 3, loaders))
        parts = [next(batches(sampler, 6, 3, loaders, Ranks(k, 3))) for k in range(3)]
        for name in ("template", "size", "search", "boxes", "present"):
            together = torch.cat([getattr(part, name) for part in parts])
            assert torch.equal(together, getattr(whole, name))


def test_a_batch_that_cannot_be_shared(data):
    sampler = PairSampler(Pool(read_manifest(data)), SIAMFC.pairs, seed=1)
    with pytest.raises(ValueError, match="batch 4 on 3 processes"):
        batches(sampler, 4, 0, 0, Ranks(0, 3))


def test_alone_there_is_nothing_to_share(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert join("cpu") == Ranks(0, 1)
    tensor = torch.ones(3)
    join("cpu").average([tensor, None])
    assert torch.equal(tensor, torch.ones(3))


def test_synced_norms_alone_are_torchs():
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    synced = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    synced.load_state_dict(plain.state_dict())
    sync_norms(synced)
    assert isinstance(synced[1], SyncedBatchNorm2d)
    images = torch.randn(2, 3, 8, 8)
    assert torch.equal(plain(images), synced(images))
    assert list(plain.state_dict()) == list(synced.state_dict())


@pytest.mark.slow
@pytest.mark.parametrize(
    "config", [SIAMFC, replace(SIAMFC, loss="triplet"), BOX], ids=["siamfc", "triplet", "box"]
)
def test_two_processes_reach_the_weights_of_one(config, data, tmp_path):
    one, two = (torchrun(config, data, tmp_path / str(count), count) for count in (1, 2))
    assert one["step"] == two["step"] == config.steps
    assert far(one, two) < 1e-4
    assert far(one, two, "average") < 1e-4
    start = torchrun(replace(config, steps=1, rate=1e-9), data, tmp_path / "start", 1)
    assert far(one, start) > 1e-3, "they have moved at all"
    lines = [(tmp_path / str(k) / "metrics.jsonl").read_text().splitlines() for k in (1, 2)]
    losses = [json.loads(each[-1])["loss"] for each in lines]
    assert len(lines[1]) == 1, "one process writes"
    assert losses[0] == pytest.approx(losses[1], abs=2e-3)


@pytest.mark.slow
def test_a_killed_process_is_started_again_and_the_result_is_the_same(data, tmp_path):
    config = replace(SIAMFC, optimizer="adamw", rate=1e-3)
    whole = torchrun(config, data, tmp_path / "whole", 2)
    # the second of two processes takes the pairs 2 and 3 of each batch of 4
    killed = torchrun(config, data, tmp_path / "broken", 2, at=4 * 3 + 2, restarts=2)
    assert (tmp_path / "broken.killed").exists()
    for part in ("model", "average"):
        assert all(torch.equal(killed[part][name], v) for name, v in whole[part].items())
