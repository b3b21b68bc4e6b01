"""What refining masks gains, on the objects that were held out; see docs/training-log.md.

python benchmarks/masks/fine.py --data data/masks --every 4
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np

from siamtrack.core.masks import read_segmentation
from siamtrack.data.cache import read_image
from siamtrack.data.manifest import Entry, read_manifest
from siamtrack.evaluation.segmentation import contour_accuracy, jaccard
from siamtrack.tracking.outline import Outliner, load_outliner


def measured(entries: list[Entry], outliner: Outliner) -> np.ndarray:
    """Return J, F and milliseconds of processor time (N, 3) in the boxes of the truth."""
    rows = []
    for entry in entries:
        frame = read_image(entry.image)
        truth = read_segmentation(entry.mask, *frame.shape[:2]).full()
        began = time.thread_time()
        found = outliner.outline(frame, [entry.box])[0].full()
        taken = 1e3 * (time.thread_time() - began)
        rows.append((jaccard(found, truth), contour_accuracy(found, truth), taken))
    return np.array(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("data/masks"))
    parser.add_argument("--every", type=int, default=1, help="one still of so many")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    held = read_manifest(options.data / "test.jsonl")
    stills = [each for each in held if each.source != "segtrack_test"]
    frames = [each for each in held if each.source == "segtrack_test"]
    plain, fine = (load_outliner(threads=1, fine=fine) for fine in (False, True))
    for name, entries in (("stills", stills[:: options.every]), ("frames of clips", frames)):
        rows = [measured(entries, outliner) for outliner in (plain, fine)]
        gain = (rows[1] - rows[0])[:, :2]
        error = gain.std(axis=0) / np.sqrt(len(gain))
        for label, found in zip(("plain", "fine"), rows, strict=True):
            j, f, _ = found.mean(axis=0)
            taken = np.median(found[:, 2])
            print(f"{len(entries)} {name}, {label:5}  J {j:.3f}  F {f:.3f}  {taken:.1f} ms")
        (j, f), (dj, df) = gain.mean(axis=0), error
        print(f"    gain: J {j:+.4f} (standard error {dj:.4f}), F {f:+.4f} ({df:.4f})")


if __name__ == "__main__":
    main()
