"""What the cache of `siamtrack tune` saves, and what error it brings.

Random settings are run by the real tracker and by the replay, on the same clips, in turn.

    python benchmarks/tuning_cache.py lite otb:/data/dev --sequences A,B,C,D --frames 60

Prints, for each grid: the mean and largest difference of a setting's success AUC, the rank
correlation over settings, windows that were known, and processor seconds of both. Machines that
share their cores with others should be judged by processor time.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

import siamtrack
from siamtrack.packages.card import load_model
from siamtrack.tuning import Grid, Replay, ResponseStore, changed, clips_of, default_space
from siamtrack.tuning.study import success

GRIDS = (Grid(0, 0), Grid(48, 16), Grid(24, 8), Grid(16, 6))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("dataset")
    parser.add_argument("--sequences", default="")
    parser.add_argument("--starts", type=int, default=2)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--settings", type=int, default=24)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    model = load_model(given.model, threads=1)
    dataset = siamtrack.open_dataset(given.dataset)
    names = given.sequences.split(",") if given.sequences else dataset.names
    clips = clips_of([dataset[name] for name in names], given.starts, given.frames)
    frames = sum(clip.end - clip.start for clip in clips)
    space, rng = default_space(model.card.kind), np.random.default_rng(0)
    settings = []
    for _ in range(given.settings):
        point = {}
        for name, each in space.items():
            ends = np.log([each.low, each.high]) if each.log else np.array([each.low, each.high])
            value = rng.uniform(*ends)
            point[name] = float(np.exp(value) if each.log else value)
        settings.append(changed(model.card.tracker, point))
    rows = {"real": [], **{str(grid): [] for grid in GRIDS}}
    seconds: dict[str, list[float]] = {name: [] for name in rows}
    with tempfile.TemporaryDirectory() as folder:
        replays = {}
        for k, grid in enumerate(GRIDS):
            replays[str(grid)] = Replay(model, ResponseStore(Path(folder, str(k)), model), grid)
        for one in settings:
            for name in rows:
                clock = time.process_time()
                if name == "real":
                    value = success(model, clips, one)
                else:
                    value = np.mean([c.success(replays[name].track(c, one)) for c in clips])
                rows[name].append(float(value))
                seconds[name].append(time.process_time() - clock)
        real = np.array(rows["real"])
        late = slice(given.settings // 2, None)
        for name, replay in replays.items():
            error = np.abs(np.array(rows[name]) - real)
            ranks = [np.argsort(np.argsort(values)) for values in (rows[name], real)]
            known = replay.store.hit_rate
            begun = time.process_time()
            for clip in clips:
                replay.track(clip, settings[-1])  # every window is known by now
            known_only = time.process_time() - begun
            print(
                json.dumps(
                    {
                        "grid": name,
                        "frames": frames,
                        "settings": len(settings),
                        "mean_error": round(float(error.mean()), 4),
                        "largest_error": round(float(error.max()), 4),
                        "spread_of_settings": round(float(real.std()), 4),
                        "rank_correlation": round(float(np.corrcoef(*ranks)[0, 1]), 3),
                        "known": round(known, 3),
                        "bytes": replay.store.written,
                        "seconds_real": round(float(np.median(seconds["real"])), 2),
                        "seconds_replay_second_half": round(
                            float(np.median(seconds[name][late])), 2
                        ),
                        "seconds_replay_all_known": round(known_only, 2),
                    }
                ),
                flush=True,
            )
            replay.store.close()


if __name__ == "__main__":
    main()
