"""Put blackouts, noise, fades, still pictures and cuts into sequences, and see what a tracker says.

    python benchmarks/absences.py folder:data/OTB --model lite --only Couple Crossing David Toy Suv

Each kind is put in after frame 25 for 10, 60 and 200 frames. For each kind and with and without
re-detection three shares of the cases are printed: at least 90 % of the 25 frames afterwards are
right (overlap above 0.4) or lost; a wrong box (below 0.2) is `tracked` for more than five frames in
a row; the box is right at the end. `tests/test_absence.py` asks the same of the clip of the demo.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np

import siamtrack
from siamtrack.core.boxes import iou
from siamtrack.core.tracks import TrackState
from siamtrack.packages.card import load_model
from siamtrack.tracking.tracker import SiamTracker

BEFORE, AFTER, COUNTS = 25, 25, (10, 60, 200)
KINDS = ("black", "noise", "fade", "freeze", "cut")


def absence(kind: str, count: int, last: np.ndarray, scene: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the pictures that are put in after `last`; `scene` is what a cut shows, of any size."""
    rng = np.random.default_rng(0)
    elsewhere = cv2.resize(scene, last.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    for index in range(count):
        if kind == "black":
            yield np.zeros_like(last)
        elif kind == "noise":
            yield rng.integers(0, 256, last.shape, dtype=np.uint8)
        elif kind == "freeze":
            yield last
        elif kind == "cut":
            yield elsewhere
        else:
            light = abs(2 * (index + 1) / (count + 1) - 1)
            yield (last * max(0.0, 1.5 * light - 0.5)).astype(np.uint8)


class Return(NamedTuple):
    """What a tracker says after an absence.

    Attributes:
        good: Share of the frames in which it is right or says that the target is lost.
        wrong: Most frames in a row in which a wrong box is called tracked.
        right: Whether the last box is right.
    """

    good: float
    wrong: int
    right: bool


def follow_after(
    tracker: Any, pictures: Iterable[np.ndarray], truth: Iterable[np.ndarray]
) -> Return:
    """Track the pictures that come after an absence, and judge each box by the true one."""
    good, wrong, right = [], [0], False
    for picture, box in zip(pictures, truth, strict=True):
        track = tracker.update(picture)
        overlap = float(iou(track.box, box))
        right = overlap > 0.4
        good.append(right or track.state is TrackState.LOST)
        surely_wrong = track.state is TrackState.TRACKED and overlap < 0.2
        wrong.append(wrong[-1] + 1 if surely_wrong else 0)
    return Return(float(np.mean(good)), max(wrong), right)


def main() -> None:
    from starts import changed

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("--model", default="lite")
    parser.add_argument("--change", default="", help="settings, as in starts.py")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--kinds", nargs="*", default=KINDS)
    given = parser.parse_args()
    model = changed(load_model(given.model), given.change)
    sequences = [
        each
        for each in siamtrack.open_dataset(given.data, partial=True)
        if not given.only or each.name in given.only
    ]
    found = defaultdict(list)
    for place, sequence in enumerate(sequences):
        scene, end = sequences[place - 1][0], min(BEFORE + AFTER, len(sequence))
        pictures = [sequence[index] for index in range(end)]
        for redetect in (False, True):
            for kind in given.kinds:
                for count in COUNTS:
                    tracker = SiamTracker(model, redetect=redetect)
                    tracker.init(pictures[0], sequence.boxes[0])
                    for picture in pictures[1:BEFORE]:
                        tracker.update(picture)
                    for picture in absence(kind, count, pictures[BEFORE - 1], scene):
                        tracker.update(picture)
                    back = follow_after(tracker, pictures[BEFORE:], sequence.boxes[BEFORE:end])
                    found[kind, redetect].append((back.good >= 0.9, back.wrong > 5, back.right))
    for (kind, redetect), cases in found.items():
        shares = " / ".join(f"{share:.2f}" for share in np.mean(cases, axis=0))
        print(f"{kind:6} {'with re-detection' if redetect else '':18} {shares}  ({len(cases)})")


if __name__ == "__main__":
    main()
