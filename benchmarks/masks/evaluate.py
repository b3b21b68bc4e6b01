"""Fill the table of the masks: stills and clips that were held out, GrabCut, time and size.

python benchmarks/masks/evaluate.py --data data/masks --clones clones --out masks.json
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.append(str(Path(__file__).resolve().parents[1] / "pool"))

from build import CLIPS, Sample, segtrack
from clones import Clone
from page import table

from siamtrack.api import load
from siamtrack.core.boxes import Array, iou
from siamtrack.core.masks import Mask, read_segmentation
from siamtrack.data.cache import read_image
from siamtrack.data.manifest import Entry, read_manifest
from siamtrack.evaluation.segmentation import contour_accuracy, jaccard
from siamtrack.tracking.outline import GRAPH, Outliner, load_outliner, outline_window

Bits = NDArray[np.bool_]
Finder = Callable[[NDArray[np.uint8], Array], Mask]
LARGE = (1280, 720)
"""Width and height of the frames in which time is taken."""
REPOSITORY = ("materight/non-rigid-object-tracking", "70e648c1c9")


def grabcut(frame: NDArray[np.uint8], box: Array, rounds: int = 5) -> Mask:
    """Rother et al., 2004, in OpenCV, in the window that the network sees.

    Where it finds no foreground at all, the box stands for it.
    """
    shape = (frame.shape[0], frame.shape[1])
    window, _ = outline_window(box)
    x0, y0 = (
        max(0, int(c - s / 2)) for c, s in ((window.cx, window.width), (window.cy, window.height))
    )
    x1 = min(shape[1], int(window.cx + window.width / 2) + 1)
    y1 = min(shape[0], int(window.cy + window.height / 2) + 1)
    part = np.ascontiguousarray(frame[y0:y1, x0:x1, ::-1])
    left, top = max(0, round(box[0]) - x0), max(0, round(box[1]) - y0)
    inner = (left, top, min(round(box[2]), x1 - x0 - left), min(round(box[3]), y1 - y0 - top))
    labels = np.zeros(part.shape[:2], np.uint8)
    back, front = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    try:
        cv2.grabCut(part, labels, inner, back, front, rounds, cv2.GC_INIT_WITH_RECT)
    except cv2.error:  # no background at all: the box is all there is
        labels[top : top + inner[3], left : left + inner[2]] = cv2.GC_FGD
    found = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    return Mask.of(found, (x0, y0), shape) if found.any() else filled_box(frame, box)


def filled_box(frame: NDArray[np.uint8], box: Array) -> Mask:
    """The box itself: what masks are compared with where there are none."""
    bits = np.zeros(frame.shape[:2], bool)
    left, top = (max(0, round(value)) for value in box[:2])
    bits[top : max(0, round(box[1] + box[3])), left : max(0, round(box[0] + box[2]))] = True
    return Mask.of(bits)


def stills(entries: list[Entry], finders: dict[str, Finder]) -> dict[str, Any]:
    """Return mean overlaps, median processor times, and how often GrabCut found nothing."""
    overlaps: dict[str, list[float]] = defaultdict(list)
    taken: dict[str, list[float]] = defaultdict(list)
    nothing = 0
    for entry in entries:
        frame, box = read_image(entry.image), np.array(entry.box)
        truth = read_segmentation(entry.mask, *frame.shape[:2]).full()
        found: dict[str, Bits] = {}
        for name, find in finders.items():
            began = time.thread_time()
            mask = find(frame, box)
            taken[name].append(1e3 * (time.thread_time() - began))
            found[name] = mask.full()
            overlaps[name].append(jaccard(found[name], truth))
        nothing += bool((found["GrabCut"] == found["box"]).all())
    means = {name: round(float(np.mean(values)), 4) for name, values in overlaps.items()}
    times = {name: round(float(np.median(values)), 2) for name, values in taken.items()}
    return {"count": len(entries), "overlap": means, "nothing": nothing, "processor": times}


def read_clips(clones: Path) -> dict[str, list[Sample]]:
    """Return the frames of each target, from the first in which it is seen."""
    tracks: dict[str, list[Sample]] = defaultdict(list)
    with Clone(clones, *REPOSITORY) as clone:
        for sample in segtrack(CLIPS)(clone):
            if sample.mask.any() or sample.track in tracks:
                tracks[sample.track].append(sample)
    return dict(sorted(tracks.items()))


def scored(samples: list[Sample], every: int) -> list[int]:
    """Return one frame in so many, at least one, of those in which the target is seen.

    The first frame is given, and does not count.
    """
    seen = [number for number, sample in enumerate(samples) if number and sample.mask.any()]
    return seen[every - 1 :: every] or seen[-1:]


def clips(
    tracks: dict[str, list[Sample]], finders: dict[str, Finder], model: str, every: int
) -> dict[str, Any]:
    """Return J and F in the boxes of the truth and in tracked ones, by target and on average."""
    result: dict[str, Any] = {}
    for track, samples in tracks.items():
        rows: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        tracker = load(model, threads=1)
        wanted = set(scored(samples, every))
        for number, sample in enumerate(samples):
            frame = np.ascontiguousarray(sample.picture[..., ::-1])
            truth = np.array(Mask.of(sample.mask).box)
            seen = tracker.update(frame) if number else tracker.init(frame, truth)
            if number not in wanted:
                continue
            rows["tracked box"]["overlap"].append(float(iou(seen.box, truth)))
            for name, find in finders.items():
                for place, box in (("truth", truth), ("tracked", np.asarray(seen.box))):
                    mask = find(frame, box)
                    full = mask.full()
                    row = rows[f"{name} in {place}"]
                    row["J"].append(jaccard(full, sample.mask))
                    row["F"].append(contour_accuracy(full, sample.mask))
                    if name == "mask" and place == "tracked":
                        own = np.array(mask.box if mask.area else seen.box)
                        rows["box of the mask"]["overlap"].append(float(iou(own, truth)))
        result[track] = {
            name: {what: round(float(np.mean(values)), 4) for what, values in row.items()}
            for name, row in rows.items()
        }
    means = {
        name: {
            what: round(float(np.mean([result[track][name][what] for track in tracks])), 4)
            for what in row
        }
        for name, row in next(iter(result.values())).items()
    }
    return {"clips": len(CLIPS), "targets": len(tracks), "means": means, "by target": result}


def timings(
    tracks: dict[str, list[Sample]], network: Path | None, every: int, most: int = 8
) -> dict[str, Any]:
    """Return median milliseconds a target in the clips' frames, enlarged to `LARGE`.

    Of both finders it is processor time, in one thread, of the same frames and boxes. Of the
    network it is also the time that passes, with one thread and with two: of each frame the least
    of five, since what else runs on a machine only adds to it.
    """
    one, two = (load_outliner(network, threads=threads) for threads in (1, 2))
    taken: dict[str, list[float]] = defaultdict(list)
    for samples in tracks.values():
        for number in scored(samples, every)[:most]:
            sample = samples[number]
            frame = cv2.resize(np.ascontiguousarray(sample.picture[..., ::-1]), LARGE)
            scale = np.array(LARGE) / sample.mask.shape[::-1]
            box = np.array(Mask.of(sample.mask).box) * np.tile(scale, 2)
            began = time.thread_time()
            grabcut(frame, box)
            taken["GrabCut"].append(time.thread_time() - began)
            for name, outliner in (("1", one), ("2", two)):
                passed, used = [], []
                for _ in range(5):
                    began, start = time.perf_counter(), time.thread_time()
                    outliner.outline(frame, [box])
                    passed.append(time.perf_counter() - began)
                    used.append(time.thread_time() - start)
                taken[name].append(min(passed))
                if outliner is one:
                    taken["mask"].append(float(np.median(used)))
    times = {name: round(1e3 * float(np.median(values)), 2) for name, values in taken.items()}
    return {
        "size": "{} x {}".format(*LARGE),
        "frames": len(taken["mask"]),
        "processor": {name: times[name] for name in ("mask", "GrabCut")},
        "passed": {threads: times[threads] for threads in "12"},
    }


def gallery(entries: list[Entry], outliner: Outliner, out: Path, count: int = 20) -> list[str]:
    """Draw `count` objects at even distances in the list, then the five worst of all.

    Gray is the object, green the outline that was found. The pictures, many of which may not be
    published, are not drawn.
    """
    ranked = []
    for entry in entries:
        frame = read_image(entry.image)
        truth = read_segmentation(entry.mask, *frame.shape[:2]).full()
        mask = outliner.outline(frame, [entry.box])[0]
        ranked.append((jaccard(mask.full(), truth), entry, truth, mask))
    step = max(1, len(ranked) // count)
    shown = ranked[::step][:count] + sorted(ranked, key=lambda row: row[0])[:5]
    tiles = []
    for overlap, entry, truth, mask in shown:
        left, top, width, height = entry.box
        side = 1.4 * max(width, height)
        scale = 150 / side
        move = np.array(
            [
                [scale, 0, 75 - scale * (left + width / 2)],
                [0, scale, 75 - scale * (top + height / 2)],
            ]
        )
        gray = (255 - 90 * truth.astype(np.uint8))[..., None].repeat(3, axis=2)
        tile = cv2.warpAffine(gray, move, (150, 150), borderValue=(255, 255, 255))
        for outline in mask.polygons():
            points = np.rint((outline * scale + move[:, 2]) * 8).astype(np.int32)
            cv2.polylines(tile, [points], True, (0, 140, 60), 1, cv2.LINE_AA, 3)
        cv2.putText(tile, f"{overlap:.2f}", (4, 144), 0, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
        tiles.append(cv2.copyMakeBorder(tile[1:-1, 1:-1], 1, 1, 1, 1, 0, value=(225, 225, 225)))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % 5)
    rows = [np.hstack(tiles[k : k + 5]) for k in range(0, len(tiles), 5)]
    picture = cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)
    out.write_bytes(cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, 80])[1].tobytes())
    return [entry.image for _, entry, _, _ in shown]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("data/masks"))
    parser.add_argument("--clones", type=Path, required=True)
    parser.add_argument("--network", type=Path, help="folder with mask.json; the package's if none")
    parser.add_argument("--model", default="lite", help="tracker of the clips")
    parser.add_argument("--every", type=int, default=1, help="one still of so many")
    parser.add_argument("--frames", type=int, default=1, help="one frame of so many of the clips")
    parser.add_argument("--out", type=Path, required=True, help="JSON file for all figures")
    parser.add_argument("--gallery", type=Path, help="WebP file")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    outliner = load_outliner(options.network, threads=1)
    finders: dict[str, Finder] = {
        "mask": lambda frame, box: outliner.outline(frame, [box])[0],
        "GrabCut": grabcut,
        "box": filled_box,
    }
    held = read_manifest(options.data / "test.jsonl")
    entries = [entry for entry in held if entry.source != "segtrack_test"][:: options.every]
    tracks = read_clips(options.clones)
    on_stills = stills(entries, finders)
    on_clips = clips(tracks, finders, options.model, options.frames)
    size = (Path(outliner.folder or ".") / GRAPH).stat().st_size / 1e6
    means, targets = on_clips["means"], f"{on_clips['targets']} targets of SegTrack v2"
    model = options.model
    results = {
        "network": outliner.card.name,
        "megabytes": round(size, 2),
        "model": model,
        "every": options.every,
        "frames": options.frames,
        "command": "python benchmarks/masks/evaluate.py --data data/masks --clones clones "
        f"--every {options.every} --frames {options.frames} --out masks.json",
        "scores": {  # for the card, see pack.py
            f"overlap on {len(entries)} held-out stills, box of the truth": on_stills["overlap"][
                "mask"
            ],
            f"J on {targets}, box of the truth": means["mask in truth"]["J"],
            f"J on {targets}, box tracked by {model}": means["mask in tracked"]["J"],
        },
        "stills": on_stills,
        "clips": on_clips,
        "times": timings(tracks, options.network, options.frames),
    }
    options.out.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))
    if options.gallery is not None:
        gallery(entries, outliner, options.gallery)


if __name__ == "__main__":
    main()
