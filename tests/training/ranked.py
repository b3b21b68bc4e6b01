"""A training process for `torchrun`; it may be killed once, at a pair."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import torch

from siamtrack.core.config import from_dict
from siamtrack.data.manifest import Pool, read_manifest
from siamtrack.data.pairs import PairSampler
from siamtrack.training import TrainConfig, train


class Killed(PairSampler):
    """Kills its process at pair `at`, the first time."""

    at, done = -1, Path()

    def draw(self, index):
        if index == self.at and not self.done.exists():
            self.done.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().draw(index)


def main() -> None:
    config_text, data, out, at = sys.argv[1:5]
    torch.set_num_threads(1)
    config = from_dict(TrainConfig, json.loads(config_text))
    sampler = Killed(Pool(read_manifest(Path(data))), config.pairs, config.seed)
    sampler.at, sampler.done = int(at), Path(out).with_suffix(".killed")
    train(config, sampler, Path(out), resume=True)


if __name__ == "__main__":
    main()
