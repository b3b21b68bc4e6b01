"""Loaders alone: processor time to draw and stack a pair, in turn with another checkout.

    git worktree add /tmp/before 55f372b
    python benchmarks/pair_costs.py --data data/train --against /tmp/before

Each round is a process of its own that draws the same pairs twice; the first time fills its memory
of images and is not counted. Processor time depends little on what else the machine does.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SCRIPT = """
import inspect, sys, time
import cv2, torch
from siamtrack.data.manifest import Pool, read_manifest
from siamtrack.data.pairs import PairConfig, PairSampler
from siamtrack.training.batches import collate

cv2.setNumThreads(1)
torch.set_num_threads(1)
pool = Pool(read_manifest(sys.argv[1])[: int(sys.argv[3])])
sampler, count = PairSampler(pool, PairConfig(), 7), int(sys.argv[2])
epochs = len(inspect.signature(sampler.draw).parameters) == 2  # until November 2026

def batch(first):
    places = range(first, first + 16)
    return collate([sampler.draw(0, i) if epochs else sampler.draw(i) for i in places])

for _ in range(2):
    began = time.process_time()
    for first in range(0, count, 16):
        batch(first)
    used = time.process_time() - began
print(1000 * used / count)
"""


def cost(checkout: Path, data: str, pairs: int, entries: int) -> float:
    """Milliseconds of processor time a pair."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, data, str(pairs), str(entries)],
        env={**os.environ, "PYTHONPATH": str(checkout / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="folder with a manifest")
    parser.add_argument("--against", type=Path, required=True, help="another checkout")
    parser.add_argument("--pairs", type=int, default=320)
    parser.add_argument("--entries", type=int, default=1500, help="the first of the manifest")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    checkouts = {"against": given.against, "here": ROOT}
    found: dict[str, list[float]] = {name: [] for name in checkouts}
    for _ in range(given.rounds):
        for name, checkout in checkouts.items():
            found[name].append(cost(checkout, given.data, given.pairs, given.entries))
            print(f"{name}: {found[name][-1]:.2f} ms", flush=True)
    medians = {name: statistics.median(values) for name, values in found.items()}
    print(f"ratio of medians {medians['against'] / medians['here']:.2f}")


if __name__ == "__main__":
    main()
