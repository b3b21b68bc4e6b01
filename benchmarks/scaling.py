"""Speed of one process and of two: training, evaluation, bulk tracking. See docs/scaling.md.

    python benchmarks/scaling.py --data data/train --dataset otb:/data/dev --sequences A,B,C,D

Legs take turns, each in fresh processes with one thread; a round that would end after `--minutes`
is not begun. Training counts pairs once all has started; the others count frames and include the
start of Python and of the processes. The last lines are medians over the rounds, and the median of
the speed-ups within a round, which is what counts on a machine that others use.
`--legs 'ray|tune'` measures Ray on this machine and tuning instead.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

import siamtrack
from siamtrack.benchmark.machine import this_machine

HERE = Path(siamtrack.__file__).parents[1]
ENVIRONMENT = os.environ | {
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
}


def start(*words: object) -> subprocess.Popen[str]:
    command = [sys.executable, *map(str, words)]
    return subprocess.Popen(
        command, env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def finish(*children: subprocess.Popen[str]) -> list[str]:
    outputs = []
    for child in children:
        out, error = child.communicate()
        if child.returncode:
            raise SystemExit(error[-2000:])
        outputs.append(out)
    return outputs


class Legs:
    """What is measured; each leg returns its speed with a number of processes."""

    def __init__(self, given: argparse.Namespace, folder: Path) -> None:
        self.given, self.folder, self.count = given, folder, 0
        self.videos, self.frames = folder / "videos", 0
        data, rows = siamtrack.open_dataset(given.dataset), []
        for sequence in (data[name] for name in given.sequences.split(",")):
            place = self.videos / sequence.name
            place.mkdir(parents=True)
            for number, file in enumerate(sequence.files):
                (place / f"{number:05d}{file.suffix}").symlink_to(file.resolve())
            np.savetxt(place / "boxes.txt", sequence.boxes, "%.6f", ",")
            rows.append(json.dumps({"video": str(place), "box": sequence.boxes[0].tolist()}))
            self.frames += len(sequence)
        self.listed = folder / "list.jsonl"
        self.listed.write_text("\n".join(rows))

    def _new(self) -> Path:
        self.count += 1
        return self.folder / f"out-{self.count}"

    def train(self, processes: int) -> float:
        """Pairs per second."""
        config, out = self.folder / "train.json", self._new()
        config.write_text(json.dumps({"batch": 16, "save_every": 1e9, "loaders": 1}))
        finish(
            start(
                "-m",
                "torch.distributed.run",
                "--standalone",
                "--nproc-per-node",
                processes,
                "-m",
                "siamtrack",
                "train",
                "--data",
                self.given.data,
                "--preset",
                self.given.preset,
                "--config",
                config,
                "--steps",
                self.given.steps,
                "--out",
                out,
                "--quiet",
            )
        )
        line = json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])
        return float(line["pairs_per_second"])

    def eval(self, processes: int) -> float:
        """Frames per second."""
        clock = time.perf_counter()
        finish(
            start(
                "-m",
                "siamtrack",
                "eval",
                f"folder:{self.videos}",
                "--tracker",
                "lite",
                "--threads",
                1,
                "--out",
                self._new(),
                "--workers",
                processes,
            )
        )
        return self.frames / (time.perf_counter() - clock)

    def batch(self, processes: int) -> float:
        """Frames per second."""
        return self._batch("--workers", processes)

    def ray(self, processes: int) -> float:
        """Frames per second; one process is without Ray."""
        return self._batch(*(("--ray", "local") if processes > 1 else ("--workers", 1)))

    def _batch(self, *how: object) -> float:
        clock = time.perf_counter()
        finish(start("-m", "siamtrack", "batch", self.listed, "--out", self._new(), *how))
        return self.frames / (time.perf_counter() - clock)

    def tune(self, processes: int) -> float:
        """Trials per second, with the responses of runs before."""
        if not (self.folder / "responses").exists():
            (self.folder / "responses").mkdir()
            self.tune(1)
        words = ["-m", "siamtrack", "tune", "lite", f"folder:{self.videos}", "--held-out", "0.25"]
        words += ["--starts", 1, "--frames", 40, "--trials", self.given.trials, "--pruner", "none"]
        words += ["--out", self._new(), "--cache", self.folder / "responses"]
        clock = time.perf_counter()
        finish(*(start(*words, "--worker", k) for k in range(processes)))
        return float(self.given.trials) / (time.perf_counter() - clock)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--sequences", required=True)
    parser.add_argument("--preset", default="cpu")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--minutes", type=float, default=5.8, help="begin no round that ends later")
    parser.add_argument("--rounds", type=int, default=5, help="at most; one at least")
    parser.add_argument("--legs", default="train|eval|batch", help="regular expression")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        legs = Legs(given, Path(name))
        kinds: dict[str, Callable[[int], float]] = {
            kind: getattr(legs, kind)
            for kind in ("train", "eval", "batch", "ray", "tune")
            if re.fullmatch(given.legs, kind)
        }
        if not kinds:
            raise SystemExit(f"--legs {given.legs}: expected some of train, eval, batch, ray, tune")
        print(json.dumps(dataclasses.asdict(this_machine())), flush=True)
        speeds: dict[str, list[dict[int, float]]] = {kind: [] for kind in kinds}
        began, longest = time.monotonic(), 0.0
        for round_ in range(given.rounds):
            clock = time.monotonic()
            if clock - began + longest > given.minutes * 60:
                break
            for kind, run in kinds.items():
                speeds[kind].append({})
                for processes in (1, 2) if round_ % 2 == 0 else (2, 1):
                    load, speed = os.getloadavg()[0], round(run(processes), 2)
                    speeds[kind][-1][processes] = speed
                    print(
                        json.dumps(
                            {
                                "round": round_,
                                "leg": kind,
                                "processes": processes,
                                "per_second": speed,
                                "load": round(load, 1),
                            }
                        ),
                        flush=True,
                    )
            longest = max(longest, time.monotonic() - clock)
        for kind, rounds in speeds.items():
            ratios = [row[2] / row[1] for row in rounds]
            print(
                json.dumps(
                    {
                        "leg": kind,
                        "rounds": len(rounds),
                        "one": round(median(row[1] for row in rounds), 2),
                        "two": round(median(row[2] for row in rounds), 2),
                        "speed_up": round(median(ratios), 2),
                        "from": round(min(ratios), 2),
                        "to": round(max(ratios), 2),
                    }
                )
            )


if __name__ == "__main__":
    main()
