"""How a response becomes a box: one function for box heads, one for SiamFC's scale pyramid."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from siamtrack.core.boxes import Array, centres
from siamtrack.core.registry import Registry
from siamtrack.runtimes.base import Floats, Response
from siamtrack.tracking.crops import Window
from siamtrack.tracking.response import best_cell, box_at, change_penalty, cosine_window

if TYPE_CHECKING:
    from siamtrack.packages.card import Card


@dataclass(frozen=True, slots=True)
class Found:
    """Where the target was found.

    Attributes:
        box: ltwh (4,) in frame pixels.
        presence: Logit that it is there.
        score: Score of the cell that was chosen.
    """

    box: Array
    presence: float
    score: float = 0.0


Motion = Callable[[Array, Sequence[Window], Response, "Card"], "Found | None"]
MOTIONS: Registry[Motion] = Registry("kind of model")
"""Kind of a model to a function (last box, windows, response, card) -> Found.

None stands for a response that is not finite.
"""


@MOTIONS.register("box")
def best_box(
    last: Array, windows: Sequence[Window], response: Response, card: Card
) -> Found | None:
    """Read the box at the best cell: score times penalty, mixed with the cosine window.

    The size follows slowly where the score is low, as in SiamRPN (Li et al., CVPR 2018), but no
    slower than `size_floor` allows.
    """
    window, settings = windows[0], card.tracker
    if response.distances is None:
        return None
    score, distances = response.score[0], response.distances[0].astype(np.float64)
    with np.errstate(invalid="ignore"):  # infinities of both signs
        # one value that is not finite shows in the sum; of float32 it cannot overflow
        total = score.sum(dtype=np.float64) + distances.sum()
    if not math.isfinite(total):
        return None
    left, top, right, bottom = distances
    width, height = window.to_patch(last)[2:].tolist()
    penalty = change_penalty(left + right, top + bottom, width, height, settings.penalty)
    row, column = best_cell(score * penalty, cosine_window(*score.shape), settings.window)
    box = window.to_frame(box_at(distances, row, column, card.stride, card.search))
    chosen, likely = float(score[row, column]), float(penalty[row, column])
    rate = settings.size_rate * max(chosen, settings.size_floor) * likely
    size = (1 - rate) * last[2:] + rate * box[2:]
    presence = 0.0 if response.presence is None else float(response.presence[0])
    return Found(np.concatenate([centres(box) - size / 2, size]), presence, chosen)


@MOTIONS.register("response")
def best_scale(
    last: Array, windows: Sequence[Window], response: Response, card: Card
) -> Found | None:
    """Read displacement and scale from the responses (S, H, W) of a scale pyramid.

    Bertinetto et al., "Fully-Convolutional Siamese Networks", 2016, section 3.3: the enlarged
    responses compete, other scales are penalised, the winner is mixed with the cosine window.
    """
    settings, maps = card.tracker, response.score
    if not np.isfinite(maps).all():
        return None
    middle = len(windows) // 2
    large = [_enlarged(each, settings.up) for each in maps]
    peaks, lows = (np.array([value(each) for each in large]) for value in (np.max, np.min))
    if not np.isfinite(peaks - lows).all():  # the largest float32 overflow between the cells
        return None
    # a trained bias makes responses negative where nothing fits: a penalty always lowers
    lower = np.where(peaks > 0, settings.penalty, 1 / max(settings.penalty, 1e-6))
    peaks *= np.where(np.arange(len(peaks)) == middle, 1.0, lower)
    best = int(peaks.argmax())
    spread = large[best] - lows[best]
    window = cosine_window(*spread.shape)
    row, column = best_cell(
        spread / max(float(spread.sum()), 1e-12),
        window / max(float(window.sum()), 1e-12),
        settings.window,
    )
    step = card.stride / settings.up
    rows, columns = spread.shape
    view = windows[best]
    offset = np.array([column - (columns - 1) / 2, row - (rows - 1) / 2]) * step
    centre = centres(last) + offset * view.width / view.size
    factor = view.width / windows[middle].width
    rate = settings.size_rate
    size = last[2:] * ((1 - rate) + rate * factor)
    peak = float(maps[best].max())
    return Found(np.concatenate([centre - size / 2, size]), peak)


def _enlarged(response: Floats, up: int) -> Array:
    size = (response.shape[1] * up, response.shape[0] * up)
    return np.asarray(cv2.resize(response, size, interpolation=cv2.INTER_CUBIC), dtype=np.float64)
