"""Where and from which box a tracker is started: OPE, TRE and SRE.

Paper: Wu et al., Online Object Tracking: A Benchmark, https://doi.org/10.1109/CVPR.2013.312
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from siamtrack.core.boxes import Array, cxcywh_to_ltwh, ltwh_to_cxcywh
from siamtrack.core.registry import Registry
from siamtrack.data.sequence import Sequence

SHIFTS = ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (1, -1), (-1, 1), (1, 1))
SCALES = (0.8, 0.9, 1.1, 1.2)
SEGMENTS = 20
SHORTEST_SEGMENT = 20


@dataclass(frozen=True, eq=False)
class Start:
    """One run of a protocol.

    Args:
        label: Empty if it is the only run, else part of the results' file name.
        frame: First frame; None for the first annotated one and results over the whole sequence.
        box: First box, ltwh in pixels; None for the true one.
    """

    label: str = ""
    frame: int | None = None
    box: Array | None = None

    def rows(self, sequence: Sequence) -> int:
        """Return the number of result rows of this run."""
        return len(sequence) - (self.frame or 0)

    def begin(self, sequence: Sequence) -> tuple[int, Array]:
        """Return the row of the first box among this run's rows, and that box."""
        row = sequence.init_frame if self.frame is None else 0
        return row, self.truth(sequence)[row] if self.box is None else self.box

    def truth(self, sequence: Sequence) -> Array:
        """Return the true boxes of this run's rows."""
        return sequence.boxes[self.frame or 0 :]


PROTOCOLS: Registry[Callable[[Sequence], list[Start]]] = Registry("protocol")


@PROTOCOLS.register("ope")
def one_pass(sequence: Sequence) -> list[Start]:
    """One-pass evaluation: once, from the first annotated frame with the true box."""
    return [Start()]


@PROTOCOLS.register("tre")
def temporal(sequence: Sequence) -> list[Start]:
    """Temporal robustness: from up to 20 frames, evenly spread, each to the end.

    The first run is the whole sequence and the last has 20 frames. A start on a frame without a
    usable box moves to the next one that has one; equal starts are run once.
    """
    boxes = sequence.boxes
    usable = np.asarray(np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1))
    latest = max(sequence.init_frame, len(sequence) - SHORTEST_SEGMENT)
    wanted = np.linspace(sequence.init_frame, latest, SEGMENTS).round().astype(int)
    frames = sorted({int(k + usable[k:].argmax()) for k in wanted if usable[k:].any()})
    return [Start(f"{index:02d}", frame) for index, frame in enumerate(frames)]


@PROTOCOLS.register("sre")
def spatial(sequence: Sequence) -> list[Start]:
    """Spatial robustness: twelve first boxes that are off.

    Eight are shifted by 10 % of the true width or height or both, four have 0.8, 0.9, 1.1 and 1.2
    times its size around the same center.
    """
    true = sequence.boxes[sequence.init_frame]
    shifted = [true + 0.1 * np.array([dx * true[2], dy * true[3], 0, 0]) for dx, dy in SHIFTS]
    scaled = [cxcywh_to_ltwh(ltwh_to_cxcywh(true) * [1, 1, scale, scale]) for scale in SCALES]
    return [Start(f"{index:02d}", None, box) for index, box in enumerate([*shifted, *scaled])]
