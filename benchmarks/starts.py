"""Compare models and settings from several starts a sequence, on several data sets, in pairs.

    python benchmarks/starts.py otb:data/OTB otb:data/wide --model lite --model runs/a/model \
        --change penalty=0.1 --change "window=0.2 online.weight=0.4" --starts 4 --frames 80

Each start is a run of its own over `--frames` frames; starts are spread evenly over a sequence. The
first model is the reference: of every other row the mean difference is given with its 95 %
interval over sequences (bootstrap), for each data set and for both. `--change` adds the last model
once more with other tracker settings. Prints success AUC / precision at 20 px, and how often the
state was wrong: `lost` at an overlap above 0.5, and `tracked` at one below 0.1.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import siamtrack
from siamtrack.core.boxes import iou
from siamtrack.core.config import from_dict, to_dict
from siamtrack.core.settings import TrackerSettings
from siamtrack.core.tracks import TrackState
from siamtrack.evaluation.scores import score_sequence
from siamtrack.packages.card import Model, load_model
from siamtrack.tracking.tracker import SiamTracker


def changed(model: Model, change: str) -> Model:
    """Return a model with other tracker settings, given as `name=value` or `online.name=value`."""
    settings: dict[str, Any] = to_dict(model.card.tracker)
    for item in change.split():
        name, value = item.split("=")
        *path, last = name.split(".")
        part = settings
        for step in path:
            part = part[step]
        if last not in part:
            raise ValueError(f"{name}: no such setting; there are {', '.join(part)}")
        part[last] = json.loads(value)
    tracker = from_dict(TrackerSettings, settings)
    return replace(model, card=replace(model.card, tracker=tracker))


def run(tracker: Any, pictures: list[np.ndarray], box: np.ndarray) -> tuple[np.ndarray, list[Any]]:
    """Track through pictures and return boxes (N, 4) and the states of all but the first."""
    tracker.init(pictures[0], box)
    boxes, states = [np.asarray(box, float)], []
    for picture in pictures[1:]:
        found = tracker.update(picture)
        boxes.append(np.asarray(found.box, float))
        states.append(getattr(found, "state", None))
    return np.array(boxes), states


def interval(differences: np.ndarray, seed: int = 0) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, len(differences), (4000, len(differences)))
    low, high = np.percentile(differences[draws].mean(1), [2.5, 97.5])
    return float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+", help="NAME:PATH of a data set")
    parser.add_argument("--model", action="append", required=True)
    parser.add_argument(
        "--tracker", action="append", default=[], help="others, as in siamtrack eval"
    )
    parser.add_argument("--change", action="append", default=[])
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--frames", type=int, default=80, help="0: to the end")
    parser.add_argument("--only", nargs="*", help="names of sequences")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="JSON of all starts")
    given = parser.parse_args()
    models = [load_model(m, precision=given.precision, threads=given.threads) for m in given.model]
    rows: dict[str, Any] = {
        name: SiamTracker(model) for name, model in zip(given.model, models, strict=True)
    }
    rows |= {change: SiamTracker(changed(models[-1], change)) for change in given.change}
    for spec in given.tracker:
        from siamtrack.evaluation import open_tracker

        name, make = open_tracker(spec, threads=given.threads)
        rows[name] = make()
    results: dict[str, dict[str, list[dict[str, float]]]] = defaultdict(lambda: defaultdict(list))
    for place, spec in enumerate(given.data):
        for sequence in siamtrack.open_dataset(spec, partial=True):
            if given.only and sequence.name not in given.only:
                continue
            first, last = sequence.init_frame, len(sequence)
            length = given.frames or last - first
            begins = np.linspace(first, max(first, last - length), given.starts).astype(int)
            for begin in sorted(set(begins.tolist())):
                end = min(last, begin + length)
                truth = sequence.boxes[begin:end]
                if not np.isfinite(truth[0]).all() or truth[0, 2:].min() <= 0:
                    continue
                pictures = [sequence[index] for index in range(begin, end)]
                for name, tracker in rows.items():
                    boxes, states = run(tracker, pictures, truth[0])
                    score = score_sequence(sequence.name, boxes, truth)
                    overlap = np.nan_to_num(iou(boxes, truth))[1:]
                    lost = np.array([state is TrackState.LOST for state in states])
                    sure = np.array([state is TrackState.TRACKED for state in states])
                    results[name][f"{place}/{sequence.name}"].append(
                        {
                            "begin": begin,
                            "success": score.success,
                            "precision": score.precision,
                            "falsely_lost": float((lost & (overlap > 0.5)).mean()),
                            "falsely_sure": float((sure & (overlap < 0.1)).mean()),
                            "frames": len(truth),
                        }
                    )
            key = f"{place}/{sequence.name}"
            seen = [np.mean([start["success"] for start in results[name][key]]) for name in rows]
            print(sequence.name, *(f"{value:.3f}" for value in seen), flush=True)
    if given.out:
        given.out.write_text(json.dumps(results, indent=1) + "\n")
    report(results, len(given.data))


def report(results: dict[str, dict[str, list[dict[str, float]]]], sets: int) -> None:
    """Print means of each data set, and paired differences from the first row."""
    reference = next(iter(results))
    for place in [*range(sets), None]:
        print("both" if place is None else f"data set {place}")
        keys = [k for k in results[reference] if place is None or k.startswith(f"{place}/")]

        def means(name: str, what: str, keys: list[str] = keys) -> np.ndarray:
            return np.array([np.mean([s[what] for s in results[name][key]]) for key in keys])

        for name in results:
            success, base = means(name, "success"), means(reference, "success")
            text = f"  {success.mean():.4f} / {means(name, 'precision').mean():.4f}"
            text += f"  lost@.5 {means(name, 'falsely_lost').mean():.3f}"
            text += f"  tracked@.1 {means(name, 'falsely_sure').mean():.3f}"
            if name != reference:
                low, high = interval(success - base)
                text += f"  {np.mean(success - base):+.4f} ({low:+.4f} to {high:+.4f})"
            print(text, name)


if __name__ == "__main__":
    main()
