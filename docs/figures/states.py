"""Draw what a score says while a cyclist passes behind a van, for both packaged models.

python docs/figures/states.py
"""

from __future__ import annotations

import numpy as np
from common import Picture, frames, save
from matplotlib.figure import Figure

import siamtrack
from siamtrack.cli.demo import END, START, TARGETS
from siamtrack.sinks.draw import draw_tracks
from siamtrack.tracking.target import Target

SHOWN = (4, 26, 36, 52)


def main() -> None:
    clip = frames(START, END)
    indices = np.arange(START + 1, END)
    tracker = siamtrack.load("lite", threads=1, precision="float32")
    tracker.init(clip[START], TARGETS[0])
    tracks = {index: tracker.update(clip[index]) for index in indices}
    presence = tracker.model.card.tracker.presence

    figure = Figure(figsize=(9, 4.2), layout="constrained")
    grid = figure.add_gridspec(2, len(SHOWN), height_ratios=(1.0, 1.1))
    for column, after in enumerate(SHOWN):
        axes = figure.add_subplot(grid[0, column])
        track = tracks[START + after]
        axes.imshow(draw_tracks(clip[START + after], [track]))
        axes.set_title(f"frame {after}: {track.state.value}, {track.score:.2f}", fontsize=8)
        axes.set_xticks([])
        axes.set_yticks([])

    axes = figure.add_subplot(grid[1, :])
    after = indices - START
    axes.plot(after, [tracks[i].score for i in indices], label="lite: trained score")
    axes.plot(after, highest(clip, indices), label="SiamFC: height of its peak, of the highest")
    axes.axhline(presence.tracked_from, color="gray", linewidth=0.8, linestyle="--")
    axes.axhline(presence.lost_below, color="gray", linewidth=0.8, linestyle=":")
    axes.text(0.3, presence.tracked_from + 0.02, "tracked from here", fontsize=7)
    axes.text(0.3, presence.lost_below - 0.07, "lost below", fontsize=7)
    axes.set(xlabel="frame", ylim=(-0.35, 1.05), xlim=(0, after[-1]))
    axes.legend(fontsize=8, loc="lower right")
    save(figure, "states", quality=60)


def highest(clip: dict[int, Picture], indices: np.ndarray) -> np.ndarray:
    """Height of SiamFC's peak in each frame, as a share of the highest of all."""
    model = siamtrack.load("ciresnet22-slim", threads=1).model
    target, found = Target(model, clip[START], TARGETS[0]), []
    for index in indices:
        windows = target.windows()
        patches = target.patches(clip[index], windows)
        response = model.runtime.respond(np.repeat(target.kernel, len(windows), 0), patches)
        found.append(float(response.score.max()))
        target.advance(windows, response)
    return np.array(found) / max(found)


if __name__ == "__main__":
    main()
