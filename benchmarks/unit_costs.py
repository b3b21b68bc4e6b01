"""Processor seconds of a training pair and of a frame: what docs/scaling.md builds on.

    python benchmarks/unit_costs.py --data data/train --dataset otb:/data/dev --sequence Couple

One thread; processor time, which depends less than the clock on what else a machine does.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import torch

import siamtrack
from siamtrack.data.annotations import read_all
from siamtrack.data.manifest import Pool
from siamtrack.data.pairs import PairSampler
from siamtrack.training import preset, train

BATCH, FEW, MORE = 8, 2, 6


def used(run: Callable[[], object]) -> float:
    clock = time.process_time()
    run()
    return time.process_time() - clock


def pair(pool: Pool, name: str, stages: int) -> float:
    """Seconds a pair: a run of more steps less one of few, after one to warm up."""
    seconds = []
    for steps in (FEW, FEW, MORE):
        changes = {"steps": steps, "batch": BATCH, "save_every": 1e9, "loaders": 0}
        config = preset(name, changes | {"unfreeze": [[0.0, stages]]})
        sampler = PairSampler(pool, config.pairs, config.seed)
        with tempfile.TemporaryDirectory() as folder:
            seconds.append(used(lambda c=config, s=sampler, f=folder: train(c, s, Path(f, "run"))))
    return (seconds[2] - seconds[1]) / ((MORE - FEW) * BATCH)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--sequence", required=True)
    given = parser.parse_args()
    logging.getLogger("siamtrack").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    sequence = siamtrack.open_dataset(given.dataset)[given.sequence]
    loaded: list[siamtrack.SiamTracker] = []  # the first load: later ones share its network
    load = used(lambda: loaded.append(siamtrack.load(threads=1)))
    tracker = loaded[0]
    frames = [sequence[k] for k in range(min(80, len(sequence)))]
    rounds = []
    for _ in range(3):
        start = used(lambda: tracker.init(frames[0], sequence.boxes[0]))
        rounds.append((used(lambda: [tracker.update(f) for f in frames[1:]]), start))
    seconds, start = min(rounds)
    found = {
        "frame_shape": frames[0].shape,
        "update": seconds / (len(frames) - 1),
        "init": start,
        "read_frame": used(lambda: [sequence[k] for k in range(len(frames))]) / len(frames),
        "load_model": load,
    }
    pool = Pool(read_all([given.data]))
    sampler = PairSampler(pool, preset("paper").pairs, 0)
    found["draw_pair"] = used(lambda: [sampler.draw(k) for k in range(64)]) / 64
    for name, stages in (("cpu", 99), ("paper", 1), ("paper", 7)):
        found[f"pair {name}, {stages} stages train"] = pair(pool, name, stages)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
