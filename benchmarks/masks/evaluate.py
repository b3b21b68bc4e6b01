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

from siamtrack.api import load
from siamtrack.core.boxes import Array, iou
from siamtrack.core.masks import Mask, read_segmentation
from siamtrack.data.cache import read_image
from siamtrack.data.manifest import Entry, read_manifest
from siamtrack.evaluation.segmentation import contour_accuracy, jaccard
from siamtrack.packages.masks import GRAPH
from siamtrack.tracking.outline import Outliner, load_outliner, outline_window

Bits = NDArray[np.bool_]
Finder = Callable[[NDArray[np.uint8], Array], Mask]
REPOSITORY = ("materight/non-rigid-object-tracking", "70e648c1c9")


def grabcut(frame: NDArray[np.uint8], box: Array, rounds: int = 5) -> Mask:
    """Rother et al., 2004, in OpenCV, in the window that the network sees.

    On one still in three it finds no foreground at all; the box stands for it then.
    """
    shape = (frame.shape[0], frame.shape[1])
    window, _ = outline_window(box)
    x0, y0 = (max(0, int(c - s / 2)) for c, s in
              ((window.cx, window.width), (window.cy, window.height)))  # fmt: skip
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


def timed(find: Finder, frame: NDArray[np.uint8], box: Array) -> tuple[Mask, float]:
    began = time.thread_time()
    mask = find(frame, box)
    return mask, 1e3 * (time.thread_time() - began)


def stills(entries: list[Entry], finders: dict[str, Finder]) -> dict[str, Any]:
    """Return the overlaps of each finder, object by object, and its milliseconds."""
    found: dict[str, Any] = {name: {"overlap": [], "ms": []} for name in finders}
    for entry in entries:
        frame = read_image(entry.image)
        truth = read_segmentation(entry.mask, *frame.shape[:2]).full()
        for name, find in finders.items():
            mask, ms = timed(find, frame, np.array(entry.box))
            found[name]["overlap"].append(jaccard(mask.full(), truth))
            found[name]["ms"].append(ms)
    return found


def clips(clones: Path, finders: dict[str, Finder], model: str, every: int = 1) -> dict[str, Any]:
    """Return J and F on one frame of so many of the clips, in boxes of the truth and tracked."""
    tracks: dict[str, list[Sample]] = defaultdict(list)
    with Clone(clones, *REPOSITORY) as clone:
        for sample in segtrack(CLIPS)(clone):
            if sample.mask.any() or sample.track in tracks:  # a track begins where it is seen
                tracks[sample.track].append(sample)
    result: dict[str, Any] = {}
    for track, samples in sorted(tracks.items()):
        rows: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        tracker = load(model, threads=1)
        for number, sample in enumerate(samples):
            frame = np.ascontiguousarray(sample.picture[..., ::-1])
            truth = np.array(Mask.of(sample.mask).box)
            seen = tracker.update(frame) if number else tracker.init(frame, truth)
            if number % every or not sample.mask.any():  # where it is not to be seen, no score
                continue
            rows["tracked box"]["overlap"].append(float(iou(seen.box, truth)))
            for name, find in finders.items():
                for place, box in (("truth", truth), ("tracked", np.asarray(seen.box))):
                    mask = find(frame, box)
                    full = mask.full()
                    row = rows[f"{name} in {place}"]
                    row["J"].append(jaccard(full, sample.mask))
                    row["F"].append(contour_accuracy(full, sample.mask))
                    if name == "mask" and place == "tracked" and mask.area:
                        own = np.array(mask.box)
                        rows["box of the mask"]["overlap"].append(float(iou(own, truth)))
        # The first frame is given, and does not count
        result[track] = {
            name: {what: float(np.mean(values[1:])) for what, values in row.items()}
            for name, row in rows.items()
        }
        result[track]["frames"] = len(samples)
    return result


def gallery(entries: list[Entry], outliner: Outliner, out: Path, count: int = 20) -> list[str]:
    """Draw the first `count` objects in the order of their files, then the five worst of all."""
    scored = []
    for entry in entries:
        frame = read_image(entry.image)
        truth = read_segmentation(entry.mask, *frame.shape[:2]).full()
        mask = outliner.outline(frame, [entry.box])[0]
        scored.append((jaccard(mask.full(), truth), entry, frame, mask))
    step = max(1, len(scored) // count)
    shown = scored[::step][:count] + sorted(scored, key=lambda row: row[0])[:5]
    tiles = []
    for overlap, entry, frame, mask in shown:
        left, top, width, height = entry.box
        side = 1.4 * max(width, height)
        scale = 150 / side
        move = np.array([[scale, 0, 75 - scale * (left + width / 2)],
                         [0, scale, 75 - scale * (top + height / 2)]])  # fmt: skip
        tile = cv2.warpAffine(frame, move, (150, 150), borderMode=cv2.BORDER_REPLICATE)
        for outline in mask.polygons():
            points = np.rint((outline * scale + move[:, 2]) * 8).astype(np.int32)
            cv2.polylines(tile, [points], True, (0, 255, 80), 1, cv2.LINE_AA, 3)
        cv2.putText(tile, f"{overlap:.2f}", (4, 144), 0, 0.4, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(tile, f"{overlap:.2f}", (4, 144), 0, 0.4, (255, 255, 255), 1, cv2.LINE_AA)
        tiles.append(tile)
    rows = [np.hstack(tiles[k : k + 5]) for k in range(0, len(tiles) - len(tiles) % 5, 5)]
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
    on_stills = stills(entries, finders)
    on_clips = clips(options.clones, finders, options.model, options.frames)
    size = (Path(outliner.folder or ".") / GRAPH).stat().st_size / 1e6
    # The table
    scores: dict[str, float] = {f"MB of {GRAPH}": round(size, 2)}
    for name, row in on_stills.items():
        scores[f"{name}: overlap on {len(entries)} stills"] = round(
            float(np.mean(row["overlap"])), 3
        )
        scores[f"{name}: ms a still, median"] = round(float(np.median(row["ms"])), 2)
    for place in ("truth", "tracked"):
        for name in finders:
            for what in "JF":
                values = [clip[f"{name} in {place}"][what] for clip in on_clips.values()]
                scores[f"{name}: {what} on {len(values)} tracks, {place} boxes"] = round(
                    float(np.mean(values)), 3
                )
    for name in ("tracked box", "box of the mask"):
        values = [clip[name]["overlap"] for clip in on_clips.values() if name in clip]
        scores[f"{name}: overlap with the truth's"] = round(float(np.mean(values)), 3)
    for name, value in scores.items():
        print(f"{name:50} {value}")
    text = {"scores": scores, "clips": on_clips, "every": options.every, "frames": options.frames}
    options.out.write_text(json.dumps(text, indent=1) + "\n")
    if options.gallery is not None:
        gallery(entries, outliner, options.gallery)


if __name__ == "__main__":
    main()
