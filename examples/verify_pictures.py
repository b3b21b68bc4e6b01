"""Do two pictures show the same object? Each is cut close around it.

python examples/verify_pictures.py first.jpg second.jpg

The score is what the tracker says of each when it was started on the other: near 1 for the same
object, near 0 for another. It knows likeness, not identity: two red cars of one make are the same.
"""

import sys

import cv2
import numpy as np

import siamtrack
from siamtrack.core.images import as_rgb

SIDE = 96
"""Square root of the object's area, pixels, in a picture four times as wide."""


def centered(picture: np.ndarray) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """Put a picture in the middle of a larger one of its mean color, and return its box there."""
    scale = SIDE / np.sqrt(picture.shape[0] * picture.shape[1])
    width, height = (max(2, round(side * scale)) for side in picture.shape[1::-1])
    width, height = min(width, 4 * SIDE), min(height, 4 * SIDE)
    canvas = np.full((4 * SIDE, 4 * SIDE, 3), picture.mean(axis=(0, 1)), np.uint8)
    left, top = 2 * SIDE - width // 2, 2 * SIDE - height // 2
    canvas[top : top + height, left : left + width] = cv2.resize(
        picture, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    return canvas, (left, top, width, height)


def same(tracker: siamtrack.SiamTracker, first: np.ndarray, second: np.ndarray) -> float:
    scores = []
    for one, other in ((first, second), (second, first)):
        picture, box = centered(one)
        tracker.init(picture, box)
        scores.append(tracker.update(centered(other)[0]).score)
    return sum(scores) / 2


def main(*files: str) -> None:
    if len(pictures := [cv2.imread(file) for file in files]) != 2 or any(
        p is None for p in pictures
    ):
        sys.exit(f"expected two pictures that can be read, got {' '.join(files)}")
    first, second = (as_rgb(picture[..., ::-1]) for picture in pictures)
    score = same(siamtrack.load(), first, second)
    verdict = (
        "the same object" if score >= 0.9 else "unsure" if score >= 0.5 else "different objects"
    )
    print(f"{score:.3f}: {verdict}")


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 2 else sys.exit(__doc__)
