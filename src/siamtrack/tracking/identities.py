"""Follow targets among detections, and let no other object take their place."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import ArrayLike

from siamtrack.core.boxes import Array, centers, iou
from siamtrack.core.config import check_numbers
from siamtrack.core.images import Image, as_rgb
from siamtrack.core.tracks import Track, TrackState
from siamtrack.tracking.target import Target
from siamtrack.tracking.tracker import SiamTracker

TURN = 0.3
"""Weight of a new step in the velocity of a path."""
AROUND = (0.5, 0.15)
"""Shares of width and height of a box that are looked at on either side of it, for its ground."""
SHRUNK = (32, 48)
"""Width and height of the picture in which colors are counted."""
USUAL = 0.9
"""How much a target looks like itself, before it is known."""
CHANGED = 0.1
"""How much less an object looks like itself than like a target that has taken its path."""
SLOW = 0.01
"""Sizes that a hidden target may have gone in a frame beyond its velocity."""
GROUND = 3.0
"""How much less a color counts in a box that is as frequent around it: a quarter then."""


@dataclass(frozen=True)
class IdentitySettings:
    """When a detection is a target.

    Attributes:
        least: Overlap (IoU) from which a detection is that of a target or an object.
        crowded: Overlap with another object from which a target is not learned from.
        like: How much less than usual a box may look like its target, where another object is near
            or the detector sees nothing; see `likeness`.
        again: How much less than usual a detection may look like a target that was hidden.
        ahead: How much more it has to look like it than every other detection.
        patience: Frames in a row in which it has to.
        learn: Share of a new frame in what a target looks like, while nothing is near it.
        forget: Frames after which an object without a detection is forgotten.
    """

    least: float = 0.3
    crowded: float = 0.1
    like: float = 0.25
    again: float = 0.2
    ahead: float = 0.02
    patience: int = 3
    learn: float = 0.05
    forget: int = 10

    def __post_init__(self) -> None:
        unit = dict.fromkeys(("least", "crowded", "like", "again", "ahead", "learn"), (0, 1))
        check_numbers(self, **unit, forget=(1, 2**31), patience=(1, 2**31))


@dataclass(eq=False)
class _Path:
    """Where something was last, and how it moves; by its detections alone."""

    box: Array
    step: Array = field(default_factory=lambda: np.zeros(2))
    unseen: int = 0
    colors: Array | None = None
    beside: set[int] = field(default_factory=set)
    born: int = 0
    first: Array = field(default_factory=lambda: np.zeros(4))
    claims: dict[int, int] = field(default_factory=dict)

    @property
    def next(self) -> Array:
        """Where it should be now, ltwh (4,)."""
        left, top, width, height = self.box.tolist()
        x, y = (self.step * (self.unseen + 1)).tolist()
        return np.array([left + x, top + y, width, height])

    def moved(self, box: Array) -> None:
        """Take in its next box."""
        step = (centers(box) - centers(self.box)) / (self.unseen + 1)
        self.step = self.step + TURN * (step - self.step)
        self.box, self.unseen = box.copy(), 0


class Identities:
    """Follows targets with a tracker, and checks them against the detections of every frame.

    A detection that fits corrects place and size of its target. Where a target disappears behind
    another object, its box would slip to that one: the detections say that this object was there
    before, so the target is reported lost instead, and is not learned from. It comes back at a
    detection that looks like it for some frames, more than all others do, and that was neither
    there before nor appeared too far away to be it.

    What is near is told apart by its colors. Those who wear the same are not: such a target stays
    lost until a person or `add` says which it is. Frames without detections are tracked as usual,
    so that a detector may run in every n-th frame.

    Args:
        tracker: From `siamtrack.load`, without targets; `add` starts them.
        settings: When a detection is a target.

    Attributes:
        new: Detections (M, 4) of the last frame that belong to no target.

    Raises:
        ValueError: If the tracker has targets already.
    """

    def __init__(self, tracker: SiamTracker, settings: IdentitySettings | None = None) -> None:
        if tracker.ids:
            raise ValueError(
                "the tracker has targets already, and nobody has seen their colors: give a tracker "
                "without any, and start them with `add` of this object"
            )
        self.tracker, self.settings = tracker, settings or IdentitySettings()
        self.new: Array = np.empty((0, 4))
        self._hidden: dict[int, Target] = {}
        self._clear: dict[int, Target] = {}
        self._colors: dict[int, Array] = {}
        self._usual: dict[int, float] = {}
        self._since: dict[int, int] = {}
        self._frames = 0
        self._others: list[_Path] = []
        self._paths: dict[int, _Path] = {}

    @property
    def ids(self) -> list[int]:
        """Ids of all targets, hidden ones included."""
        return sorted({*self.tracker.ids, *self._hidden})

    def add(self, frame: ArrayLike, box: ArrayLike, id: int | None = None) -> Track:
        """Add a target, or start the one with `id` again; see `SiamTracker.add`."""
        track = self.tracker.add(frame, box, id)
        self._hidden.pop(track.id, None)
        self._clear.pop(track.id, None)
        self._paths[track.id] = _Path(track.box.copy())
        self._colors[track.id] = colors(as_rgb(frame), track.box)
        self._usual[track.id] = USUAL
        return track

    def update(self, frame: ArrayLike, boxes: ArrayLike | None = None) -> list[Track]:
        """Find all targets in the next frame.

        Args:
            frame: The next frame, of the size of the first.
            boxes: Detections (N, 4) in it, left, top, width, height; None where the detector did
                not run.

        Returns:
            One track for each target, by their ids.

        Raises:
            ValueError: If frame or boxes do not fit.
        """
        picture = as_rgb(frame)
        self._frames += 1
        # Track: where the targets are without a detector.
        tracks = {track.id: track for track in self._tracked(picture)}
        if boxes is not None:
            given = _checked(boxes)
            # Assign: each detection to the target or the object that it overlaps most.
            owners = self._assigned(tracks, given)
            # Verify: a target keeps a detection only if that looks like it; else it is hidden.
            for number in list(tracks):
                tracks[number] = self._verified(picture, tracks[number], owners, given)
            # Return: hidden targets come back where a detection looks like them.
            seen = [colors(picture, box) for box in given]
            free = self._others_of(given, owners, seen)
            for number in list(self._hidden):
                back = self._found_again(number, seen, free)
                if back is not None:
                    self._others.remove(free.pop(back))
                    tracks[number] = self._started(number, given[back])
            # Remember: what else is there, and what was seen beside which target.
            for index, other in free.items():
                other.beside |= set(owners)
                before = seen[index] if other.colors is None else other.colors
                other.colors = before + self.settings.learn * (seen[index] - before)
            self.new = given[list(free)].copy()
        else:
            for number, track in tracks.items():
                self._paths.setdefault(number, _Path(track.box.copy())).moved(track.box)
        for number, target in self._hidden.items():
            tracks[number] = Track(target.box.copy(), 0.0, TrackState.LOST, number)
        return [tracks[number] for number in sorted(tracks)]

    def _tracked(self, picture: Image) -> list[Track]:
        return self.tracker.update_all(picture) if self.tracker.ids else []

    def _assigned(self, tracks: dict[int, Track], given: Array) -> dict[int, int]:
        """Return the detection of each target; objects that nobody follows keep theirs."""
        targets = [track for track in tracks.values() if track.state is not TrackState.LOST]
        for track in targets:
            self._paths.setdefault(track.id, _Path(track.box.copy()))
        places = [self._paths[track.id].next for track in targets]
        places += [other.next for other in self._others]
        overlaps = np.array([iou(box, given) for box in places]).reshape(len(places), len(given))
        owners: dict[int, int] = {}
        while overlaps.size and overlaps.max() >= self.settings.least:
            row, column = divmod(int(overlaps.argmax()), len(given))
            if row < len(targets):
                owners[targets[row].id] = column
            overlaps[row], overlaps[:, column] = 0, 0
        return owners

    def _verified(
        self, picture: Image, track: Track, owners: dict[int, int], given: Array
    ) -> Track:
        target = self.tracker.target(track.id)
        index = owners.get(track.id)
        near = [given[i] for i in range(len(given)) if i != index]
        crowd = max((float(iou(track.box, box)) for box in near), default=0.0)
        if index is not None:
            near += [other.next for other in self._others]
            closest = max((float(iou(given[index], box)) for box in near), default=0.0)
            crowded = closest > self.settings.crowded
            seen, kept = colors(picture, given[index]), self._colors[track.id]
            alike = likeness(kept, seen)
            if not crowded or alike >= self._usual[track.id] - self.settings.like:
                target.correct(given[index])
                self._paths[track.id].moved(given[index])
                if not crowded:
                    self._clear[track.id] = deepcopy(target)
                    self._colors[track.id] = kept + self.settings.learn * (seen - kept)
                    self._usual[track.id] += (
                        TURN * self.settings.learn * (alike - self._usual[track.id])
                    )
                return replace(track, box=given[index].copy())
            del owners[track.id]
        elif crowd < self.settings.least and track.state is not TrackState.LOST:
            seen = colors(picture, track.box)
            alike = likeness(self._colors[track.id], seen)
            if alike >= self._usual[track.id] - self.settings.like:
                self._paths[track.id].moved(track.box)
                return track  # the detector missed it
        # Hide: another object is where the target seems to be, or it is not to be seen.
        self._hidden[track.id] = deepcopy(self._clear.get(track.id, target))
        self._since[track.id] = self._frames
        self.tracker.remove(track.id)
        return Track(self._hidden[track.id].box.copy(), 0.0, TrackState.LOST, track.id)

    def _found_again(self, number: int, seen: list[Array], free: dict[int, _Path]) -> int | None:
        """Return the detection that is a hidden target; None if none is for sure."""
        if not free:
            return None
        alike = np.array([likeness(self._colors[number], each) for each in seen])
        order = np.argsort(-alike)
        best, ahead = int(order[0]), self.settings.ahead
        second = float(alike[order[1]]) if len(order) > 1 else 0.0
        least = self._usual[number] - self.settings.again
        good = best in free and alike[best] >= least and alike[best] - second >= ahead
        if good and self._is_another(number, free[best]):
            # What cannot be the target, by where it was, is it only if it has changed into it.
            kept = free[best].colors
            good = kept is not None and alike[best] - likeness(kept, seen[best]) >= CHANGED
        for index, other in free.items():
            claims = other.claims.get(number, 0) + 1
            other.claims[number] = claims if good and index == best else 0
        return best if good and free[best].claims[number] >= self.settings.patience else None

    def _is_another(self, number: int, other: _Path) -> bool:
        """Whether an object was beside a hidden target before, or came from too far away."""
        hidden, path = self._hidden[number].box, self._paths[number]
        size = float(np.sqrt(hidden[2] * hidden[3]))
        gone = max(other.born - self._since[number], 0)
        reach = size + gone * (float(np.hypot(*path.step)) + SLOW * size)
        away = float(np.hypot(*(centers(other.first) - centers(hidden))))
        return number in other.beside or other.born < self._since[number] or away > reach

    def _started(self, number: int, box: Array) -> Track:
        target = self._hidden.pop(number)
        target.move(box)
        self.tracker.put(target)
        self._paths[number] = _Path(box.copy())
        return Track(target.box.copy(), 1.0, TrackState.TRACKED, number)

    def _others_of(
        self, given: Array, owners: dict[int, int], seen: list[Array]
    ) -> dict[int, _Path]:
        """Return the detections of no target and the object that each is, by overlap and colors."""
        owned = set(owners.values())
        left = [index for index in range(len(given)) if index not in owned]
        fit = np.zeros((len(self._others), len(given)))
        for row, other in enumerate(self._others):
            overlaps = iou(other.next, given)
            for index in left:
                if overlaps[index] >= self.settings.least:
                    alike = USUAL if other.colors is None else likeness(other.colors, seen[index])
                    fit[row, index] = overlaps[index] * alike
        found: dict[int, _Path] = {}
        others, missed = list(self._others), set(range(len(self._others)))
        while fit.size and fit.max() > 0:
            row, index = divmod(int(fit.argmax()), len(given))
            found[index] = others[row]
            others[row].moved(given[index])
            fit[row], fit[:, index] = 0, 0
            missed.discard(row)
        for index in left:
            if index not in found:
                box = given[index].copy()
                found[index] = _Path(box, born=self._frames, first=box)
                self._others.append(found[index])
        for row in missed:
            others[row].unseen += 1
        self._others = [each for each in self._others if each.unseen <= self.settings.forget]
        return found


def colors(picture: Image, box: Array) -> Array:
    """Return the colors in three bands of a box, from its top to its bottom: histograms (3, 256).

    Four levels of lightness by eight times eight of the two axes of color of CIE Lab. What is in
    the middle counts most, and what stands around the box counts less inside it: the ground is the
    same behind everybody. A band of a box that is not in the picture has zeros.
    """
    height, width = picture.shape[:2]
    margin = np.array(AROUND) * box[2:]
    left, top = np.maximum(box[:2] - margin, 0).round().astype(int)
    right, bottom = np.minimum(box[:2] + box[2:] + margin, (width, height)).round().astype(int)
    if right - left < 3 or bottom - top < 3:
        return np.zeros((3, 256))
    # Shrink: the box and what is around it to a few pixels, each with its place in the box.
    columns, rows = SHRUNK
    patch = cv2.resize(picture[top:bottom, left:right], SHRUNK, interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(patch, cv2.COLOR_RGB2LAB).astype(np.int64)
    side = ((lab[..., 1:] - 64) // 16).clip(0, 7)
    cells = (lab[..., 0] // 64) * 64 + side[..., 0] * 8 + side[..., 1]
    x = (left + (np.arange(columns) + 0.5) * (right - left) / columns - box[0]) / box[2]
    y = (top + (np.arange(rows) + 0.5) * (bottom - top) / rows - box[1]) / box[3]
    across, down = np.abs(2 * x - 1), np.floor(3 * y)
    # Count: the colors around it, and in each band those that are not around it.
    outside = (across > 1)[None, :] | ((y < 0) | (y > 1))[:, None]
    ground = np.bincount(cells[outside], minlength=256) / max(outside.sum(), 1)
    weights = np.where(across < 0.8, 1 - across**2, 0.0)
    found = np.zeros((3, 256))
    for band in range(3):
        inside = cells[down == band]
        counts = np.bincount(
            inside.ravel(), np.broadcast_to(weights, inside.shape).ravel(), minlength=256
        )
        counts = counts / max(counts.sum(), 1e-9)
        counts = counts * counts / (counts + GROUND * ground + 1e-9)
        found[band] = counts / max(counts.sum(), 1e-9)
    return found


def likeness(one: Array, other: Array) -> float:
    """Return how alike two sets of colors are, in [0, 1]: their Bhattacharyya coefficient.

    Example:
        >>> picture = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
        >>> seen = colors(picture, np.array([4.0, 4, 20, 30]))
        >>> round(likeness(seen, seen), 3), likeness(seen, np.zeros((3, 256)))
        (1.0, 0.0)
    """
    return float(np.sqrt(one * other).sum(1).mean())


def _checked(boxes: ArrayLike) -> Array:
    given = np.asarray(boxes, np.float64)
    if given.size == 0:
        given = given.reshape(-1, 4)
    if given.ndim != 2 or given.shape[1] != 4 or not np.isfinite(given).all():
        raise ValueError(
            f"boxes of shape {given.shape}: expected (N, 4), finite numbers, left, top, width and "
            "height"
        )
    if (given[:, 2:] <= 0).any():
        raise ValueError("boxes without an area: drop them")
    return given
