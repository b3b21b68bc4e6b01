"""Losses and backbones at the same budget of pairs, with the spread over seeds.

    python benchmarks/loss_study.py --data data/train --otb otb:data/otb --out runs/study

{AlexNet, CIResNet-22 slim} x {contrastive, triplet, logistic, logistic then triplet} x 3 seeds, and
CIResNet-22 with plainly padded units on the logistic loss. Each cell is a run of its own in
OUT/CELL and one file OUT/CELL.json; cells that are there are not run again, and a cell that was
killed goes on where it was. `--cell` runs one, `--table` only prints the table of what is there.
Nothing is tuned: rates, augmentation and the tracker's settings are those of the preset `cpu` for
every cell.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from siamtrack.core.config import to_dict
from siamtrack.data import open_dataset
from siamtrack.data.annotations import read_all
from siamtrack.data.cache import ImageCache
from siamtrack.data.manifest import Pool
from siamtrack.data.pairs import PairSampler
from siamtrack.training import TrainConfig, checkpoint, preset, train
from siamtrack.training.monitor import excerpt, live_model, track_sequences

ROOT = Path(__file__).parent.parent
NETWORKS: dict[str, dict[str, Any]] = {
    "alexnet": {"backbone": "alexnet"},
    "ciresnet22": {"backbone": "ciresnet22"},
    "padded22": {"backbone": "ciresnet22", "padded": True},
}
LOSSES: dict[str, tuple[str, ...]] = {
    "contrastive": ("contrastive",),
    "triplet": ("triplet",),
    "logistic": ("logistic",),
    "logistic+triplet": ("logistic", "triplet"),
}


def cells(seeds: int) -> list[tuple[str, str, int]]:
    """All cells (network, loss, seed), one seed of everything before the next."""
    pairs = [(network, loss) for network in ("alexnet", "ciresnet22") for loss in LOSSES]
    pairs.append(("padded22", "logistic"))
    return [(network, loss, seed) for seed in range(seeds) for network, loss in pairs]


def stages(network: str, loss: str, seed: int, given: argparse.Namespace) -> list[TrainConfig]:
    """The runs of a cell; two losses share the budget half and half."""
    losses = LOSSES[loss]
    steps = max(1, given.pairs // given.batch // len(losses))
    return [
        preset(
            "cpu",
            {
                "model": {**NETWORKS[network], "width": given.width},
                "loss": each,
                "seed": seed,
                "steps": steps,
                "batch": given.batch,
                "save_every": 60.0,
                "precision": given.precision,
            },
        )
        for each in losses
    ]


def run_cell(
    cell: tuple[str, str, int], given: argparse.Namespace, pool: Pool, cache: ImageCache
) -> dict[str, Any]:
    """Train and track one cell."""
    name = "-".join(map(str, cell))
    began, path = time.perf_counter(), None
    configs = stages(*cell, given)
    for number, config in enumerate(configs):
        out = given.out / name / f"{number}-{config.loss}"
        values = to_dict(config) | ({"initial": str(path)} if path else {})
        # pairs of the second half are new ones
        values["seed"] = config.seed + 1000 * number
        config = preset("cpu", values)
        sampler = PairSampler(pool, config.pairs, config.seed, cache)
        path = train(config, sampler, out, resume=True)
    trained = time.perf_counter() - began
    network = config.network()
    network.load_state_dict(checkpoint.read(path)["average"])
    model, scores = live_model(network), {}
    for sequence in excerpt(open_dataset(given.otb, partial=True), given.sequences, given.frames):
        scores[sequence.name] = track_sequences(model, [sequence])
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return {
        "network": cell[0],
        "loss": cell[1],
        "seed": cell[2],
        "pairs": given.pairs,
        "width": given.width,
        "success": round(float(np.mean([s["success"] for s in scores.values()])), 4),
        "precision": round(float(np.mean([s["precision"] for s in scores.values()])), 4),
        "sequences": scores,
        "frames_of_each": given.frames,
        "train_seconds": round(trained),
        "track_seconds": round(time.perf_counter() - began - trained),
        "config": to_dict(config),
        "commit": commit,
        "versions": checkpoint.versions(),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
    }


def table(folder: Path) -> str:
    """The cells that are there as Markdown: mean and spread (standard deviation) over the seeds."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for file in sorted(folder.glob("*.json")):
        cell = json.loads(file.read_text(encoding="utf-8"))
        found.setdefault((cell["network"], cell["loss"]), []).append(cell)
    rows = ["| network | loss | seeds | success AUC | precision |", "|---|---|---|---|---|"]
    for (network, loss), group in sorted(found.items()):
        columns = []
        for metric in ("success", "precision"):
            values = [cell[metric] for cell in group]
            spread = f" +- {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
            columns.append(f"{np.mean(values):.3f}{spread}")
        rows.append(f"| {network} | {loss} | {len(group)} | {' | '.join(columns)} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", action="append", help="training data, as `siamtrack train`")
    parser.add_argument("--otb", help="NAME:PATH of the sequences to track")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=32_000, help="budget of each cell")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--precision", default="bfloat16", help="bfloat16 or float32")
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sequences", type=int, default=100)
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--cell", help="only this one, such as ciresnet22-logistic-0")
    parser.add_argument("--table", action="store_true", help="print the table and stop")
    given = parser.parse_args()
    if given.table:
        print(table(given.out))
        return
    if not given.data or not given.otb:
        parser.error("--data and --otb are needed to run cells")
    given.out.mkdir(parents=True, exist_ok=True)
    pool, cache = Pool(read_all(given.data)), ImageCache()
    names = {"-".join(map(str, cell)): cell for cell in cells(given.seeds)}
    if given.cell and given.cell not in names:
        parser.error(f"no cell {given.cell}; known: {', '.join(names)}")
    for name, cell in names.items():
        file = given.out / f"{name}.json"
        if file.exists() or given.cell not in (None, name):
            continue
        text = json.dumps(run_cell(cell, given, pool, cache), indent=1)
        part = file.with_suffix(".part")
        part.write_text(text + "\n", encoding="utf-8")
        part.replace(file)
        print(f"{name}: done", flush=True)
    print(table(given.out))


if __name__ == "__main__":
    main()
