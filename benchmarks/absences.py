"""Put blackouts, noise, fades and cuts into sequences, and see what a tracker says afterwards.

    python benchmarks/absences.py folder:data/OTB --model lite --only Couple Crossing David Toy Suv

Each kind is put in after frame 25 for 10, 60 and 200 frames. For each kind and with and without
re-detection three shares of the cases are printed: at least 90 % of the 25 frames afterwards are
right (overlap above 0.4) or lost; a wrong box (below 0.2) is `tracked` for more than five frames in
a row; the box is right at the end.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator

import cv2
import numpy as np
from starts import changed

import siamtrack
from siamtrack.core.boxes import iou
from siamtrack.core.tracks import TrackState
from siamtrack.packages.card import load_model
from siamtrack.tracking.tracker import SiamTracker

BEFORE, AFTER, COUNTS = 25, 25, (10, 60, 200)


def absence(kind: str, count: int, last: np.ndarray, scene: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the pictures that are put in."""
    rng = np.random.default_rng(0)
    for index in range(count):
        if kind == "black":
            yield np.zeros_like(last)
        elif kind == "noise":
            yield rng.integers(0, 256, last.shape, dtype=np.uint8)
        elif kind == "cut":
            yield scene
        else:
            light = max(0.0, 3 * abs(2 * index / count - 1) - 2)
            yield (last * light).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("--model", default="lite")
    parser.add_argument("--change", default="", help="settings, as in starts.py")
    parser.add_argument("--only", nargs="*")
    given = parser.parse_args()
    model = changed(load_model(given.model), given.change)
    sequences = [
        each
        for each in siamtrack.open_dataset(given.data, partial=True)
        if not given.only or each.name in given.only
    ]
    found = defaultdict(list)
    for place, sequence in enumerate(sequences):
        last, boxes = sequence[BEFORE - 1], sequence.boxes
        scene = cv2.resize(sequences[place - 1][0], last.shape[1::-1])
        for redetect in (False, True):
            for kind in ("black", "noise", "fade", "cut"):
                for count in COUNTS:
                    tracker = SiamTracker(model, redetect=redetect)
                    tracker.init(sequence[0], boxes[0])
                    for index in range(1, BEFORE):
                        tracker.update(sequence[index])
                    for picture in absence(kind, count, last, scene):
                        tracker.update(picture)
                    good, wrong, longest, right = 0, 0, 0, False
                    frames = range(BEFORE, min(BEFORE + AFTER, len(sequence)))
                    for index in frames:
                        track = tracker.update(sequence[index])
                        overlap = float(iou(track.box, boxes[index]))
                        right = overlap > 0.4
                        good += right or track.state is TrackState.LOST
                        sure = track.state is TrackState.TRACKED and overlap < 0.2
                        wrong = wrong + 1 if sure else 0
                        longest = max(longest, wrong)
                    found[kind, redetect].append((good >= 0.9 * len(frames), longest > 5, right))
    for (kind, redetect), cases in found.items():
        shares = " / ".join(f"{share:.2f}" for share in np.mean(cases, axis=0))
        print(f"{kind:6} {'with re-detection' if redetect else '':18} {shares}  ({len(cases)})")


if __name__ == "__main__":
    main()
