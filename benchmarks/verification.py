"""Verification of unseen objects by both losses and three seeds, as a table and as JSON.

    python benchmarks/verification.py data/mine --steps 400

Writes benchmarks/verification.json, and the distances of the last seed to docs. What runs is
`benchmarks/verify_objects.py`.
"""

from __future__ import annotations

import argparse
import json
import platform
import runpy
import subprocess
import time
from pathlib import Path

import numpy as np
import torch

from siamtrack.data.objects import manifest_views

ROOT = Path(__file__).parent.parent
LOSSES = ("contrastive", "triplet")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="manifest with tracks")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    verify = runpy.run_path(str(ROOT / "benchmarks" / "verify_objects.py"))["verify"]
    objects = manifest_views(given.data)
    seen, unseen = objects.split()
    found: dict[str, list[float]] = {}
    start = time.perf_counter()
    for loss in LOSSES:
        for seed in range(given.seeds):
            picture = ROOT / "docs" / f"verification-{loss}.png"
            for name, area in verify(objects, loss, given.steps, seed, str(picture)).items():
                found.setdefault(name, []).append(round(area, 4))
    found["raw pixels"] = found["raw pixels"][:1]
    found["untrained"] = found["untrained"][: given.seeds]
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    result = {
        "objects": {"trained on": len(seen), "tested on": len(unseen)},
        "pairs": 1000,
        "steps": given.steps,
        "roc_auc": found,
        "commit": commit,
        "seconds": round(time.perf_counter() - start),
        "machine": platform.machine(),
        "torch": torch.__version__,
    }
    file = Path(__file__).with_suffix(".json")
    file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print("| distance | ROC AUC of each seed | mean | spread |\n|---|---|---|---|")
    for name, areas in found.items():
        each = ", ".join(f"{area:.3f}" for area in areas)
        print(f"| {name} | {each} | {np.mean(areas):.3f} | {np.std(areas):.3f} |")


if __name__ == "__main__":
    main()
