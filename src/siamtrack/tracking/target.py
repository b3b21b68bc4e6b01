"""One target between two frames: where to look, and what the response means for its box."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from siamtrack.core.boxes import Array, centres, check_box
from siamtrack.core.images import Image
from siamtrack.core.settings import PresenceSettings
from siamtrack.core.tracks import Track, TrackState
from siamtrack.errors import SiamtrackError, WeightsError
from siamtrack.packages.card import Model
from siamtrack.runtimes.base import Response
from siamtrack.tracking.crops import (
    Window,
    cut,
    mean_color,
    square_window,
    template_side,
    whole_window,
)
from siamtrack.tracking.decode import MOTIONS, Found
from siamtrack.tracking.online import Cells, OnlineClassifier, cells
from siamtrack.tracking.redetect import extra_windows

FIRST_LOOKS = ((0.0, 0.0, 1.0), (0.12, 0.05, 1.0), (-0.1, 0.12, 1.0), (0.05, -0.12, 1.1))
"""Windows of the first frame from which the online classifier learns: shift and factor of side."""
EXTRA_WINDOWS = 3
"""Windows beside the usual one in which a lost target is searched, in each frame."""


class Target:
    """The state of one target. The network knows nothing of it.

    Args:
        model: Network and settings.
        frame: The first picture, uint8 RGB (H, W, 3).
        box: The target in it: left, top, width, height.
        number: Its id.
        redetect: Search more and more of the frame while the target is lost.

    Raises:
        ValueError: If the box cannot start a target in this frame.
    """

    def __init__(
        self,
        model: Model,
        frame: Image,
        box: ArrayLike,
        number: int = 0,
        *,
        redetect: bool = False,
    ) -> None:
        height, width = frame.shape[:2]
        self.id, self.model, self.redetect = number, model, redetect
        self._lost_for = self._gone_for = self._frames = 0
        self.box = check_box(box, width, height)
        self._last_seen = self.box
        self.shape = (height, width)
        self.border = mean_color(frame)
        self._find = MOTIONS[model.card.kind]
        card, settings = model.card, model.card.tracker
        cx, cy = centres(self.box)
        side = template_side(self.box[2], self.box[3], settings.context, settings.area)
        patch = cut(frame, square_window(cx, cy, side, card.template), self.border)
        size = (self.box[2:] / side).astype(np.float32)
        self.kernel = model.runtime.embed(patch[None], size[None])
        if not np.isfinite(self.kernel).all():
            raise SiamtrackError(
                f"model {card.name} gives no finite template for this box: give another box"
            )
        self._online: OnlineClassifier | None = None
        if settings.online.weight > 0 and card.kind == "box":
            self._online = self._first_lesson(frame)

    def _first_lesson(self, frame: Image) -> OnlineClassifier:
        """Learn target against background from a few windows of the first frame."""
        card = self.model.card
        usual = self.windows()[0]
        windows = [
            square_window(
                usual.cx + dx * usual.width, usual.cy + dy * usual.width, factor * usual.width,
                usual.size,
            )
            for dx, dy, factor in FIRST_LOOKS
        ]  # fmt: skip
        kernels = np.repeat(self.kernel, len(windows), 0)
        features = self.model.runtime.respond(kernels, self.patches(frame, windows)).features
        if features is None:
            raise WeightsError(
                f"model {card.name} gives no features to learn from: export it again, or set "
                "online.weight to 0 in its card"
            )
        learner = OnlineClassifier(card.tracker.online, card.stride, card.search)
        for seen, window in enumerate(windows):
            found = cells(features[seen])
            if not found.finite:
                raise SiamtrackError(
                    f"model {card.name} gives no finite features for this box: give another box"
                )
            learner.learn(found, window.to_patch(self.box), share=1 / (seen + 1))
        return learner

    def check_frame(self, frame: Image) -> None:
        """Raise `ValueError` if a frame has another size than the first."""
        if frame.shape[:2] != self.shape:
            rows, columns = frame.shape[:2]
            raise ValueError(
                f"a frame of {columns}x{rows} pixels: target {self.id} was started in frames of "
                f"{self.shape[1]}x{self.shape[0]}; resize the frame, or start the target again"
            )

    def move(self, box: ArrayLike) -> None:
        """Look for the target around `box` next, as a detector or a person gives it.

        Raises:
            ValueError: If the box is no box of the frame.
        """
        self._gone_for = 0
        self.box = self._last_seen = check_box(box, self.shape[1], self.shape[0])

    def windows(self) -> list[Window]:
        """Return the windows to search next: one for each scale, or more to find it again."""
        card, settings = self.model.card, self.model.card.tracker
        left, top, width, height = self.box.tolist()
        cx, cy = left + width / 2, top + height / 2
        side = template_side(width, height, settings.context, settings.area)
        side *= card.search / card.template
        if card.kind != "box":
            count = settings.scales if self._frames % settings.scale_every == 0 else 1
            return [
                square_window(cx, cy, side * settings.scale_step**exponent, card.search)
                for exponent in range(-(count // 2), count - count // 2)
            ]
        windows = [whole_window(cx, cy, side, card.search)]
        turn = self._lost_for - settings.presence.patience
        if self.redetect and turn >= 0:
            windows += extra_windows(windows[0], self.box, self.shape, turn, EXTRA_WINDOWS)
        return windows

    def patches(self, frame: Image, windows: Sequence[Window], out: Image | None = None) -> Image:
        """Cut the windows out of a frame: (len(windows), S, S, 3), written to `out` if given."""
        size = self.model.card.search
        patches = np.empty((len(windows), size, size, 3), np.uint8) if out is None else out
        for patch, window in zip(patches, windows, strict=True):
            cut(frame, window, self.border, out=patch)
        return patches

    def advance(self, windows: Sequence[Window], response: Response) -> Track:
        """Take in what the network says about `windows` and return the new track.

        A response that is not finite leaves the box where it is, with score 0.
        """
        score, presence = 0.0, self.model.card.tracker.presence
        before = self.box
        # Let the online classifier have its say, and read the best box.
        seen = self._seen(response)
        found, where = self._best(windows, self._judged(response, seen))
        if found is not None:
            self.box = self._inside(found)
            score = calibrated(found.presence, presence)
        # Say whether the target is there; what returns after an absence must look familiar.
        state = state_of(score, presence)
        known = found is not None
        if known and seen and (self._is_held or state is TrackState.LOST):  # nobody asks otherwise
            known = self._is_familiar(windows[where], seen[where])
        if self._is_held and not known and state is not TrackState.LOST:
            state, score = TrackState.LOST, min(score, presence.lost_below)
        # Hold the box of a target that is gone, so that it is found again where it left. One that
        # only looks unlike its template is still familiar, and is followed.
        gone = state is TrackState.LOST and not (known and seen and not self._is_held)
        if gone and self._gone_for == 0:
            self._last_seen = before
        self._gone_for = self._gone_for + 1 if gone else 0
        self._lost_for = self._lost_for + 1 if state is TrackState.LOST else 0
        if self._is_held:
            self.box = self._last_seen.copy()
        # Learn from what was surely seen.
        if found is not None and seen and state is not TrackState.LOST:
            self._learn(windows[where], seen[where], found)
        self._frames += 1
        return Track(self.box.copy(), score, state, self.id)

    @property
    def _is_held(self) -> bool:
        """Whether the target is gone for so long that its box is held."""
        hold = self.model.card.tracker.presence.hold
        return 0 < hold <= self._gone_for

    def _is_familiar(self, window: Window, seen: Cells) -> bool:
        """Whether the online classifier knows what stands in the box."""
        if self._online is None:
            return True
        cx, cy = centres(window.to_patch(self.box)).tolist()
        scores, stride = self._online.scores(seen), self.model.card.stride
        rows, columns = scores.shape
        row = round((cy - window.size / 2) / stride + (rows - 1) / 2)
        column = round((cx - window.size / 2) / stride + (columns - 1) / 2)
        near = scores[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        return near.size > 0 and float(near.max()) >= self.model.card.tracker.presence.familiar

    def _seen(self, response: Response) -> list[Cells]:
        """Return what the online classifier sees in each window; nothing where it has no say.

        Features that are not finite would spoil it for good.
        """
        if self._online is None or response.features is None:
            return []
        seen = [cells(each) for each in response.features]
        return seen if all(each.finite for each in seen) else []

    def _judged(self, response: Response, seen: Sequence[Cells]) -> Response:
        """Mix what the online classifier says into the scores."""
        if self._online is None or not seen:
            return response
        weight = self._online.settings.weight
        score = (1 - weight) * response.score
        for index, each in enumerate(seen):
            score[index] += weight * self._online.scores(each)
        return replace(response, score=score)

    def _learn(self, window: Window, seen: Cells, found: Found) -> None:
        """Let the online classifier learn from the window in which the target was surely found."""
        if self._online is None or self._frames % self._online.settings.every:
            return
        if found.score >= self._online.settings.learn_from:
            self._online.learn(seen, window.to_patch(self.box))

    def _best(self, windows: Sequence[Window], response: Response) -> tuple[Found | None, int]:
        """Find the target in the usual windows, or in another one that surely shows it.

        Returns:
            What was found, and in which window: 0 stands for the usual ones.
        """
        card = self.model.card
        usual = 1 if card.kind == "box" else len(windows)
        best, where = self._find(self.box, windows[:usual], response.part(0, usual), card), 0
        for index in range(usual, len(windows)):
            window = windows[index]
            # in the frame of that window, as if the target had last been seen in its middle
            last = np.array([window.cx, window.cy, 0, 0]) + self.box * [0, 0, 1, 1]
            last[:2] -= last[2:] / 2
            other = self._find(last, [window], response.part(index, 1), card)
            sure = card.tracker.presence.tracked_from
            if other is None or calibrated(other.presence, card.tracker.presence) < sure:
                continue
            if best is None or other.presence > best.presence:
                best, where = other, index
        if best is None or not np.isfinite([*best.box, best.presence]).all():
            return None, where
        return best, where

    def _inside(self, found: Found) -> Array:
        """Keep the centre in the frame and the size between the least and the whole frame."""
        height, width = self.shape
        cx, cy = centres(found.box).tolist()
        least = self.model.card.tracker.smallest
        w = _limited(float(found.box[2]), min(least, width), width)
        h = _limited(float(found.box[3]), min(least, height), height)
        cx, cy = _limited(cx, 0, width), _limited(cy, 0, height)
        return np.array([cx - w / 2, cy - h / 2, w, h])


def _limited(value: float, low: float, high: float) -> float:
    """Return what `numpy.clip` would; for single numbers this is many times faster."""
    return min(max(value, low), high)


def calibrated(logit: float, settings: PresenceSettings) -> float:
    """Turn a presence logit into the score in [0, 1].

    Example:
        >>> calibrated(0.0, PresenceSettings())
        0.5
    """
    value = _limited(settings.slope * logit + settings.offset, -60.0, 60.0)
    return 1 / (1 + math.exp(-value))


def state_of(score: float, settings: PresenceSettings) -> TrackState:
    """Return what a score means.

    Example:
        >>> state_of(0.3, PresenceSettings())
        <TrackState.UNCERTAIN: 'uncertain'>
    """
    if score < settings.lost_below:
        return TrackState.LOST
    return TrackState.TRACKED if score >= settings.tracked_from else TrackState.UNCERTAIN
