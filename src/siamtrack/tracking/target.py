"""One target between two frames: where to look, what the response means, and how it moves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from siamtrack.core.boxes import Array, centers, check_box
from siamtrack.core.images import Image
from siamtrack.core.settings import MotionSettings
from siamtrack.core.tracks import Track, TrackState
from siamtrack.errors import SiamtrackError, WeightsError
from siamtrack.packages.card import REFINER, Model
from siamtrack.runtimes.base import Floats, Response
from siamtrack.tracking.crops import Window, cut, mean_color, square_window, template_side
from siamtrack.tracking.decode import DECODERS, Detection, Expectation, Map
from siamtrack.tracking.online import Cells, OnlineClassifier, aligned, cells
from siamtrack.tracking.refine import Refiner, renewed
from siamtrack.tracking.templates import Look, Templates

FIRST_LOOKS = ((0.0, 0.0, 1.0), (0.12, 0.05, 1.0), (-0.1, 0.12, 1.0), (0.05, -0.12, 1.1))
"""Windows of the first frame from which the online classifier learns: shift and factor of side."""
FIRST_PACE = 0.3
"""Pace of a target of which nothing is known, in its own sizes a frame."""
FASTER, SLOWER = 0.3, 0.1
"""Weight of a new frame in the pace: a target that speeds up is believed at once."""
TURN = 0.4
"""Weight of a new frame in the velocity."""
MOST = 2.0
"""No spread and no pace is larger: the search window ends there."""
KNOWN_AFTER = 3
"""Frames after which the motion is known well enough to expect anything."""
FORGET = 0.95
"""Weight of what is known of camera and target together, from frame to frame."""
DOUBT = 0.02
"""Shake of the camera, squared and in sizes of the target, that it takes to believe in its part."""
LEAST_CARRY = 0.2
"""Share of the target's size below which no box is carried: the search window covers it."""
LIKELY = 4.0
"""Shakes larger than so many times their usual size are taken for a cut, and carry nothing."""


class Target:
    """The state of one target. The network knows nothing of it.

    Attributes:
        box: Where it is: ltwh (4,).
        templates: What it is compared with, and what becomes of that.
        motion: How it has moved so far.
        wants_frame: Whether `renew` is to be called with the frame of the last `advance`.
        wants_measure: Whether `siamtrack.tracking.refine.measured` is to be called with that frame.
        wants_memory: Whether `remember` is to be called with the cells of the box returned last.
        memory: What the refiner remembers of the first frame and of recent ones, (1, ...); None if
            the settings do not ask for one.
        online: Tells it from its background; None if the model or its settings use no classifier.

    Raises:
        ValueError: If the box cannot start a target in this frame.
        UnknownNameError: If there is no decoder for the kind of the model.
        WeightsError: If the settings ask for a refiner that the model has not.
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
        card, self.settings = model.card, model.card.tracker
        self.id, self.model = number, model
        self.decoder = DECODERS[card.kind](card, redetect=redetect)
        self.shape = (height, width)
        self.box = check_box(box, width, height)
        self._last_seen = self.box
        self._lost_for = self._gone_for = self._frames = 0
        self.wants_frame = self.wants_measure = self.wants_memory = False
        self.motion = Motion(self.settings.motion)
        # Embed the first template.
        self.border = mean_color(frame)
        kernel = self._embed(self._look(frame))
        if not np.isfinite(kernel).all():
            raise SiamtrackError(
                f"model {card.name} gives no finite template for this box: give another box"
            )
        self.templates = Templates(self.settings.recent, kernel)
        # Learn how it differs from what is around it.
        self.online: OnlineClassifier | None = None
        if self.settings.online.weight > 0 and self.decoder.learns:
            self.online = self._first_lesson(frame)
        # Remember what was drawn.
        self.memory: Floats | None = None
        if self.settings.refine.on:
            if model.refiner is None:
                raise WeightsError(
                    f"model {card.name} has no refiner: add {' and '.join(REFINER)} to its folder, "
                    "or take refine out of the settings in its card"
                )
            cells = Refiner(model.refiner).remember(frame, [self.box], [self.border])
            # Frames that are not there yet are copies of the first.
            self.memory = np.concatenate([cells] * (1 + self.settings.refine.keep), axis=1)

    @property
    def kernel(self) -> Floats:
        """Its template as the network embeds it, (1, ...)."""
        return self.templates.kernel

    def _look(self, frame: Image) -> Look:
        """Cut the template window of the target out of a frame."""
        cx, cy = centers(self.box)
        side = template_side(self.box[2], self.box[3], self.settings.context, self.settings.area)
        patch = cut(frame, square_window(cx, cy, side, self.model.card.template), self.border)
        return Look(patch, (self.box[2:] / side).astype(np.float32))

    def _embed(self, look: Look) -> Floats:
        return self.model.runtime.embed(look.patch[None], look.size[None])

    def _joined(self, first: Floats, look: Look) -> Floats | None:
        """Join the kernels of the first template and of a recent look; None if it has no kernel."""
        recent = self._embed(look)
        if not np.isfinite(recent).all():
            return None
        return self.decoder.mixed(first, recent, self.settings.recent.share)

    def _first_lesson(self, frame: Image) -> OnlineClassifier:
        """Learn target against background from a few windows of the first frame."""
        card = self.model.card
        around = self.windows()
        usual, windows = around[len(around) // 2], []
        for dx, dy, factor in FIRST_LOOKS:
            cx, cy = usual.cx + dx * usual.width, usual.cy + dy * usual.width
            windows.append(square_window(cx, cy, factor * usual.width, usual.size))
        kernels = np.repeat(self.kernel, len(windows), 0)
        response = self.model.runtime.respond(kernels, self.patches(frame, windows))
        if response.features is None:
            raise WeightsError(
                f"model {card.name} gives no features to learn from: export it again, or set "
                "online.weight to 0 in its card"
            )
        online = OnlineClassifier(self.settings.online, card.stride, card.search)
        features = aligned(response.features, response.score.shape[-2:])
        for count, (feature, window) in enumerate(zip(features, windows, strict=True), start=1):
            seen = cells(feature)
            if not seen.finite:
                raise SiamtrackError(
                    f"model {card.name} gives no finite features for this box: give another box"
                )
            online.learn(seen, window.to_patch(self.box), share=1 / count)
        return online

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
        self.motion = Motion(self.settings.motion)
        self.box = self._last_seen = check_box(box, self.shape[1], self.shape[0])

    def correct(self, box: ArrayLike) -> None:
        """Take place and size of a target that is followed from `box`; its motion continues.

        Raises:
            ValueError: If the box is no box of the frame.
        """
        self.box = self._last_seen = check_box(box, self.shape[1], self.shape[0])

    def carry(self, shift: Array | None) -> None:
        """Move the box with the frame, as far as this target has moved with it before.

        Args:
            shift: From `Camera.shift`, (2,) in frame pixels; None: nobody knows.
        """
        carried = self.motion.carried(shift, self.box)
        if self._lost_for == 0 and carried.any():
            self.box = self._inside(self.box + np.array([*carried, 0.0, 0.0]))

    def windows(self) -> list[Window]:
        """Return the windows to search next; see `Decoder.windows`."""
        return self.decoder.windows(self.box, self.shape, self._frames, self._lost_for)

    def patches(self, frame: Image, windows: Sequence[Window], out: Image | None = None) -> Image:
        """Cut the windows out of a frame: (len(windows), S, S, 3), written to `out` if given."""
        size = self.model.card.search
        patches = np.empty((len(windows), size, size, 3), np.uint8) if out is None else out
        for patch, window in zip(patches, windows, strict=True):
            cut(frame, window, self.border, out=patch)
        return patches

    def renew(self, frame: Image) -> None:
        """Renew its templates from the frame of the last `advance`, if that `wants_frame`."""
        if self.wants_frame:
            self.templates.renew(lambda: self._look(frame), self._joined)
            self.wants_frame = False

    def advance(self, windows: Sequence[Window], response: Response) -> Track:
        """Take in what the network says about `windows` and return the new track.

        A response that is not finite leaves the box where it is, with score 0.
        """
        before, presence, score = self.box, self.settings.presence, 0.0
        # Classifier: mix what it says into the scores of the network.
        seen, said = self._cells(response), None
        if self.online is not None and seen:
            low, span = self.decoder.span(response.score)
            said = [self.online.scores(each) for each in seen]
            mixed = self.online.mix((response.score - low) / span, seen, said)
            response = replace(response, score=low + span * mixed)
        # Decode: the best box, and how sure the network is that it shows the target.
        expected = self.motion.expected() if self._lost_for == 0 else None
        found = self.decoder.decode(self.box, windows, response, expected)
        if found and not all(map(math.isfinite, (*found.box.tolist(), found.presence))):
            found = None
        if found is not None:
            self.box = self._inside(found.box)
            score = presence.score(found.presence)
        # State: a low score is a lost target; one that was gone must look familiar to be back.
        state, was_held = presence.state(score), self._is_held
        known = found is not None
        if found is not None and seen and (was_held or state is TrackState.LOST):
            known = self._familiarity(windows, seen, said, found) >= presence.familiar
        if was_held and not known and state is not TrackState.LOST:
            state, score = TrackState.LOST, min(score, presence.lost_below)
        self._lost_for = self._lost_for + 1 if state is TrackState.LOST else 0
        # Hold: the box of a target that is gone stays where it was last seen. One that only looks
        # unlike its template is still familiar, and is followed.
        only_changed = known and bool(seen) and not was_held
        gone = state is TrackState.LOST and not only_changed
        if gone and self._gone_for == 0:
            self._last_seen = before
        self._gone_for = self._gone_for + 1 if gone else 0
        if self._is_held:
            self.box = self._last_seen.copy()
        # Motion: what is followed tells where it will be.
        if found is not None and state is not TrackState.LOST:
            self.motion.moved(before, self.box)
        else:
            self.motion.lost()
        # Learn: from what was surely seen.
        if found is not None and seen and state is not TrackState.LOST:
            learned = self._learn(windows[found.window], seen[found.window], found)
            said = None if learned else said  # it would say something else now
        # Templates: when the first fits badly, a recent one joins.
        if seen and self.settings.recent.share > 0:
            familiarity = self._familiarity(windows, seen, said, found)
            self.wants_frame = self.templates.saw(score, familiarity)
        # Measure: the refiner corrects the box, from the next step on (`corrected`).
        self.wants_measure = self.memory is not None and not self._is_held
        self._frames += 1
        return Track(self.box.copy(), score, state, self.id)

    def corrected(self, track: Track, box: Array) -> Track:
        """Return the last track with its share of a box (4,) ltwh that was measured anew.

        The box of the target itself keeps its center, and its size as far as `feed` says: what is
        fed back turns small errors into large ones.
        """
        settings = self.settings.refine
        self.wants_measure = self.wants_memory = False
        if not np.isfinite(box).all() or box[2] <= 0 or box[3] <= 0:
            return track
        is_due = settings.keep > 0 and self._frames % settings.every == 0
        self.wants_memory = is_due and track.score >= settings.sure
        share = settings.share(track.score)
        found = replace(track, box=self._inside(self.box + share * (box - self.box)))
        if settings.feed > 0:
            share, center = settings.feed * track.score, centers(self.box)
            size = self.box[2:] ** (1 - share) * box[2:] ** share
            self.box = self._inside(np.concatenate([center - size / 2, size]))
        return found

    def remember(self, cells: Floats) -> None:
        """Remember the cells (1, ...) of the box returned last in place of the oldest ones."""
        self.wants_memory = False
        if self.memory is not None and np.isfinite(cells).all():
            self.memory = renewed(self.memory, cells)

    @property
    def _is_held(self) -> bool:
        """Whether the target is gone for so long that its box is held."""
        return 0 < self.settings.presence.hold <= self._gone_for

    def _cells(self, response: Response) -> list[Cells]:
        """Return what the online classifier sees in each window; nothing where it has no say.

        Features that are not finite would spoil it for good.
        """
        if self.online is None or response.features is None:
            return []
        features = aligned(response.features, response.score.shape[-2:])
        seen = [cells(each) for each in features]
        return seen if all(each.finite for each in seen) else []

    def _familiarity(
        self,
        windows: Sequence[Window],
        seen: Sequence[Cells],
        said: Sequence[Map] | None,
        found: Detection | None,
    ) -> float:
        """Return how well the online classifier knows what stands in the box, about [0, 1]."""
        if found is None:
            return 0.0
        if self.online is None:
            return 1.0
        number = found.window
        left, top, width, height = windows[number].sides_in_patch(*self.box.tolist())
        place = left + width / 2, top + height / 2
        return self.online.familiarity(seen[number], *place, None if said is None else said[number])

    def _learn(self, window: Window, seen: Cells, found: Detection) -> bool:
        """Let the online classifier learn from the window in which the target was surely found.

        Returns:
            Whether it has learned.
        """
        if self.online is None or self._frames % self.settings.online.every:
            return False
        if found.score < self.settings.online.learn_from:
            return False
        self.online.learn(seen, window.to_patch(self.box))
        return True

    def _inside(self, box: Array) -> Array:
        """Keep the center in the frame and the size between the least and the whole frame."""
        height, width = self.shape
        left, top, w, h = box.tolist()
        cx, cy = _limited(left + w / 2, 0, width), _limited(top + h / 2, 0, height)
        least = self.settings.smallest
        w = _limited(w, min(least, width), width)
        h = _limited(h, min(least, height), height)
        return np.array([cx - w / 2, cy - h / 2, w, h])


def _limited(value: float, low: float, high: float) -> float:
    """Return what `numpy.clip` would; for single numbers this is many times faster."""
    return min(max(value, low), high)


class Motion:
    """Velocity and pace of one target, learned while it is followed.

    Look-alikes stand beside the target; it does not jump to them, unless it jumps anyway. The pace
    is how far it was from where it was expected: small for a walker seen from a tripod, large where
    the camera shakes, so that a steady target is held firmly and a restless one loosely.

    Where the camera's motion is measured, its part in the steps of the target is learned, too: one
    in the street moves with a picture that shakes, one that the camera follows does not.
    """

    def __init__(self, settings: MotionSettings) -> None:
        self.settings = settings
        self._pace, self._velocity, self._frames = FIRST_PACE, (0.0, 0.0), 0
        self._camera, self._shake, self._carried = np.zeros(2), np.zeros(2), np.zeros(2)
        self._is_shaken = False
        self._together = self._alone = 0.0

    def expected(self) -> Expectation | None:
        """Return where the target should be next; None where nobody can say."""
        settings = self.settings
        if settings.weight == 0 or self._frames < KNOWN_AFTER:
            return None
        spread = min(max(settings.spread, settings.reach * self._pace), MOST)
        x, y = self._velocity
        return Expectation(np.array([settings.follow * x, settings.follow * y]), spread)

    def carried(self, shift: Array | None, box: Array) -> Array:
        """Return how far the frame's own motion carries a target (2,), beyond its velocity.

        What lasts of the camera's motion is in the velocity; the rest is its shake.
        """
        self._shake, self._carried, self._is_shaken = np.zeros(2), np.zeros(2), False
        if shift is None:
            return self._carried
        self._shake = shift - self.settings.follow * self._camera
        self._is_shaken = bool(self._shake.any())
        self._camera = self._camera + TURN * (shift - self._camera)
        area = float(box[2] * box[3])
        share = _limited(self._together / (self._alone + DOUBT * area), 0, 1)
        squared = float(self._shake @ self._shake)
        is_likely = squared <= LIKELY**2 * (1 - FORGET) * self._alone
        if is_likely and share**2 * squared >= LEAST_CARRY**2 * area:
            self._carried = share * self._shake
        return self._carried

    def moved(self, before: Array, now: Array) -> None:
        """Take in a step of a target that is followed, from one box ltwh (4,) to the next.

        `before` is where its last box was carried to.
        """
        follow = self.settings.follow
        if self.settings.weight == 0 and not self._is_shaken:
            return  # nobody asks
        # Plain numbers: after the network, each call of NumPy takes a few microseconds.
        (left, top, w, h), (old_left, old_top, old_w, old_h) = now.tolist(), before.tolist()
        x, y = left + w / 2 - (old_left + old_w / 2), top + h / 2 - (old_top + old_h / 2)
        beside = x - follow * self._velocity[0], y - follow * self._velocity[1]
        pace = min(float(np.hypot(*beside)) / math.sqrt(old_w * old_h), MOST)
        self._pace += (FASTER if pace > self._pace else SLOWER) * (pace - self._pace)
        self._together, self._alone = FORGET * self._together, FORGET * self._alone
        if self._is_shaken:
            self._together += float((np.array(beside) + self._carried) @ self._shake)
            self._alone += float(self._shake @ self._shake)
            x, y = x + float(self._carried[0]), y + float(self._carried[1])
        vx, vy = self._velocity
        self._velocity = vx + TURN * (x - vx), vy + TURN * (y - vy)
        self._frames += 1

    def lost(self) -> None:
        """Expect a target that is not to be seen where it was seen last."""
        self._velocity = (0.0, 0.0)
        self._frames += 1
