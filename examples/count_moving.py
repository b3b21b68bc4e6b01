"""Count what crosses a line: a detector now and then, the tracker in between.

The detector finds what changes between two frames of a camera that stands still; yours goes there.

python examples/count_moving.py video.mp4 0.5 [first frame] [frame to stop at]
"""

import sys
from collections import Counter

import cv2
import numpy as np

import siamtrack
from siamtrack.tracking.detections import associate

EVERY, PATIENCE = 3, 2
"""Frames from one run of the detector to the next, and how many of its runs may miss a target."""
LEAST = 0.03
"""Share of the picture that a box must have."""


def detect(before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Return boxes (N, 4) ltwh around what moves."""
    gray = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (before, now)]
    change = cv2.absdiff(*(cv2.GaussianBlur(image, (5, 5), 0) for image in gray))
    mask = (change > 12).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((25, 25), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
    boxes = stats[1:, :4].astype(float)
    return boxes[boxes[:, 2] * boxes[:, 3] > LEAST * mask.size]


def main(source: str, line: str = "0.5", *span: str) -> None:
    start, end = (int(value) for value in span) if span else (0, None)
    tracker, before, tracks = siamtrack.load(), None, []
    side, missed, crossings = {}, Counter(), Counter()
    with siamtrack.open_video(source, start=start, end=end) as video:
        for frame in video:
            place, priors, new = float(line) * frame.image.shape[1], {}, []
            if looked := before is not None and frame.index % EVERY == 0:
                priors, new = associate(tracks, detect(before, frame.image), least=0.2)
            tracks = tracker.update_all(frame.image, priors) if tracker.ids else []
            tracks += [tracker.add(frame.image, box) for box in new]
            for track in tracks:
                now = track.box[0] + track.box[2] / 2 > place
                crossings["right" if now else "left"] += side.setdefault(track.id, now) != now
                side[track.id] = now
                missed[track.id] = 0 if track.id in priors else missed[track.id] + looked
                if missed[track.id] > PATIENCE:
                    tracker.remove(track.id)
            before = frame.image
            moved = f"{crossings['right']} to the right, {crossings['left']} to the left"
            print(f"{frame.index}: {len(tracks)} targets; crossings {moved}")


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 1 else sys.exit(__doc__)
