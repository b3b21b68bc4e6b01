"""Where `update` spends its time outside the network, part by part.

    python benchmarks/hot_path.py
    python benchmarks/hot_path.py --model FOLDER --threads 2

Each part runs twice over: again and again by itself (warm), and right after the network, which is
how an update runs it: the network's weights and activations have pushed code and data out of the
caches by then. The best and the median of many runs, microseconds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from siamtrack.benchmark.footage import open_footage, write_generated
from siamtrack.packages.card import DEFAULT, load_model
from siamtrack.tracking.online import cells
from siamtrack.tracking.target import Target
from siamtrack.tracking.tracker import SiamTracker


def parts(target: Target, frame: np.ndarray) -> dict[str, Callable[[], object]]:
    """Return the parts of an update of a target of a model with a box head."""
    model, windows = target.model, target.windows()
    patches = target.patches(frame, windows)
    response = model.runtime.respond(target.kernel, patches)
    found = {
        "windows": target.windows,
        "cut the patch": lambda: target.patches(frame, windows),
        "best box": lambda: target.decoder.decode(target.box, windows, response),
    }
    online = target.online
    if online is not None and response.features is not None:
        features, box = response.features[0], windows[0].to_patch(target.box)
        seen = cells(features)
        found |= {
            "classifier: cells": lambda: cells(features),
            "classifier: scores": lambda: online.scores(seen),
            "classifier: learn": lambda: online.learn(seen, box),
        }
    return found | {"from response to track": lambda: target.advance(windows, response)}


def microseconds(run: Callable[[], object], before: Callable[[], object], runs: int) -> list[float]:
    """Time of each run, with something else before it."""
    found = []
    for _ in range(runs):
        before()
        start = time.perf_counter()
        run()
        found.append((time.perf_counter() - start) * 1e6)
    return found


def faults(tracker: SiamTracker, frames: list[np.ndarray]) -> float | None:
    """Pages of memory that the system hands out anew in an update; None on Windows."""
    if sys.platform == "win32":
        return None
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for frame in frames:
        tracker.update(frame)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / len(frames)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=DEFAULT)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=60)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "clip.mp4"
        clip = open_footage(str(file), write_generated(file, 60))
    model = load_model(given.model, threads=given.threads)
    tracker = SiamTracker(model)
    tracker.init(clip.frames[0], clip.box)
    for frame in clip.frames[1:30]:
        tracker.update(frame)
    handed_out = faults(tracker, list(clip.frames[30:]))
    target = Target(model, clip.frames[0], clip.box)
    patches = target.patches(clip.frames[1], target.windows())

    def network() -> None:
        model.runtime.respond(target.kernel, patches)

    print("| part | warm, us: best | median | after the network: best | median |")
    print("|---|---|---|---|---|")
    for name, run in parts(target, clip.frames[1]).items():
        warm = microseconds(run, run, given.runs)
        after = microseconds(run, network, given.runs)
        figures = [min(warm), statistics.median(warm), min(after), statistics.median(after)]
        print(f"| {name} | {' | '.join(f'{value:.0f}' for value in figures)} |")
    print(f"\npages handed out in an update: {handed_out}")


if __name__ == "__main__":
    main()
