"""Draw how a tracker measures a change of size: the true factor against the one it answers.

    python benchmarks/size_response.py data/pool --tracker lite --tracker lightfc:data/lightfc \
        --crops 100 --out benchmarks/results/size_response.json

A tracker is started on an object, then shown the same picture with the object's surroundings
stretched about its center, once: zoom (both sides), width, height and aspect (one side up, the
other down by the same factor). Ours answer without smoothing (size rate 1, no penalty), so that
the network is measured, not the settings. The slope is that of the logarithms, 1 where sizes are
measured, 0 where they are copied. `wrong box`: the picture stays, but the first box is drawn too
wide or too narrow, and what comes back is compared with the box drawn: 1 says that it was copied.
Also prints how often the aspect of tracks in the data changes by more than 0.3 in its logarithm.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from starts import changed

from siamtrack.data.cache import read_image
from siamtrack.data.manifest import Entry, Pool, read_manifest
from siamtrack.evaluation import open_tracker
from siamtrack.packages.card import load_model
from siamtrack.tracking.crops import Image, mean_color
from siamtrack.tracking.tracker import SiamTracker

FACTORS = (0.5, 0.65, 0.8, 1.0, 1.25, 1.5, 2.0)
WRONG = (0.7, 1.43)
KINDS: dict[str, Callable[[float], tuple[float, float]]] = {
    "zoom": lambda f: (f, f),
    "width": lambda f: (f, 1.0),
    "height": lambda f: (1.0, f),
    "aspect": lambda f: (f**0.5, f**-0.5),
}
RAW = "size_rate=1.0 size_floor=1.0 penalty=0.0"


def stretched(image: Image, box: np.ndarray, x: float, y: float) -> tuple[Image, np.ndarray]:
    """Stretch a picture about the center of a box, and return it with the new box."""
    cx, cy = box[:2] + box[2:] / 2
    matrix = np.array([[x, 0, cx - x * cx + (x - 1) / 2], [0, y, cy - y * cy + (y - 1) / 2]])
    rows, columns = image.shape[:2]
    border = tuple(map(float, mean_color(image)))
    flags = cv2.INTER_AREA if min(x, y) < 1 else cv2.INTER_LINEAR
    new = cv2.warpAffine(image, matrix, (columns, rows), flags=flags, borderValue=border)
    size = box[2:] * [x, y]
    return np.asarray(new, np.uint8), np.concatenate([[cx, cy] - size / 2, size])


def answers(tracker: Any, entries: list[Entry]) -> dict[str, Any]:
    """Return the median factor for each kind and true factor, slopes, and the wrong boxes'."""
    logs: dict[str, list[list[float]]] = {kind: [[] for _ in FACTORS] for kind in KINDS}
    copied = []
    for entry in entries:
        image, box = read_image(entry.image), np.array(entry.box)
        for kind, sides in KINDS.items():
            for place, factor in enumerate(FACTORS):
                picture, _ = stretched(image, box, *sides(factor))
                tracker.init(image, box)
                width, height = (np.asarray(tracker.update(picture).box)[2:] / box[2:]).tolist()
                found = {
                    "zoom": (width * height) ** 0.5,
                    "width": width,
                    "height": height,
                    "aspect": width / height,
                }
                logs[kind][place].append(float(np.log(max(found[kind], 1e-3))))
        for factor in WRONG:
            wrong = np.concatenate([box[:2] + box[2:] * [1 - factor, 0] / 2, box[2:] * [factor, 1]])
            tracker.init(image, wrong)
            width = float(np.asarray(tracker.update(image).box)[2] / box[2])
            copied.append(np.log(max(width, 1e-3)) / np.log(factor))
    true = np.log(FACTORS)
    medians = {kind: np.median(values, axis=1) for kind, values in logs.items()}
    return {
        "factors": {k: [round(float(np.exp(v)), 3) for v in m] for k, m in medians.items()},
        "slopes": {k: round(float(np.polyfit(true, m, 1)[0]), 3) for k, m in medians.items()},
        "wrong box": round(float(np.median(copied)), 3),
    }


def fits(entry: Entry) -> bool:
    """Return whether an object can be drawn as much too wide as is tried."""
    return WRONG[1] * entry.box[2] <= read_image(entry.image).shape[1]


def tracker_of(spec: str, threads: int) -> tuple[str, Any]:
    """Return a tracker; one of our models without smoothing of the size."""
    if ":" in spec:
        name, make = open_tracker(spec, threads=threads)
        return name, make()
    return spec, SiamTracker(changed(load_model(spec, threads=threads), RAW))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--tracker", action="append", required=True)
    parser.add_argument("--crops", type=int, default=100)
    parser.add_argument("--source", action="append", help="data sets to take objects from")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    pool = Pool(read_manifest(given.data))
    names = given.source or list(pool.videos)
    tracks = [pool.by_track[track] for name in names for track in pool.videos.get(name, [])]
    shapes = [np.array([pool.entries[i].box[2:] for i in track]) for track in tracks]
    turned = [
        np.abs(np.diff(np.log(s), axis=1)[1:] - np.diff(np.log(s), axis=1)[0]) for s in shapes
    ]
    share = np.mean(np.concatenate(turned) > 0.3)
    print(f"{len(tracks)} tracks; aspect differs by more than 0.3 in {share:.0%} of the frames")
    rng = np.random.default_rng(0)
    drawn = [track[int(rng.integers(len(track)))] for track in tracks]
    drawn = [i for i in rng.permutation(drawn) if fits(pool.entries[i])]
    entries = [pool.entries[i] for i in drawn[: given.crops]]
    report = {}
    for spec in given.tracker:
        name, tracker = tracker_of(spec, given.threads)
        report[name] = found = answers(tracker, entries)
        print(name, json.dumps(found["slopes"]), "wrong box", found["wrong box"], flush=True)
    if given.out:
        head = {"objects": len(entries), "true": FACTORS}
        given.out.write_text(json.dumps(head | {"trackers": report}, indent=1) + "\n")


if __name__ == "__main__":
    main()
