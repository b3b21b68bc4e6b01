"""Draw what a tracker sees: template, search window, and the responses of both packaged models.

python docs/figures/search.py
"""

from __future__ import annotations

import cv2
import numpy as np
from common import frames, panels, save, show

import siamtrack
from siamtrack.core.boxes import centers
from siamtrack.tracking.crops import context_side, cut, mean_color, square_window
from siamtrack.tracking.online import cells
from siamtrack.tracking.target import Target

FIRST, LAST, LATER = 112, 122, 132
"""Frames of the template, the last one tracked, and the one that is shown: the target has moved."""
BOX = (385.0, 58.0, 70.0, 80.0)
COLORS = {"box": (255, 200, 0), "template": (80, 255, 80), "search": (255, 255, 255)}


def drawn(picture: np.ndarray, squares: dict[str, tuple[float, float, float, float]]) -> np.ndarray:
    """Copy of a picture with rectangles ltwh."""
    copy = picture.copy()
    for name, (left, top, width, height) in squares.items():
        first, last = (round(left), round(top)), (round(left + width), round(top + height))
        cv2.rectangle(copy, first, last, COLORS[name], 2)
    return copy


def square(box: np.ndarray, side: float) -> tuple[float, float, float, float]:
    """The square of a side around a box, ltwh."""
    cx, cy = centers(box).tolist()
    return cx - side / 2, cy - side / 2, side, side


def main() -> None:
    clip = frames(FIRST, LATER + 1)
    first, later, box = clip[FIRST], clip[LATER], np.array(BOX)
    figure = panels(4, 2, size=(2.4, 2.0))
    axes = figure.axes

    targets = {}
    for name in ("lite", "ciresnet22-slim"):
        tracker = siamtrack.load(name, threads=1, precision="float32")
        target = Target(tracker.model, first, box)
        for index in range(FIRST + 1, LAST + 1):  # so that the classifier has something to say
            windows = target.windows()
            patches = target.patches(clip[index], windows)
            kernels = np.repeat(target.kernel, len(windows), 0)
            target.advance(windows, tracker.model.runtime.respond(kernels, patches))
        targets[name] = target

    side = context_side(*box[2:])
    card = targets["lite"].model.card
    window = square_window(*centers(box), side, card.template)
    template = cut(first, window, mean_color(first))
    show(
        axes[0],
        drawn(first, {"box": tuple(box), "template": square(box, side)}),
        "first frame: box, template window",
    )
    show(axes[1], template, f"template, {card.template} x {card.template}")
    last = targets["lite"].box
    around = square(last, context_side(*last[2:]) * card.search / card.template)
    show(axes[2], drawn(later, {"search": around}), f"{LATER - FIRST} frames later: search window")

    maps, patch = {}, None
    for name, target in targets.items():
        window = target.windows()[len(target.windows()) // 2]
        patch = target.patches(later, [window])
        response = target.model.runtime.respond(target.kernel, patch)
        maps[name] = response.score[0]
        if name == "lite":
            show(axes[3], patch[0], f"search patch, {card.search} x {card.search}")
            seen = cells(response.features[0])
            maps["online"] = target.online.scores(seen)
            maps["both"] = target.online.mix(response.score, [seen])[0]
    titles = {
        "ciresnet22-slim": "SiamFC: cross-correlation",
        "lite": "lite: score of its head",
        "online": "lite: online classifier",
        "both": "lite: both, mixed 7 : 3",
    }
    for place, (name, title) in zip(axes[4:], titles.items(), strict=True):
        show(place, maps[name], f"{title}, {maps[name].shape[0]} x {maps[name].shape[1]}")
    save(figure, "search")


if __name__ == "__main__":
    main()
