"""Tracking real sequences with the network as it is: what a loss does not say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from siamtrack.core.images import Image
from siamtrack.data.sequence import Dataset, Frames, Sequence
from siamtrack.evaluation.run import run_tracker
from siamtrack.evaluation.scores import score_sequence
from siamtrack.packages.card import Model
from siamtrack.tracking.tracker import SiamTracker


class FirstFrames:
    """The first frames of a longer series.

    Args:
        frames: The series.
        count: How many to offer.
    """

    def __init__(self, frames: Frames, count: int) -> None:
        self.frames, self.count = frames, min(count, len(frames))
        self.files: tuple[Path, ...] = frames.files[: self.count]

    def missing(self) -> tuple[Path, ...]:
        """Return the files that should be there and are not."""
        return tuple(set(self.frames.missing()) & set(self.files))

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Image:
        return self.frames[range(self.count)[index]]

    def __iter__(self) -> Iterator[Image]:
        return (self[index] for index in range(self.count))


def excerpt(dataset: Dataset, sequences: int, frames: int) -> list[Sequence]:
    """Return the beginnings of some sequences, spread evenly over a data set.

    Args:
        dataset: Where to take them from.
        sequences: How many at most.
        frames: Frames of each at most, counted from its first annotated one.

    Raises:
        ValueError: If either number is below 1.
    """
    if sequences < 1 or frames < 1:
        raise ValueError(f"{sequences} sequences of {frames} frames: expected at least 1 of both")
    count = min(sequences, len(dataset))
    picked = [dataset[int(index)] for index in np.linspace(0, len(dataset) - 1, count).round()]
    short = []
    for sequence in picked:
        length = min(len(sequence), sequence.init_frame + frames)
        part = FirstFrames(sequence.frames, length)
        short.append(Sequence(sequence.name, part, sequence.boxes[:length]))
    return short


def track_sequences(model: Model, sequences: Iterable[Sequence]) -> dict[str, float]:
    """Track each sequence once and return the mean scores.

    Returns:
        `success` (AUC) and `precision` (at 20 px), means over the sequences in [0, 1], and
        `frames`, the number of frames tracked.

    Raises:
        DatasetError: If a frame cannot be read.
    """
    tracker = SiamTracker(model)
    scores = [
        score_sequence(sequence.name, run_tracker(tracker, sequence).boxes, sequence.boxes)
        for sequence in sequences
    ]
    return {
        "success": round(float(np.mean([score.success for score in scores])), 4),
        "precision": round(float(np.mean([score.precision for score in scores])), 4),
        "frames": sum(score.frames for score in scores),
    }
