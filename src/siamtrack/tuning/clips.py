"""What settings are judged by: parts of sequences, each from a start of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from siamtrack.core.boxes import Array
from siamtrack.core.config import shown
from siamtrack.data.sequence import Dataset, Sequence
from siamtrack.evaluation.scores import score_sequence

MOST_STARTS = 100_000


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames `start` to `end` (exclusive) of a sequence; the box in the first is known."""

    sequence: Sequence
    start: int
    end: int

    @property
    def name(self) -> str:
        """Sequence and first frame."""
        return f"{self.sequence.name}@{self.start}"

    @property
    def truth(self) -> Array:
        """True boxes (end - start, 4), ltwh; NaN where there is none."""
        return self.sequence.boxes[self.start : self.end]

    def success(self, boxes: Array) -> float:
        """Return the success AUC of boxes (end - start, 4) found in this clip, in [0, 1]."""
        return score_sequence(self.name, boxes, self.truth).success


def clips_of(sequences: Iterable[Sequence], starts: int, frames: int) -> list[Clip]:
    """Return clips of every sequence, evenly spread.

    One lost target moves the mean of 20 by 0.03, so each sequence is started several times.

    Args:
        sequences: Where to take them from.
        starts: Clips of each; fewer where a sequence has not as many frames with a box.
        frames: Frames of each clip at most.

    Raises:
        ValueError: If either number is too small.
    """
    if not 1 <= starts <= MOST_STARTS or frames < 2:
        raise ValueError(
            f"{shown(starts)} starts of {shown(frames)} frames: expected 1 to {MOST_STARTS} starts "
            "of 2 frames or more"
        )
    clips = []
    for sequence in sequences:
        boxes = sequence.boxes
        known = np.flatnonzero(np.isfinite(boxes).all(1) & (boxes[:, 2:] > 0).all(1))
        known = known[known < len(sequence) - 1] if len(sequence) > 1 else known
        last = max(1, int(len(known) * (1 - 1 / (starts + 1))))
        begins = sorted({int(known[k]) for k in np.linspace(0, last - 1, starts).astype(int)})
        clips += [Clip(sequence, k, min(len(sequence), k + frames)) for k in begins]
    return clips


def split(dataset: Dataset, held_out: str, seed: int = 0) -> tuple[list[Sequence], list[Sequence]]:
    """Return the sequences to tune on, and those held out.

    Args:
        dataset: All sequences.
        held_out: A share of them in (0, 1), drawn by `seed`, or names separated by commas.
        seed: Of the draw.

    Raises:
        ValueError: If one of the two would be empty, or the share is no share.
        UnknownNameError: If there is no such sequence.

    Example:
        >>> from siamtrack.data.sequence import NoFrames
        >>> four = [Sequence(name, NoFrames(1), [[0, 0, 8, 6]]) for name in "abcd"]
        >>> [[each.name for each in part] for part in split(Dataset("four", four), "b,d")]
        [['a', 'c'], ['b', 'd']]
    """
    try:
        share: float | None = float(held_out)
    except ValueError:
        share = None
    if share is None:
        out = {dataset[name.strip()].name for name in held_out.split(",") if name.strip()}
    else:
        if not 0 < share < 1:
            raise ValueError(f"held out {held_out}: expected a share between 0 and 1, or names")
        count = max(1, round(share * len(dataset)))
        drawn = np.random.default_rng(seed).permutation(len(dataset))[:count]
        out = {dataset[int(k)].name for k in drawn}
    kept = [sequence for sequence in dataset if sequence.name not in out]
    if not kept or not out:
        raise ValueError(
            f"held out {held_out!r} of {len(dataset)} sequences leaves {len(kept)} to tune on: "
            "both parts need at least one"
        )
    return kept, [sequence for sequence in dataset if sequence.name in out]
