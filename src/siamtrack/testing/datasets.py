"""Checks for data sets of sequences."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np

from siamtrack.testing.base import KINDS, expect, refuses

DATASET = KINDS["data set"]
LOOKED_AT = 3
"""Sequences of which frames are read; all are counted."""


@DATASET.add
def has_a_name_and_sequences(dataset: Any) -> None:
    """It has a name, and as many sequences with different names as it says."""
    expect(isinstance(dataset.name, str) and bool(dataset.name), "expected a name")
    sequences = list(dataset)
    expect(len(sequences) > 0, "expected at least one sequence")
    expect(
        len(dataset) == len(sequences),
        f"len says {len(dataset)} sequences, iteration gives {len(sequences)}",
    )
    names = [sequence.name for sequence in sequences]
    expect(len(set(names)) == len(names), "two sequences have the same name")


@DATASET.add
def finds_sequences(dataset: Any) -> None:
    """Sequences are found by position and by name, and nothing under a name that there is not."""
    first = next(iter(dataset))
    for key in (0, first.name):
        found = dataset[key]
        expect(found.name == first.name, f"[{key!r}] is {found.name!r}, not {first.name!r}")
    refuses(lambda: dataset["no such sequence"], "the name of a sequence that there is not")


@DATASET.add
def has_a_box_for_every_frame(dataset: Any) -> None:
    """Boxes are (N, 4), whole rows of NaN where the target is absent, and one can start."""
    for sequence in dataset:
        boxes = np.asarray(sequence.boxes)
        expect(
            boxes.shape == (len(sequence), 4) and boxes.dtype.kind == "f",
            f"sequence {sequence.name}: boxes {boxes.dtype} of shape {boxes.shape} for "
            f"{len(sequence)} frames: expected floats ({len(sequence)}, 4)",
        )
        absent = np.isnan(boxes)
        expect(
            bool((absent.all(1) == absent.any(1)).all()),
            f"sequence {sequence.name}: a row with some NaN: expected four, or none",
        )
        there = boxes[~absent.any(1)]
        expect(
            len(there) > 0 and bool((there[:, 2:] >= 0).all()),
            f"sequence {sequence.name}: expected boxes left, top, width, height, with width and "
            "height from 0",
        )


@DATASET.add
def has_boxes_in_its_frames(dataset: Any) -> None:
    """Boxes are in pixels of the frames, 0-based."""
    for sequence in _some(dataset):
        height, width = sequence[sequence.init_frame].shape[:2]
        boxes = np.asarray(sequence.boxes)
        boxes = boxes[np.isfinite(boxes).all(1)]
        outside = (boxes[:, :2] >= [width, height]).any(1) | (boxes[:, :2] + boxes[:, 2:] <= 0).any(
            1
        )
        expect(
            float(outside.mean()) < 0.1,
            f"sequence {sequence.name}: {int(outside.sum())} of {len(boxes)} boxes lie outside "
            f"frames of {width}x{height}: boxes are left, top, width, height in pixels",
        )


@DATASET.add
def gives_rgb_frames(dataset: Any) -> None:
    """Frames are uint8 (H, W, 3), as many as there are boxes, and the same by index."""
    for sequence in _some(dataset):
        count = 0
        for index, frame in enumerate(sequence):
            expect(
                frame.dtype == np.uint8 and frame.ndim == 3 and frame.shape[2] == 3,
                f"sequence {sequence.name}, frame {index}: {frame.dtype} of shape {frame.shape}: "
                "expected uint8 (H, W, 3)",
            )
            if index in (0, 1):
                expect(
                    bool(np.array_equal(frame, sequence[index])),
                    f"sequence {sequence.name}: frame {index} differs by index and in order",
                )
            count += 1
        expect(count == len(sequence), f"sequence {sequence.name}: {count} frames in order")


@DATASET.add
def gives_frames_that_may_be_changed(dataset: Any) -> None:
    """Drawing into a frame does not change it for the next reader."""
    for sequence in _some(dataset):
        before = sequence[0].copy()
        picture = sequence[0]
        if picture.flags.writeable:
            picture[:] = 255 - picture
        expect(
            bool(np.array_equal(sequence[0], before)),
            f"sequence {sequence.name}: a change to a frame is there when it is read again: give "
            "a copy, or make the array read-only",
        )


@DATASET.add
def goes_to_other_processes(dataset: Any) -> None:
    """It can be pickled, for `eval --workers`."""
    again = pickle.loads(pickle.dumps(dataset))
    expect(len(again) == len(dataset), "a pickled copy has other sequences")


def _some(dataset: Any) -> list[Any]:
    return [sequence for _, sequence in zip(range(LOOKED_AT), dataset, strict=False)]
