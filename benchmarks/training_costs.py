"""What a pair of the `box` preset costs in training, in turn with another checkout.

    git worktree add /tmp/before 55f372b
    python benchmarks/training_costs.py --data data/train --against /tmp/before

Both phases of the preset are measured, the one in which the backbone is frozen and the one in which
its last stages train, and weighted by the preset's schedule. Each round is a process of its own,
with random weights and images in memory. Processor time, of programs and of the system in their
name, depends less on what else the machine does than the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
FROZEN, TRAINED = 0, 6
SHARES = {FROZEN: 0.3, TRAINED: 0.7}
"""Stages that train in the two phases of the preset, and the phases' shares of its steps."""
SCRIPT = """
import inspect, json, resource, sys, tempfile, time
from pathlib import Path
import cv2, torch
from siamtrack.data.manifest import Pool, read_manifest
from siamtrack.data.pairs import PairSampler
from siamtrack.training import Watch, preset, train

manifest, entries, trained, steps, threads, changes = sys.argv[1:]
cv2.setNumThreads(1)
torch.set_num_threads(int(threads))
steps, batch, marks = int(steps), 32, {}
plan = {"unfreeze": [[0.0, int(trained)]], "steps": steps, "loaders": 0, "imagenet": False}
config = preset("box", {**plan, "batch": batch, "save_every": 1e9, **json.loads(changes)})

class Marked(PairSampler):
    def draw(self, *place):  # the index, after an epoch until November 2026
        if place[-1] % batch == 0:
            used = resource.getrusage(resource.RUSAGE_SELF)
            marks[place[-1] // batch] = (used.ru_utime + used.ru_stime, time.perf_counter())
        return super().draw(*place)

sampler = Marked(Pool(read_manifest(manifest)[: int(entries)]), config.pairs, 7)
epochs = len(inspect.signature(PairSampler.draw).parameters) == 3
for index in range(steps * batch):  # fills the memory of images
    sampler.draw(*([0, index] if epochs else [index]))
with tempfile.TemporaryDirectory() as folder:
    train(config, sampler, Path(folder) / "run", watch=Watch(every=steps))
spent = [(b - a) / (steps - 2) / batch for a, b in zip(marks[1], marks[steps - 1])]
print(json.dumps([1000 * each for each in spent]))
"""


def cost(
    checkout: Path, given: argparse.Namespace, trained: int, changes: str
) -> tuple[float, float]:
    """Milliseconds of processor time and of the clock a pair, without the first and last step."""
    settings = (given.data, given.entries, trained, given.steps, given.threads, changes)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, settings)],
        env={**os.environ, "PYTHONPATH": str(checkout / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{checkout}:\n{done.stderr[-2000:]}")
    processor, clock = json.loads(done.stdout.splitlines()[-1])
    return processor, clock


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="a manifest, or a folder with one")
    parser.add_argument("--against", type=Path, required=True, help="another checkout")
    parser.add_argument("--changes", action="append", default=[], help="a leg more, as JSON")
    parser.add_argument("--entries", type=int, default=400, help="read so many of the manifest")
    parser.add_argument("--steps", type=int, default=5, help="of 32 pairs, three at least")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    legs = {"before": (given.against, "{}"), "now": (ROOT, "{}")}
    legs |= {f"now, {changes}": (ROOT, changes) for changes in given.changes}
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for _ in range(given.rounds):
        for trained in SHARES:
            for name, (checkout, changes) in legs.items():
                spent = cost(checkout, given, trained, changes)
                found.setdefault((name, trained), []).append(spent)
                print(f"{trained} stages train, {name}: {spent[0]:.1f} ms a pair", flush=True)
    for number, kind in enumerate(("processor", "clock")):
        for name in legs:
            rows = {
                trained: [
                    statistics.median(spent[number] for spent in found[leg, trained])
                    for leg in ("before", name)
                ]
                for trained in SHARES
            }
            rows[-1] = [sum(SHARES[each] * rows[each][leg] for each in SHARES) for leg in (0, 1)]
            text = ", ".join(
                f"{label} {rows[key][1]:.1f} ms, x{rows[key][0] / rows[key][1]:.2f}"
                for label, key in (("frozen", FROZEN), ("trained", TRAINED), ("whole", -1))
            )
            print(f"{kind}, {name}: {text}, {1000 / rows[-1][1]:.1f} pairs/s")


if __name__ == "__main__":
    main()
