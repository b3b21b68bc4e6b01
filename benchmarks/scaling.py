"""Speed of one process and of two: training, bulk tracking, tuning. See docs/scaling.md.

    python benchmarks/scaling.py --data data/train --dataset otb:/data/dev --sequences A,B,C,D

Legs take turns, each in fresh processes with one thread, and include their start unless said
otherwise. On a machine that others use, trust the ratios within a round more than the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import siamtrack

HERE = Path(siamtrack.__file__).parents[1]
ENVIRONMENT = os.environ | {
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
}


def start(*words: object) -> subprocess.Popen[str]:
    command = [sys.executable, *map(str, words)]
    return subprocess.Popen(command, env=ENVIRONMENT, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)  # fmt: skip


def finish(*children: subprocess.Popen[str]) -> list[str]:
    outputs = []
    for child in children:
        out, error = child.communicate()
        if child.returncode:
            raise SystemExit(error[-2000:])
        outputs.append(out)
    return outputs


def training(data: str, folder: Path, processes: int, preset: str, steps: int) -> dict[str, float]:
    config = folder / "train.json"
    config.write_text(json.dumps({"batch": 16, "save_every": 1e9, "loaders": 1}))
    out = folder / f"train-{processes}-{time.time_ns()}"
    finish(start(
        "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", processes, "-m",
        "siamtrack", "train", "--data", data, "--preset", preset, "--config", config, "--steps",
        steps, "--out", out, "--quiet",
    ))  # fmt: skip
    line = json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])
    return {"pairs_per_second": line["pairs_per_second"], "data_share": line["data_share"]}


def tracking(listed: Path, folder: Path, *how: object) -> dict[str, float]:
    out = folder / f"tracks-{time.time_ns()}"
    [text] = finish(start("-m", "siamtrack", "batch", listed, "--out", out, "--json", *how))
    return {"frames_per_second": json.loads(text)["frames_per_second"]}


def tuning(given: argparse.Namespace, folder: Path, processes: int) -> dict[str, float]:
    out, clock = folder / f"tune-{time.time_ns()}", time.perf_counter()
    out.mkdir()
    words = ["-m", "siamtrack", "tune", "lite", given.dataset, "--sequences", given.sequences]
    words += ["--held-out", "0.25", "--starts", 1, "--frames", 40, "--trials", given.trials]
    words += ["--out", out, "--pruner", "none", "--cache", folder / "responses"]
    first = start(*words, "--worker", 0)
    while processes > 1 and not (out / "study.db").exists():
        time.sleep(0.1)  # two processes must not create the study at the same moment
    time.sleep(1 if processes > 1 else 0)
    finish(first, *(start(*words, "--worker", k) for k in range(1, processes)))
    return {"seconds": round(time.perf_counter() - clock, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--sequences", required=True)
    parser.add_argument("--preset", default="cpu")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--legs", default="train|batch|ray|tune", help="regular expression")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = siamtrack.open_dataset(given.dataset)
        rows = []
        for sequence in (data[each] for each in given.sequences.split(",")):
            row = {"video": str(sequence.files[0].parent), "box": sequence.boxes[0].tolist()}
            link = folder / sequence.name  # the folder of images is called img in all of them
            link.symlink_to(row["video"])
            rows.append(json.dumps(row | {"video": str(link)}))
        listed = folder / "list.jsonl"
        listed.write_text("\n".join(rows))
        legs = {
            "train 1": lambda: training(given.data, folder, 1, given.preset, given.steps),
            "train 2": lambda: training(given.data, folder, 2, given.preset, given.steps),
            "batch 1": lambda: tracking(listed, folder, "--workers", 1),
            "batch 2": lambda: tracking(listed, folder, "--workers", 2),
            "ray 2": lambda: tracking(listed, folder, "--ray", "local"),
            "tune 1": lambda: tuning(given, folder, 1),
            "tune 2": lambda: tuning(given, folder, 2),
        }
        for round_ in range(given.rounds):
            for leg, run in legs.items():
                if re.search(given.legs, leg):
                    load = os.getloadavg()[0]
                    print(json.dumps({"round": round_, "leg": leg, "load": load, **run()}),
                          flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
