"""Every runtime on the default model: a whole update, the network alone, and how far they agree.

    python benchmarks/runtimes.py            prints the tables
    python benchmarks/runtimes.py --write    and puts them into docs/runtimes.md and runtimes.json

Needs the extras train, openvino and demo. All runtimes take turns on every frame of one process, in
an order drawn for each frame; each waits until the threads of the one before have gone to sleep.
The ratio to ONNX Runtime is the median over frames of the ratio in that frame, which a busy machine
disturbs least; processor time counts all threads.
"""

from __future__ import annotations

import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from pages import fill

from siamtrack.cli.demo import END, START, TARGETS, demo_clip
from siamtrack.core.boxes import iou
from siamtrack.packages.card import GRAPHS, Model, load_model, model_folder, read_card
from siamtrack.runtimes import cores
from siamtrack.runtimes.torch import TorchRuntime
from siamtrack.tracking.tracker import SiamTracker
from siamtrack.training.checkpoint import export, read_checkpoint
from siamtrack.video import open_video

HERE = Path(__file__).parent
CHECKPOINT = HERE / "lite" / "checkpoint.pt"
RESULT, PAGE = HERE / "runtimes.json", HERE.parent / "docs" / "runtimes.md"
MARKS = "<!-- runtimes: begin -->\n", "<!-- runtimes: end -->\n"
NAMES = ("onnx", "openvino", "openvino-bf16", "torch", "torch-compiled")
OUTPUTS = ("score", "distances", "presence", "features")
ROUNDS, QUIET = 1, 0.15  # times through the clip; seconds in which waiting threads fall asleep


def models(folder: Path, threads: int) -> dict[str, Any]:
    """Callables that load the model in each runtime, and in torch's bfloat16, which has no name."""
    network = read_checkpoint(CHECKPOINT)[0]
    card = read_card(folder)
    load: dict[str, Any] = {
        name: partial(load_model, folder, runtime=name, threads=threads) for name in NAMES
    }
    halves = {"torch, bfloat16": False}
    if "--compiled" in sys.argv[1:]:  # minutes of compiling
        halves["torch-compiled, bfloat16"] = True
    else:
        del load["torch-compiled"]
    for name, compiled in halves.items():
        load[name] = lambda compiled=compiled: Model(
            card, TorchRuntime(network, threads, compiled=compiled, bfloat16=True)
        )
    return load


def measure(folder: Path, threads: int, frames: list[Any]) -> dict[str, Any]:
    """Figures of each runtime."""
    trackers, found = {}, {}
    for name, load in models(folder, threads).items():
        start = time.perf_counter()
        model = load()
        found[name] = {"load": time.perf_counter() - start}
        trackers[name] = SiamTracker(model)
    names = list(trackers)
    times: dict[str, list[list[float]]] = {name: [] for name in names}
    boxes: dict[str, list[Any]] = {name: [] for name in names}
    away: dict[str, list[list[float]]] = {name: [] for name in names}
    for _ in range(ROUNDS):
        for tracker in trackers.values():
            tracker.init(frames[0], TARGETS[1])
        for number, frame in enumerate(frames[1:]):
            target = trackers["onnx"]._targets[0]
            patches = target.patches(frame, target.windows())
            truth = trackers["onnx"].model.runtime.respond(target.kernel, patches)
            for name in random.Random(number).sample(names, len(names)):
                runtime = trackers[name].model.runtime
                time.sleep(QUIET)
                network, response = timed(partial(runtime.respond, target.kernel, patches))
                time.sleep(QUIET)
                whole, track = timed(partial(trackers[name].update, frame))
                times[name].append([*whole, *network])
                boxes[name].append(track.box)
                away[name].append([share(response, truth, output) for output in OUTPUTS])
    base = np.array(times["onnx"])
    for name in names:
        own = np.array(times[name])
        found[name] |= {
            what: {
                "median ms": round(1e3 * float(np.median(own[:, column])), 2),
                "p95 ms": round(1e3 * float(np.percentile(own[:, column], 95)), 2),
                "ratio to onnx": round(float(np.median(own[:, column] / base[:, column])), 3),
            }
            for column, what in enumerate(
                ("update", "update, processor", "network", "network, processor")
            )
        }
        overlap = iou(np.array(boxes[name]), np.array(boxes["onnx"]))
        found[name]["load"] = round(found[name]["load"], 2)
        found[name]["mean IoU of boxes with onnx"] = round(float(overlap.mean()), 5)
        found[name]["largest difference as a share of the largest value"] = {
            output: float(f"{np.max(away[name], axis=0)[column]:.1e}")
            for column, output in enumerate(OUTPUTS)
        }
    return found


def timed(call: Any) -> tuple[tuple[float, float], Any]:
    """Clock and processor time of a call, and what it returned."""
    clock, processor = time.perf_counter(), time.process_time()
    result = call()
    return (time.perf_counter() - clock, time.process_time() - processor), result


def share(response: Any, truth: Any, output: str) -> float:
    """Largest difference of an output as a share of its largest value."""
    one, other = getattr(response, output), getattr(truth, output)
    return float(np.abs(one - other).max() / np.abs(other).max())


def table(result: dict[str, Any]) -> str:
    """Lines of the page."""
    lines = [
        "| runtime | threads | whole update | to `onnx` | network alone | to `onnx` | processor, "
        "network, to `onnx` | load | boxes |\n|---|---|---|---|---|---|---|---|---|\n"
    ]
    for threads, rows in result["threads"].items():
        for name, row in rows.items():
            label = f"`{name}`" if name in NAMES else f"({name})"
            lines.append(
                f"| {label} | {threads} | {row['update']['median ms']:.1f} ms | "
                f"{row['update']['ratio to onnx']:.2f} | {row['network']['median ms']:.1f} ms | "
                f"{row['network']['ratio to onnx']:.2f} | "
                f"{row['network, processor']['ratio to onnx']:.2f} | {row['load']:.1f} s | "
                f"{row['mean IoU of boxes with onnx']:.4f} |\n"
            )
    return "".join(lines)


def main() -> None:
    with open_video(demo_clip(), start=START, end=END) as video:
        frames = [frame.image for frame in video]
    before = os.getloadavg()
    with tempfile.TemporaryDirectory() as name:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = name  # so that compiling takes what it takes
        packaged = read_card(model_folder("lite"))
        card = export(CHECKPOINT, Path(name) / "lite", tracker=packaged.tracker, formats=["torch"])
        same = all(card.sha256[graph] == packaged.sha256[graph] for graph in GRAPHS)
        found = {str(t): measure(Path(name) / "lite", t, frames) for t in (1, 2)}
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        cwd=HERE,
        check=False,
    ).stdout.strip()
    result = {
        "commit": commit,
        "processor": processor(),
        "cores": cores(),
        "load before and after": [
            [round(x, 1) for x in load] for load in (before, os.getloadavg())
        ],
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("onnxruntime", "openvino", "torch")},
        "frames": ROUNDS * (len(frames) - 1),
        "graphs are those of the package": same,
        "threads": found,
    }
    print(table(result))
    if "--write" in sys.argv[1:]:
        RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        fill(PAGE, MARKS, table(result))


def processor() -> str:
    """Name of the processor and what it computes with."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    fields = {key.strip(): value.strip() for key, value in lines.items()}
    flags = set(fields.get("flags", "").split())
    known = sorted(
        flags & {"avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "avx_vnni"}
    )
    return f"{fields.get('model name', platform.machine())} ({', '.join(known)})"


if __name__ == "__main__":
    main()
