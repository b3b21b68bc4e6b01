"""CIResNet-22 at full width: our whole update beside SiamDW's own Python code, the same weights.

    python benchmarks/ciresnet22.py /path/to/SiamDW --data data/train --json out.json

Needs torch, a checkout of github.com/researchmm/SiamDW (its imports of yaml and shapely, which its
tracker does not use, are left out) and training data to calibrate int8 with. The weights are seeded
ones: speed does not depend on them. All legs run in turn, in every round the same frames of a
generated clip.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from siamtrack.data.annotations import read_all
from siamtrack.data.cache import ImageCache
from siamtrack.data.manifest import Pool
from siamtrack.data.pairs import PairConfig, PairSampler
from siamtrack.packages.card import Model, read_card, read_graphs
from siamtrack.packages.quantize import feed_of, static_int8
from siamtrack.runtimes.base import Graphs
from siamtrack.runtimes.onnx import OnnxRuntime
from siamtrack.tracking.tracker import SiamTracker
from siamtrack.training.checkpoint import export

ROOT = Path(__file__).parent.parent
Leg = Callable[[np.ndarray], Any]


def siamdw(folder: Path) -> tuple[types.ModuleType, torch.nn.Module]:
    """Their tracker's module and their network, on the CPU."""
    for name in ("yaml", "shapely", "shapely.geometry"):
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["shapely.geometry"].Polygon = sys.modules["shapely.geometry"].box = None  # type: ignore[attr-defined]
    sys.path.insert(0, str(folder / "lib"))
    torch.nn.init.kaiming_normal = torch.nn.init.kaiming_normal_  # names of old torch
    torch.nn.init.constant = torch.nn.init.constant_
    for kind in (torch.Tensor, torch.nn.Module):
        kind.cuda = lambda self: self  # type: ignore[method-assign,assignment]
    from tracker import siamfc

    from models import models

    return siamfc, models.SiamFCRes22().eval()


def legs(given: argparse.Namespace, frames: np.ndarray, box: np.ndarray) -> dict[str, Leg]:
    """What is compared: name to a function of a frame."""
    module, network = siamdw(given.siamdw)
    theirs = module.SiamFC(types.SimpleNamespace(epoch_test=True, dataset="", arch=""))
    # the picture's sides follow the box, which must not run away while time is taken
    center, size = box[:2] + box[2:] / 2, box[2:].copy()
    with torch.no_grad():
        start = theirs.init(frames[0], center.copy(), size.copy(), network)
    still = start["p"].s_x

    def original(frame: np.ndarray) -> None:
        start["target_pos"], start["target_sz"] = center.copy(), size.copy()
        start["p"].s_x = still
        with torch.no_grad():
            theirs.track(start, frame)

    found: dict[str, Leg] = {"SiamDW's code, torch, three scales": original}
    with tempfile.TemporaryDirectory() as folder:
        torch.save(network.state_dict(), Path(folder) / "res22.pth")
        export(Path(folder) / "res22.pth", Path(folder) / "model")
        card = read_card(Path(folder) / "model")
        graphs = read_graphs(Path(folder) / "model", card)
    sampler = PairSampler(
        Pool(read_all(given.data)), PairConfig(template=127, search=255), 0, ImageCache()
    )
    plain = OnnxRuntime(graphs)
    feeds = (feed_of(plain, sampler.draw(index), 127, 255) for index in range(32))
    small = Graphs(graphs.template, static_int8(graphs.search, feeds), graphs.folder, "int8")
    for precision, graph in (("float32", graphs), ("int8", small)):
        runtime = OnnxRuntime(graph, given.threads)
        for every in (1, 3, 6):
            settings = replace(card.tracker, scale_every=every)
            tracker = SiamTracker(Model(replace(card, tracker=settings), runtime))
            tracker.init(frames[0], box)
            often = "three scales" if every == 1 else f"three scales in every {every}th frame"
            found[f"ours, {precision}, {often}"] = held(tracker, box)
    return found


def held(tracker: SiamTracker, box: np.ndarray) -> Leg:
    """An update from the same box every time."""

    def step(frame: np.ndarray) -> None:
        tracker.update(frame, prior=box)

    return step


def clip(count: int, rows: int = 480, columns: int = 640) -> tuple[np.ndarray, np.ndarray]:
    """Smooth random pictures (count, rows, columns, 3) and a box in them."""
    import cv2

    rng = np.random.default_rng(0)
    small = rng.integers(0, 255, (count, rows // 8, columns // 8, 3)).astype(np.uint8)
    frames = np.stack([cv2.resize(each, (columns, rows)) for each in small])
    return frames, np.array([280.0, 200.0, 60.0, 80.0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("siamdw", type=Path)
    parser.add_argument("--data", action="append", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    frames, box = clip(given.frames)
    compared = legs(given, frames, box)
    times: dict[str, list[float]] = {name: [] for name in compared}
    for round_ in range(given.rounds + 1):
        for name, step in compared.items():
            began = time.perf_counter()
            for frame in frames:
                step(frame)
            if round_:  # the first one warms up
                times[name].append((time.perf_counter() - began) / len(frames) * 1e3)
    base = np.array(times[next(iter(times))])
    print("| | ms a frame, median | times as fast | frames/s |\n|---|---|---|---|")
    for name, values in times.items():
        ratio = float(np.median(base / np.array(values)))
        print(f"| {name} | {np.median(values):.1f} | {ratio:.1f} | {1e3 / np.median(values):.0f} |")
    if given.json:
        report = {"threads": given.threads, "ms": times, "torch": torch.__version__}
        given.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
