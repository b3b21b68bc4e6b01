"""Trackers: one target, or many in one batch."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from copy import deepcopy
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike

from siamtrack.core.boundary import surface
from siamtrack.core.boxes import Array, check_box
from siamtrack.core.config import shown
from siamtrack.core.images import Image, as_rgb
from siamtrack.core.tracks import Track, TrackState
from siamtrack.errors import NotInitialisedError
from siamtrack.packages.card import Model
from siamtrack.runtimes.graph import overlapped
from siamtrack.tracking.camera import Camera
from siamtrack.tracking.decode import DECODERS
from siamtrack.tracking.outline import Outliner
from siamtrack.tracking.refine import measured
from siamtrack.tracking.target import Target


class SiamTracker:
    """Follows targets with a Siamese network.

    One target: `init` and `update`. Several: `add`, `remove` and `update_all`, which runs all of
    them through the network in one batch. Frames are RGB of any kind that
    `siamtrack.core.images.as_rgb` takes; boxes are left, top, width, height in pixels, 0-based.

    A copy continues on its own from where the tracker is, with the same network. A pickled tracker
    loads the network again from its files.

    Args:
        model: From `siamtrack.packages.card.load_model`; it may be shared by many trackers.
        redetect: Search more of the frame, a few windows at a time, while a target is lost. Off by
            default, as benchmarks of short-term tracking expect. The size of a target then stays
            as it is where the score is low, whatever `size_floor` says: it may have left, and
            comes back with its size.
        moving_camera: Measure the motion of the whole frame, and look for each target where that
            carries it; for cameras that shake. The settings of a model may ask for it as well.
        outliner: Gives every track that is not lost a mask, from
            `siamtrack.tracking.outline.load_outliner`; None: tracks have no masks, at no cost.

    Raises:
        UnknownNameError: If there is no decoder for the kind of the model.

    Example:
        >>> import numpy as np, siamtrack
        >>> tracker = siamtrack.load()
        >>> picture = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
        >>> tracker.init(picture, (60, 40, 30, 30)).box.tolist()
        [60.0, 40.0, 30.0, 30.0]
        >>> tracker.update(picture).box.shape
        (4,)
    """

    def __init__(
        self,
        model: Model,
        *,
        redetect: bool = False,
        moving_camera: bool = False,
        outliner: Outliner | None = None,
    ) -> None:
        self.model, self.redetect, self.outliner = model, redetect, outliner
        self.name = model.card.name
        DECODERS[model.card.kind]  # an unknown kind is refused here, not at the first frame
        self._targets: dict[int, Target] = {}
        self._next = 0
        measured = moving_camera or model.card.tracker.motion.camera
        self._camera = Camera() if measured else None

    def __copy__(self) -> SiamTracker:
        return deepcopy(self)  # two that share their targets would spoil them

    @property
    def ids(self) -> list[int]:
        """Ids of the targets, in the order in which they were added."""
        return list(self._targets)

    @surface
    def init(self, frame: ArrayLike, box: ArrayLike) -> Track:
        """Forget all targets and start on one, which gets id 0.

        Raises:
            ValueError: If the frame is no picture, or the box cannot start a target in it.
        """
        picture = as_rgb(frame)
        target = Target(self.model, picture, box, redetect=self.redetect)
        self._targets, self._next = {0: target}, 1
        if self._camera is not None:
            self._camera.shift(picture)
        return self._outlined(picture, [_started(target)])[0]

    def clear(self) -> None:
        """Forget all targets."""
        self._targets, self._next = {}, 0

    def update(self, frame: ArrayLike, prior: ArrayLike | None = None) -> Track:
        """Find the only target in the next frame.

        Args:
            frame: The next frame, of the size of the first.
            prior: Where a detector sees the target; it is looked for around there, with that size.

        Raises:
            NotInitialisedError: If there is no target.
            ValueError: If there are several, or frame or prior do not fit.
        """
        if len(self._targets) > 1:
            raise ValueError(
                f"{len(self._targets)} targets: use update_all, which returns them all"
            )
        number = next(iter(self._targets), 0)
        priors = {} if prior is None else {number: prior}
        return self.update_all(frame, priors)[0]

    @surface
    def add(self, frame: ArrayLike, box: ArrayLike, id: int | None = None) -> Track:
        """Add a target at any frame, or start the one with `id` again.

        Args:
            frame: The frame in which `box` is right; its next `update_all` is for the frame after.
            box: The target.
            id: Number of the target; the next free one by default.

        Raises:
            ValueError: If the frame is no picture, the box cannot start a target in it, or `id` is
                no whole number.
        """
        number = self._next if id is None else _whole(id)
        picture = as_rgb(frame)
        target = Target(self.model, picture, box, number, redetect=self.redetect)
        self._targets[number] = target
        self._next = max(self._next, number + 1)
        if self._camera is not None:
            self._camera.shift(picture)
        return self._outlined(picture, [_started(target)])[0]

    def remove(self, id: int) -> None:
        """Drop a target.

        Raises:
            ValueError: If there is none with this id.
        """
        del self._targets[self._known(id)]

    def target(self, id: int) -> Target:
        """Return the state of a target, which advances with every update.

        Raises:
            ValueError: If there is none with this id.
        """
        return self._targets[self._known(id)]

    def put(self, target: Target) -> None:
        """Follow a target that was taken out, or a copy of one, under its own id."""
        self._targets[target.id] = target
        self._next = max(self._next, target.id + 1)

    @surface
    def update_all(
        self, frame: ArrayLike, priors: Mapping[int, ArrayLike] | None = None
    ) -> list[Track]:
        """Find all targets in the next frame; `priors` has boxes of a detector by id.

        The network runs once for all, or, where they are many, for each in the next free thread.

        Returns:
            One track for each target, in the order of `ids`.

        Raises:
            NotInitialisedError: If there is no target.
            ValueError: If frame or priors do not fit; the targets stay as they were.
        """
        if not self._targets:
            raise NotInitialisedError("update before init: call init(frame, box) first")
        # Check the frame and all priors before the first target moves: what is bad moves none.
        picture = as_rgb(frame)
        targets = list(self._targets.values())
        for target in targets:
            target.check_frame(picture)
        moves = self._checked(priors, picture)
        # Camera: where a frame that has shifted carries the targets; priors are from this frame.
        if self._camera is not None:
            shift = self._camera.shift(picture)
            for target in targets:
                target.carry(shift)
        for number, box in moves.items():
            self._targets[number].move(box)
        windows = [target.windows() for target in targets]
        size, count = self.model.card.search, sum(map(len, windows))
        firsts = [0, *itertools.accumulate(map(len, windows))]
        patches = np.empty((count, size, size, 3), np.uint8)
        kernels = [
            t.kernel if len(w) == 1 else np.repeat(t.kernel, len(w), 0)
            for t, w in zip(targets, windows, strict=True)
        ]

        def crop(number: int) -> None:
            rows = patches[firsts[number] : firsts[number + 1]]
            targets[number].patches(picture, windows[number], out=rows)

        # Many targets: while these are cropped and decoded, the network runs in other threads.
        apart = getattr(self.model.runtime, "apart", None)
        shared = None if apart is None else apart(count)
        if shared is not None:
            threads, runtime = shared
            tracks = overlapped(
                crop,
                lambda k: runtime.respond(kernels[k], patches[firsts[k] : firsts[k + 1]]),
                lambda k, response: targets[k].advance(windows[k], response),
                len(targets),
                threads,
            )
        # Few: crop the windows of all into one batch, for which the network runs once.
        else:
            for number in range(len(targets)):
                crop(number)
            kernel = kernels[0] if len(kernels) == 1 else np.concatenate(kernels)
            response = self.model.runtime.respond(kernel, patches)
            # Decode: each target takes its part of the response (`Target.advance`).
            tracks = [
                target.advance(views, response.part(first, len(views)))
                for target, views, first in zip(targets, windows, firsts, strict=False)
            ]
        # Measure: a refiner finds the sides of what was drawn near each box.
        tracks = measured(picture, targets, tracks)
        # Remember: how a target looks now may help while it turns away.
        for target in targets:
            target.renew(picture)
        return self._outlined(picture, tracks)

    def _outlined(self, picture: Image, tracks: list[Track]) -> list[Track]:
        return tracks if self.outliner is None else self.outliner.with_masks(picture, tracks)

    def _checked(self, priors: Mapping[int, ArrayLike] | None, picture: Image) -> dict[int, Array]:
        """Return the priors by id, each a box of the picture."""
        if priors is None:
            return {}
        if not isinstance(priors, Mapping):
            raise ValueError(
                f"priors {shown(priors)}: expected a mapping from id to box, such as "
                "{0: (left, top, width, height)}"
            )
        height, width = picture.shape[:2]
        return {
            self._known(number): check_box(box, width, height) for number, box in priors.items()
        }

    def _known(self, id: int) -> int:
        number = _whole(id)
        if number not in self._targets:
            known = ", ".join(map(str, self._targets)) or "none"
            raise ValueError(f"no target has the id {number}; known: {known}")
        return number


def _whole(id: object) -> int:
    """Return the id of a target as an int; ids are whole numbers of at most 64 bits."""
    if isinstance(id, Integral) and not isinstance(id, bool) and abs(int(id)) < 2**63:
        return int(id)
    raise ValueError(f"id {shown(id)}: expected a whole number of at most 64 bits")


def _started(target: Target) -> Track:
    return Track(target.box.copy(), 1.0, TrackState.TRACKED, target.id)
