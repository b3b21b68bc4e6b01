"""Run our default model and what people would use instead on the same frames; keep the results.

    python benchmarks/compare.py otb:data/OTB --peers data/peers --out benchmarks/results/dev20
    python benchmarks/compare.py folder:data/wide --peers data/peers --out benchmarks/results/wide16

`--peers` is a folder with the ONNX files of NanoTrack, FEAR-XS, LightFC and VitTrack, each in a
folder of its own (`nanotrack_v2`, `nanotrack_v3`, `fear_xs`, `lightfc`, `vittrack`); none is part
of this project.
OpenCV's KCF and CSRT need opencv-contrib-python-headless. Writes `report.json`, `sequences.csv`,
the raw results of every tracker, and `speed.json`: whole updates of all trackers in
turn on the same frames, several rounds, so that whatever else the machine does falls on all alike.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import time
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

import siamtrack
from siamtrack.cli import main as siamtrack_command
from siamtrack.evaluation import open_tracker
from siamtrack.packages.card import packaged_names

PEERS = {
    "nanotrack-v2": "nanotrack_v2",
    "nanotrack-v3": "nanotrack_v3",
    "fear-xs": "fear_xs",
    "lightfc": "lightfc",
    "vittrack": "vittrack",
}


def trackers(models: list[str], peers: Path | None) -> list[str]:
    """Return what to run, as `siamtrack eval --tracker` takes it."""
    found = [f"siamtrack-{Path(model).name}={model}" for model in models]
    if hasattr(cv2, "TrackerCSRT"):
        found += ["opencv:csrt", "opencv:kcf"]
    for kind, folder in PEERS.items():
        if peers is not None and (peers / folder).is_dir():
            place = peers / folder
            files = sorted(place.glob("*.onnx"))
            found.append(f"{kind}:{files[0] if kind == 'vittrack' else place}")
    return found


def speeds(specs: list[str], dataset: str, rounds: int, frames: int) -> dict[str, object]:
    """Time whole updates of all trackers in turn; median and spread over rounds."""
    sequences = [s for s in siamtrack.open_dataset(dataset) if len(s) > frames][:rounds]
    opened = dict(open_tracker(spec, threads=2) for spec in specs)
    times: dict[str, list[float]] = {name: [] for name in opened}
    for sequence in sequences:
        first = sequence.init_frame
        pictures = [sequence[index] for index in range(first, first + frames)]
        for name, make in opened.items():
            tracker = make()
            tracker.init(pictures[0], sequence.boxes[first])
            spent = []
            for picture in pictures[1:]:
                start = time.perf_counter()
                tracker.update(picture)
                spent.append(time.perf_counter() - start)
            times[name].append(float(np.median(spent)) * 1000)
    return {
        "median_ms": {name: round(float(np.median(each)), 2) for name, each in times.items()},
        "rounds_ms": {name: [round(one, 2) for one in each] for name, each in times.items()},
        "sequences": [sequence.name for sequence in sequences],
        "frames": frames,
        "threads": 2,
        "machine": {
            "processor": processor(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "opencv": cv2.__version__,
            "onnxruntime": onnxruntime.__version__,
            "siamtrack": siamtrack.__version__,
            "commit": commit(),
        },
    }


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--model", action="append", help="base and lite by default, if packaged")
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/dev20"))
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--frames", type=int, default=100)
    arguments = parser.parse_args()
    ours = [name for name in ("base", "lite") if name in packaged_names()]
    specs, out = trackers(arguments.model or ours, arguments.peers), arguments.out
    out.mkdir(parents=True, exist_ok=True)
    speed = speeds(specs, arguments.dataset, arguments.rounds, arguments.frames)
    (out / "speed.json").write_text(json.dumps(speed, indent=1) + "\n")
    command = ["eval", arguments.dataset, "--out", str(out / "raw"), "--threads", "2"]
    for spec in specs:
        command += ["--tracker", spec]
    for name in ("report.json", "sequences.csv"):
        command += ["--report", str(out / name)]
    siamtrack_command([*command, "--overwrite"])


if __name__ == "__main__":
    main()
