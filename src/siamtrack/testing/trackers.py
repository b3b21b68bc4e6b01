"""Checks for anything with `init` and `update`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from siamtrack.core.boxes import Array, iou
from siamtrack.core.images import Image
from siamtrack.testing.base import KINDS, expect

TRACKER = KINDS["tracker"]
Make = Callable[[], Any]
START = (60.0, 50.0, 36.0, 30.0)
"""The target in the first frame of `walk`."""


def texture(seed: int, height: int, width: int, grain: int) -> Image:
    """Return smooth random colors (height, width, 3)."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (height // grain + 2, width // grain + 2, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def walk(frames: int = 6, step: float = 2.0) -> tuple[list[Image], list[Array]]:
    """Return frames in which a textured target moves, and its boxes."""
    ground, target = texture(1, 160, 220, 40) // 3 + 60, texture(2, 30, 36, 8)
    pictures, boxes = [], []
    for index in range(frames):
        left, top = round(START[0] + step * index), round(START[1] + step * index / 2)
        picture = ground.copy()
        picture[top : top + 30, left : left + 36] = target
        pictures.append(picture)
        boxes.append(np.array([left, top, 36.0, 30.0]))
    return pictures, boxes


def _followed(tracker: Any, frames: list[Image], box: Any = START) -> NDArray[np.float64]:
    tracker.init(frames[0], box)
    return np.array([_box(tracker.update(frame)) for frame in frames[1:]])


def _box(estimate: Any) -> Array:
    expect(
        hasattr(estimate, "box") and hasattr(estimate, "score"),
        f"update returned {type(estimate).__name__}: expected an object with box and score, such "
        "as siamtrack.core.tracks.Seen",
    )
    box = np.asarray(estimate.box, np.float64)
    expect(
        box.shape == (4,) and bool(np.isfinite(box).all()),
        f"update returned the box {box.tolist()}: expected four finite numbers, left, top, width "
        "and height",
    )
    expect(bool((box[2:] > 0).all()), f"update returned the box {box.tolist()}, which has no area")
    expect(
        bool(np.isfinite(float(estimate.score))),
        f"update returned the score {estimate.score}: expected a finite number",
    )
    return box


@TRACKER.add
def returns_boxes_and_scores(make: Make) -> None:
    """`update` returns four finite numbers with an area, and a finite score."""
    _followed(make(), walk()[0])


@TRACKER.add
def follows_a_target(make: Make) -> None:
    """A textured target that moves by two pixels a frame is not lost."""
    frames, boxes = walk(12)
    last = _followed(make(), frames)[-1]
    overlap = float(iou(last, boxes[-1]))
    expect(
        overlap > 0.3,
        f"the box after eleven frames is {last.round(1).tolist()}, the target is at "
        f"{boxes[-1].tolist()}: boxes are left, top, width, height in pixels, 0-based",
    )


@TRACKER.add
def takes_boxes_of_any_type(make: Make) -> None:
    """Tuple, list and float32 array start a tracker alike."""
    frames, _ = walk(4)
    first = _followed(make(), frames, START)
    for box in (list(START), np.array(START, np.float32)):
        found = _followed(make(), frames, box)
        expect(
            np.allclose(found, first, atol=0.01),
            f"results differ if the first box is a {type(box).__name__}: convert it with "
            "numpy.asarray(box, float)",
        )


@TRACKER.add
def changes_no_input(make: Make) -> None:
    """Frames and the first box belong to the caller."""
    frames, _ = walk(4)
    kept, box = [frame.copy() for frame in frames], np.array(START)
    _followed(make(), frames, box)
    same = all(np.array_equal(a, b) for a, b in zip(frames, kept, strict=True))
    expect(same, "a frame was changed: work on a copy")
    expect(bool((box == START).all()), "the first box was changed: work on a copy")


@TRACKER.add
def keeps_what_it_returned(make: Make) -> None:
    """A box that was returned stays as it is when the next frame comes."""
    frames, _ = walk()
    tracker = make()
    tracker.init(frames[0], START)
    estimates = [tracker.update(frame) for frame in frames[1:3]]
    before = [_box(each).copy() for each in estimates]
    tracker.update(frames[3])
    after = [_box(each) for each in estimates]
    expect(
        bool(np.array_equal(before, after)),
        "a box that was returned changed with the next frame: return a copy",
    )


@TRACKER.add
def gives_the_same_results_twice(make: Make) -> None:
    """Two runs on the same frames agree to the digit."""
    frames, _ = walk()
    expect(
        bool(np.array_equal(_followed(make(), frames), _followed(make(), frames))),
        "two runs differ: seed what is random, in init",
    )


@TRACKER.add
def starts_again(make: Make) -> None:
    """`init` forgets what was before, frames of another size included."""
    frames, _ = walk()
    used = make()
    large = [np.asarray(cv2.resize(each, None, fx=1.5, fy=1.5), np.uint8) for each in frames]
    _followed(used, large, np.array(START) * 1.5)
    expect(
        bool(np.array_equal(_followed(used, frames), _followed(make(), frames))),
        "results after a second init differ from those of a new tracker: reset all state in init",
    )


@TRACKER.add
def shares_no_state(make: Make) -> None:
    """Two trackers that run in turn do not disturb each other."""
    frames, _ = walk()
    alone = _followed(make(), frames)
    one, other = make(), make()
    one.init(frames[0], START)
    other.init(frames[-1], (10.0, 10.0, 50.0, 20.0))
    found = []
    for frame in frames[1:]:
        found.append(_box(one.update(frame)))
        other.update(frame)
    expect(
        bool(np.array_equal(found, alone)),
        "results change if a second tracker runs: keep state in the object, not in the class or "
        "module",
    )


@TRACKER.add
def survives_blank_frames(make: Make) -> None:
    """Pictures without any texture, as between scenes, end nothing."""
    frames, _ = walk(2)
    _followed(make(), [*frames, *[np.full_like(frames[0], level) for level in (0, 255, 128)]])


@TRACKER.add
def takes_or_refuses_odd_boxes(make: Make) -> None:
    """Boxes of a pixel and across the border start a tracker, or are refused by ValueError."""
    frames, _ = walk(3)
    for box in ((80.0, 60.0, 1.0, 1.0), (-10.0, -8.0, 30.0, 26.0), (0.0, 0.0, 220.0, 160.0)):
        tracker = make()
        try:
            tracker.init(frames[0], box)
        except ValueError:
            continue
        for frame in frames[1:]:
            _box(tracker.update(frame))
