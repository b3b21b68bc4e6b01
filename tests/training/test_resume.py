"""kill -9 at any moment, and go on: the weights are those of the run that nobody killed."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from siamtrack.core.config import to_dict
from siamtrack.data.manifest import Pool, read_manifest
from siamtrack.data.pairs import PairConfig, PairSampler
from siamtrack.models.network import SiamFCConfig
from siamtrack.training import TrainConfig, train
from tests.training.manifest import write_manifest

TINY = TrainConfig(
    model=SiamFCConfig(backbone="alexnet", width=0.05, template=87, search=127),
    pairs=PairConfig(template=87, search=127, shift=0.2),
    batch=2,
    save_every=0.0,
    loaders=0,
    unfreeze=((0.0, 2), (0.5, 5)),
    backbone_rate=1.0,
    norms="train",
    imagenet=False,
)

KILLED = """
import json, os, signal, sys
from pathlib import Path
import torch
from siamtrack.core.config import from_dict
from siamtrack.data.manifest import Pool, read_manifest
from siamtrack.data.pairs import PairSampler
from siamtrack.training import TrainConfig, train

class Killed(PairSampler):
    def draw(self, index):
        if index >= int(sys.argv[4]):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().draw(index)

torch.set_num_threads(1)
config = from_dict(TrainConfig, json.loads(sys.argv[1]))
pool = Pool(read_manifest(sys.argv[2]))
train(config, Killed(pool, config.pairs, config.seed), Path(sys.argv[3]))
"""


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("steps", "loaders", "optimizer"),
    [
        (16, 0, "sgd"),
        (16, 2, "adamw"),
        pytest.param(200, 0, "adamw", marks=SLOW),
        pytest.param(200, 2, "adamw", marks=SLOW),
    ],
)
def test_killed_and_resumed_is_bitwise_the_run_that_was_not(steps, loaders, optimizer, tmp_path):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    data = write_manifest(tmp_path / "data")
    config = replace(TINY, steps=steps, loaders=loaders, optimizer=optimizer, rate=1e-3)
    arguments = [json.dumps(to_dict(config)), data, tmp_path / "killed", steps // 2 * config.batch]
    child = subprocess.run([sys.executable, "-c", KILLED, *map(str, arguments)], check=False)
    assert child.returncode == -9
    step = torch.load(tmp_path / "killed" / "checkpoint.pt", weights_only=True)["step"]
    assert 0 < step <= steps // 2
    assert not list(Path(tmp_path / "killed").glob("*.part"))

    def run(name, resume):
        sampler = PairSampler(Pool(read_manifest(data)), config.pairs, config.seed)
        path = train(config, sampler, tmp_path / name, resume=resume)
        return torch.load(path, weights_only=True)

    resumed, whole = run("killed", resume=True), run("whole", resume=False)
    torch.set_num_threads(threads)
    assert resumed["step"] == whole["step"] == steps
    for part in ("model", "average"):
        assert all(torch.equal(resumed[part][k], v) for k, v in whole[part].items()), part
    lines = [json.loads(x) for x in (tmp_path / "killed/metrics.jsonl").read_text().splitlines()]
    assert len({line["step"] for line in lines}) == len(lines), "no step is there twice"
