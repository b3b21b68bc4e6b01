"""Choose the settings of a tracker on several starts of each sequence.

One lost target moves the mean of 20 by 0.03, so every sequence is started at several frames. The
sequences must be ones on which no final result is reported.

    python benchmarks/choose_settings.py MODEL otb:/data/dev --starts 3 --frames 120
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
from typing import Any

import cv2
import numpy as np

import siamtrack
from siamtrack.boxes import centre_error, iou
from siamtrack.data.sequence import Sequence
from siamtrack.weights import Model, load_model

GRID = {
    "window": (0.1, 0.2, 0.3, 0.4),
    "penalty": (0.05, 0.15, 0.3),
    "size_rate": (0.2, 0.35, 0.5),
    "online.weight": (0.2, 0.3, 0.4),
}


def changed(settings: Any, point: dict[str, float]) -> Any:
    """Settings with some values replaced; a dot leads into a group."""
    for name, value in point.items():
        group, _, rest = name.partition(".")
        new = changed(getattr(settings, group), {rest: value}) if rest else value
        settings = dataclasses.replace(settings, **{group: new})
    return settings


def starts_of(sequence: Sequence, count: int) -> list[int]:
    """Frames to start in, evenly spread, each with a box."""
    known = np.flatnonzero(np.isfinite(sequence.boxes).all(1))
    last = max(1, int(len(known) * (1 - 1 / (count + 1))))
    return [int(known[k]) for k in np.linspace(0, last - 1, count).astype(int)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("dataset")
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--grid", type=json.loads, default=GRID, help="JSON: setting to values")
    parser.add_argument("--tries", type=int, default=0, help="random points of the grid; 0: all")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    model = load_model(arguments.model, threads=arguments.threads)
    points = [
        dict(zip(arguments.grid, values, strict=True))
        for values in itertools.product(*arguments.grid.values())
    ]
    if 0 < arguments.tries < len(points):
        rng = np.random.default_rng(0)
        points = [points[k] for k in rng.choice(len(points), arguments.tries, replace=False)]
    trackers = []
    for point in points:
        settings = changed(model.card.tracker, point)
        card = dataclasses.replace(model.card, tracker=settings)
        trackers.append(siamtrack.SiamTracker(Model(card, model.runtime)))
    scores: list[list[tuple[float, float]]] = [[] for _ in points]
    for sequence in siamtrack.open_dataset(arguments.dataset):
        for start in starts_of(sequence, arguments.starts):
            end = min(len(sequence), start + arguments.frames)
            frames = [sequence[index] for index in range(start, end)]
            truth = sequence.boxes[start:end]
            for tracker, row in zip(trackers, scores, strict=True):
                boxes = [tracker.init(frames[0], truth[0]).box]
                boxes += [tracker.update(frame).box for frame in frames[1:]]
                known = np.isfinite(truth).all(1)
                overlap = iou(np.array(boxes), truth)[known]
                error = centre_error(np.array(boxes), truth)[known]
                auc = np.mean([(overlap > t).mean() for t in np.linspace(0, 1, 21)])
                row.append((float(auc), float((error <= 20).mean())))
        mean = np.mean([row[-arguments.starts :] for row in scores], axis=(0, 1))
        print(f"{sequence.name}: mean over settings {mean[0]:.3f} {mean[1]:.3f}", flush=True)
    order = np.argsort([-np.mean(row, axis=0)[0] for row in scores])
    for index in order:
        auc, precision = np.mean(scores[index], axis=0)
        print(f"AUC {auc:.4f} precision {precision:.4f} {json.dumps(points[index])}")


if __name__ == "__main__":
    main()
