"""Pairs per second of training, beside a plain PyTorch loop of the same model on the same pairs.

    python benchmarks/training_throughput.py --data data/train

The legs alternate, so that a machine that is used by others as well slows all of them alike; what
counts is their ratio in each round, and the pairs per second of processor time, which depends less
on others. With `--preset box`, nothing of the backbone trains. ONNX Runtime runs it, torch in one
leg.
Writes benchmarks/training_throughput.json, one entry for each preset.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from siamtrack.data.annotations import read_all
from siamtrack.data.cache import ImageCache
from siamtrack.data.manifest import Pool
from siamtrack.data.pairs import Pair, PairSampler
from siamtrack.training import TrainConfig, Watch, preset, train
from siamtrack.training.batches import collate
from siamtrack.training.config import trained_stages
from siamtrack.training.loop import set_trained

ROOT = Path(__file__).parent.parent


class Pairs(Dataset[Pair]):
    def __init__(self, sampler: PairSampler, count: int) -> None:
        self.sampler, self.count = sampler, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Pair:
        return self.sampler.draw(index)


def plain(config: TrainConfig, sampler: PairSampler) -> dict[str, float]:
    """What one writes first: a DataLoader, a model, an optimizer."""
    torch.manual_seed(config.seed)
    model = config.network()
    set_trained(model, model.backbone.stages(), trained_stages(0, config), config.norms)
    learn = model.objective(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.rate, weight_decay=config.decay)
    loader = DataLoader(
        Pairs(sampler, config.steps * config.batch), config.batch, collate_fn=collate
    )
    began, waited, tick = time.perf_counter(), 0.0, time.perf_counter()
    for drawn in loader:
        batch = drawn.to("cpu")
        waited += time.perf_counter() - tick
        template = model.features(batch.template.contiguous())
        search = model.features(batch.search.contiguous())
        loss = learn(template, search, batch)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        tick = time.perf_counter()
    seconds = time.perf_counter() - began
    return {
        "pairs_per_second": config.steps * config.batch / seconds,
        "data_share": waited / seconds,
    }


def ours(config: TrainConfig, sampler: PairSampler) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        train(config, sampler, Path(folder) / "run", watch=Watch(every=config.steps))
        text = (Path(folder) / "run" / "metrics.jsonl").read_text()
    line = json.loads(text.splitlines()[-1])
    return {key: line[key] for key in ("pairs_per_second", "data_share")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", action="append", required=True)
    parser.add_argument("--preset", default="cpu")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--note", default="", help="what else the machine did")
    given = parser.parse_args()
    logging.getLogger("siamtrack").setLevel(logging.ERROR)
    if given.threads:
        torch.set_num_threads(given.threads)
    changes = {"steps": given.steps, "batch": given.batch, "save_every": 1e9}
    legs = {
        "plain PyTorch loop": (plain, {"loaders": 0}),
        "siamtrack": (ours, {}),
        "siamtrack, bfloat16": (ours, {"precision": "bfloat16"}),
    }
    if given.preset == "box":
        changes |= {"imagenet": False, "unfreeze": [[0.0, 0]]}
        legs["siamtrack, frozen stages in torch"] = (ours, {"frozen": "torch"})
    pool, cache = Pool(read_all(given.data)), ImageCache()
    found: dict[str, list[dict[str, float]]] = {name: [] for name in legs}
    for round_ in range(given.rounds + 1):
        for name, (run, more) in legs.items():
            steps = {"steps": 2} if round_ == 0 else {}  # the first round warms up
            config = preset(given.preset, changes | more | steps)
            # other pairs in every round, the same ones for each leg; images are cached by then
            sampler = PairSampler(pool, config.pairs, config.seed + round_, cache)
            if name == next(iter(legs)):
                for index in range(config.steps * config.batch):
                    sampler.draw(index)
            clock = time.process_time()
            result = run(config, sampler)
            used = time.process_time() - clock
            result["pairs_per_processor_second"] = config.steps * config.batch / used
            if round_:
                found[name].append(result)
                print(f"{name}: {result}", flush=True)
    base = [result["pairs_per_second"] for result in found["plain PyTorch loop"]]
    table: dict[str, Any] = {}
    for name, results in found.items():
        speeds = [result["pairs_per_second"] for result in results]
        ratios = [speed / other for speed, other in zip(speeds, base, strict=True)]
        table[name] = {
            "pairs_per_second": [round(speed, 2) for speed in speeds],
            "median": round(statistics.median(speeds), 2),
            "pairs_per_processor_second": round(
                statistics.median(r["pairs_per_processor_second"] for r in results), 2
            ),
            "ratio_to_plain": round(statistics.median(ratios), 3),
            "data_share": round(statistics.median(r["data_share"] for r in results), 3),
        }
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    result = {
        "batch": given.batch,
        "steps": given.steps,
        "rounds": given.rounds,
        "legs": table,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "note": given.note,
        "machine": platform.processor() or platform.machine(),
        "torch": str(torch.__version__),
        "commit": commit,
    }
    file = Path(__file__).with_suffix(".json")
    kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    kept[given.preset] = result
    file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
