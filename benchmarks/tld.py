"""Long-term figures on TLD's videos, whose targets leave and return; keep them as JSON.

    python benchmarks/tld.py data/tld --raw /tmp/tld --out benchmarks/results/tld/report.json

Runs our default model with and without re-detection and, where OpenCV has them, CSRT and KCF, with
one thread each; reads the boxes that TLD 1.0's authors published beside the videos (`TLD1.0.txt`:
edges, NaN for "not visible", which becomes score 0). `--raw` keeps the results: a run that was
stopped goes on. What is run is `siamtrack eval tld:FOLDER --protocol longterm`.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

import siamtrack
from siamtrack.core.boxes import ltrb_to_ltwh
from siamtrack.evaluation import longterm_report, open_tracker, run_dataset, write_results
from siamtrack.evaluation.longterm import read_runs
from siamtrack.evaluation.results import write_rows
from siamtrack.packages.card import DEFAULT, load_model

AUTHORS = "TLD1.0"


def published(data: Path, folder: Path) -> None:
    """Write the authors' own boxes as raw results with scores."""
    for file in sorted(data.glob(f"*/{AUTHORS}.txt")):
        boxes = ltrb_to_ltwh(np.loadtxt(file, delimiter=",")[:, :4])
        name = file.parent.name
        write_results(folder / f"{name}.txt", boxes)
        there = np.isfinite(boxes).all(axis=1)
        write_rows(folder / f"{name}_score.txt", there.astype(float), decimals=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--raw", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/tld/report.json"))
    given = parser.parse_args()
    dataset = siamtrack.open_dataset(f"tld:{given.data}")
    specs = [DEFAULT, f"{DEFAULT}+redetect"]
    if hasattr(cv2, "TrackerCSRT"):
        specs += ["opencv:csrt", "opencv:kcf"]
    runs = {}
    for spec in specs:
        name, make = open_tracker(spec, threads=1)
        runs[name] = run_dataset(make, dataset, out=given.raw, name=name)
    if any(given.data.glob(f"*/{AUTHORS}.txt")):
        published(given.data, given.raw / AUTHORS)
        runs[AUTHORS] = read_runs(given.raw / AUTHORS, dataset)
    figures = longterm_report(runs, dataset)
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    ).stdout.strip()
    made = {
        "command": "python benchmarks/tld.py data/tld --raw /tmp/tld",
        "frames": sum(map(len, dataset)),
        "model": {"name": DEFAULT, "sha256": load_model(DEFAULT).card.sha256},
        "opencv": cv2.__version__,
        "onnxruntime": onnxruntime.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "commit": commit,
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"made": made, **figures.to_dict()}, indent=1)
    given.out.write_text(f"{text}\n", encoding="utf-8")
    print(figures.table())


if __name__ == "__main__":
    main()
