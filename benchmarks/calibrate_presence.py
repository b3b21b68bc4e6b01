"""Fit what a model's presence logit means, on sequences that it was not trained on.

Positive windows hold the target a little off the middle; negative ones show another place of the
same frame, or a frame of another sequence. Slope and offset of a logistic regression are printed
and, with --write, put into the model's card.

    python benchmarks/calibrate_presence.py MODEL_FOLDER otb:/data/dev folder:/data/wide --write
"""

from __future__ import annotations

import argparse
import dataclasses
import json

import numpy as np

import siamtrack
from siamtrack.core.boxes import Array, centers
from siamtrack.packages.card import load_model, model_folder
from siamtrack.packages.write import write_card
from siamtrack.tracking.target import Target


def logistic_regression(logits: Array, truth: Array, steps: int = 50) -> tuple[float, float]:
    """Slope and offset of largest likelihood, by Newton's method."""
    x = np.stack([logits, np.ones_like(logits)], axis=1)
    weights = np.zeros(2)
    for _ in range(steps):
        p = 1 / (1 + np.exp(-(x @ weights)))
        hessian = (x * (p * (1 - p))[:, None]).T @ x + 1e-6 * np.eye(2)
        weights -= np.linalg.solve(hessian, x.T @ (p - truth))
    return float(weights[0]), float(weights[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("datasets", nargs="+")
    parser.add_argument("--frames", type=int, default=25, help="frames of each sequence")
    parser.add_argument("--write", action="store_true", help="put the fit into the card")
    arguments = parser.parse_args()
    model = load_model(arguments.model, threads=2)
    rng = np.random.default_rng(0)
    logits, truth = [], []
    sequences = [s for each in arguments.datasets for s in siamtrack.open_dataset(each)]
    for sequence in sequences:
        first = sequence.init_frame
        target = Target(model, sequence[first], sequence.boxes[first])
        for index in rng.integers(first + 1, len(sequence), arguments.frames):
            box = sequence.boxes[index]
            if not np.isfinite(box).all() or min(box[2:]) < 2:
                continue
            frame = sequence[int(index)]
            other = sequences[int(rng.integers(len(sequences)))]
            shifts = rng.uniform(-0.5, 0.5, 2) * box[2:]
            looks = [(frame, box + np.append(shifts, [0, 0]), 1)]
            far = elsewhere(box, frame.shape[1], frame.shape[0], rng)
            if far is not None:
                looks.append((frame, far, 0))
            if other is not sequence:
                middle = len(other) // 2
                looks.append((other[middle], other.boxes[middle], 0))
            for picture, place, there in looks:
                target.box, target.shape = np.array(place), picture.shape[:2]
                windows = target.windows()
                patches = target.patches(picture, windows)
                response = model.runtime.respond(target.kernel, patches)
                assert response.presence is not None
                logits.append(float(response.presence[0]))
                truth.append(there)
    x, y = np.array(logits), np.array(truth, dtype=np.float64)
    slope, offset = logistic_regression(x, y)
    order = np.argsort(x)
    ranks = np.empty(len(x))
    ranks[order] = np.arange(1, len(x) + 1)
    count = y.sum()
    area = (ranks[y == 1].sum() - count * (count + 1) / 2) / (count * (len(y) - count))
    print(f"{int(count)} with, {int(len(y) - count)} without target; ROC AUC {area:.3f}")
    print(f"slope {slope:.4f} offset {offset:.4f}")
    if arguments.write:
        presence = dataclasses.replace(
            model.card.tracker.presence, slope=round(slope, 4), offset=round(offset, 4)
        )
        tracker = dataclasses.replace(model.card.tracker, presence=presence)
        write_card(model_folder(arguments.model), dataclasses.replace(model.card, tracker=tracker))
        print(json.dumps(dataclasses.asdict(presence)))


def elsewhere(box: Array, width: int, height: int, rng: np.random.Generator) -> Array | None:
    """A box of the same size whose search window does not show the target; None if none fits."""
    reach = 2.4 * float(np.sqrt(box[2] * box[3])) + max(box[2:]) / 2
    for _ in range(30):
        center = rng.uniform([0, 0], [width, height])
        if np.abs(center - centers(box)).max() > reach:
            return np.array([*(center - box[2:] / 2), *box[2:]])
    return None


if __name__ == "__main__":
    main()
