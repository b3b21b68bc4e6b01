"""Does a tracker hold its target better where the camera shakes, if the shake is measured?

    python benchmarks/shakes.py otb:data/OTB folder:data/wide [--shake 0 0.02 0.05]

Generated shakes: a window of three quarters of each side of the frame jumps about in it, so that a
steady clip looks as if filmed from a vehicle. In each frame its place is drawn anew around the
middle with a deviation of `--shake` of the longer side, half of it kept from the frame before; what
would leave the frame stays at its edge. Boxes move along, and frames in which less than half of the
target is in the window do not count. The real motion of the camera stays in it. Both ways run on
the same pictures; differences are paired over sequences, with their 95 % interval (bootstrap).
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

import siamtrack
from siamtrack.core.boxes import iou
from siamtrack.packages.card import load_model
from siamtrack.tracking.camera import Camera
from siamtrack.tracking.tracker import SiamTracker

SIDE = 0.75


def offsets(
    rng: np.random.Generator, count: int, shape: tuple[int, ...], shake: float
) -> np.ndarray:
    """Corners (count, 2) of the window, whole pixels."""
    room = np.array([shape[1], shape[0]]) * (1 - SIDE)
    places, place = [], np.zeros(2)
    for _ in range(count):
        place = 0.5 * place + rng.normal(0, shake * max(shape[:2]), 2)
        places.append(np.clip(room / 2 + place, 0, room))
    return np.rint(places).astype(int)


def scores(tracker: SiamTracker, pictures: list[np.ndarray], boxes: np.ndarray) -> float:
    """Mean IoU over the frames after the first that have a box."""
    tracker.init(pictures[0], boxes[0])
    found = np.array([tracker.update(picture).box for picture in pictures[1:]])
    counts = np.isfinite(boxes[1:]).all(1)
    return float(np.mean(iou(found[counts], boxes[1:][counts])))


def interval(differences: np.ndarray) -> tuple[float, float]:
    draws = np.random.default_rng(0).integers(0, len(differences), (4000, len(differences)))
    low, high = np.percentile(differences[draws].mean(1), [2.5, 97.5])
    return float(low), float(high)


def cost() -> float:
    """Milliseconds in which the camera's motion is found in a frame of 1280x720, median."""
    rng = np.random.default_rng(0)
    frame = cv2.resize(rng.integers(0, 255, (90, 160, 3)).astype(np.uint8), (1280, 720))
    camera, times = Camera(), []
    for _ in range(200):
        begun = time.perf_counter()
        camera.shift(frame)
        times.append(time.perf_counter() - begun)
    return 1e3 * float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="*", help="NAME:PATH of a data set")
    parser.add_argument("--model", default="lite")
    parser.add_argument("--shake", type=float, nargs="+", default=[0.0, 0.05])
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--only", nargs="*", help="names of sequences")
    parser.add_argument(
        "--out", type=Path, help="JSON of all sequences, for docs/figures/shakes.py"
    )
    options = parser.parse_args()
    cv2.setNumThreads(1)
    print(f"the camera's motion in 1280x720: {cost():.2f} ms")
    model = load_model(options.model, threads=1)
    motion = replace(model.card.tracker.motion, camera=True)
    card = replace(model.card, tracker=replace(model.card.tracker, motion=motion))
    off, on = SiamTracker(model), SiamTracker(replace(model, card=card))
    found: dict[str, dict[str, list[float]]] = {}
    for shake in options.shake:
        rows = []
        for spec in options.data:
            for sequence in siamtrack.open_dataset(spec, partial=True):
                if options.only and sequence.name not in options.only:
                    continue
                first = sequence.init_frame
                last = min(len(sequence), first + options.frames)
                pictures, boxes = [], sequence.boxes[first:last].copy()
                shape = sequence[first].shape
                seed = sum(sequence.name.encode())
                corners = offsets(np.random.default_rng(seed), last - first, shape, shake)
                height, width = round(SIDE * shape[0]), round(SIDE * shape[1])
                # The first window shows the target, as a person who draws a box sees it
                center = boxes[0, :2] + boxes[0, 2:] / 2 - [width / 2, height / 2]
                corners[0] = np.clip(center, 0, [shape[1] - width, shape[0] - height])
                for number, (left, top) in enumerate(corners):
                    pictures.append(
                        sequence[first + number][top : top + height, left : left + width]
                    )
                    boxes[number, :2] -= (left, top)
                seen = np.minimum(boxes[:, :2] + boxes[:, 2:], (width, height))
                seen = (seen - np.maximum(boxes[:, :2], 0)).clip(0).prod(1) / boxes[:, 2:].prod(1)
                boxes[~(seen >= 0.5)] = np.nan
                start = boxes[0].copy()  # as much of the target as is in the window
                boxes[0, :2] = np.maximum(start[:2], 0)
                boxes[0, 2:] = np.minimum(start[:2] + start[2:], (width, height)) - boxes[0, :2]
                if not (boxes[0, 2:] > 3).all() or np.isfinite(boxes[1:]).all(1).sum() < 10:
                    continue
                rows.append([scores(tracker, pictures, boxes) for tracker in (off, on)])
                found.setdefault(f"{shake:g}", {})[sequence.name] = rows[-1]
                print(f"  {sequence.name:16} {rows[-1][0]:.3f} {rows[-1][1]:.3f}", flush=True)
        if rows:
            both = np.array(rows)
            low, high = interval(both[:, 1] - both[:, 0])
            means = both.mean(0)
            print(
                f"shake {shake:g}: IoU {means[0]:.3f} without, {means[1]:.3f} with: "
                f"{means[1] - means[0]:+.4f} ({low:+.4f} to {high:+.4f}), {len(rows)} sequences"
            )
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
