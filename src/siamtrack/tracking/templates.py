"""The templates of one target: the first, and a recent one that helps while it fits badly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from siamtrack.core.images import Image
from siamtrack.core.settings import RecentSettings
from siamtrack.runtimes.base import Floats

UNFAMILIAR = 0.1
"""So far below `familiar` the online classifier says that something else stands in the box."""


@dataclass(frozen=True)
class Look:
    """How a target looked in one frame.

    Attributes:
        patch: Its template window, (T, T, 3).
        size: Width and height of its box as shares of the window's side, (1, 2).
    """

    patch: Image
    size: Floats


class Templates:
    """What a target is compared with.

    The box that a person drew is the only certain one, so the first template stays. A target that
    turns looks less and less like it: then a look from when the target was last surely seen joins
    in, and leaves again when the target has been seen for a while. A look counts only once the
    target was sure in each of the `every` frames after it, since what covers a target comes slowly.

    Args:
        settings: When a recent look joins, and with what share.
        first: Kernel of the first template, (1, ...).

    Attributes:
        kernel: Kernel to compare the next frame with, (1, ...).
    """

    def __init__(self, settings: RecentSettings, first: Floats) -> None:
        self.settings, self.kernel, self._first = settings, first, first
        self._waiting: Look | None = None
        self._recent: Look | None = None
        self._sure_for, self._joined = 0, False
        self._wants_look = self._wants_mix = False

    def saw(self, score: float, familiarity: float) -> bool:
        """Take in what was seen in a frame, and return whether to `renew` what it is compared with.

        Args:
            score: How surely the target was seen, in [0, 1].
            familiarity: How well the online classifier knows what stands in its box.
        """
        settings = self.settings
        self._wants_look = self._wants_mix = False
        # Join: the first template alone no longer finds the target.
        if score < settings.below and not self._joined and self._recent is not None:
            self._joined = self._wants_mix = True
        # Doubt: something may cover the target; the look that waits may show it already.
        if score < settings.sure or familiarity < settings.familiar - UNFAMILIAR:
            self._waiting, self._sure_for = None, 0
            return self._wants_mix
        self._sure_for += 1
        # Leave: try the first template alone.
        if self._joined and self._sure_for >= settings.again:
            self._joined, self.kernel = False, self._first
        # Look: what waited is sure now, and the next one waits.
        if self._sure_for % settings.every == 0 and familiarity >= settings.familiar:
            if self._waiting is not None:
                self._recent, self._wants_mix = self._waiting, self._joined
            self._wants_look = True
        return self._wants_look or self._wants_mix

    def renew(
        self, look: Callable[[], Look], joined: Callable[[Floats, Look], Floats | None]
    ) -> None:
        """Do what the last frame asks for.

        Args:
            look: Cuts the template window of the target out of that frame.
            joined: Joins the first kernel and a look to one kernel; None if that fails.
        """
        if self._wants_mix and self._recent is not None:
            kernel = joined(self._first, self._recent)
            self.kernel = self.kernel if kernel is None else kernel
        if self._wants_look:
            self._waiting = look()
        self._wants_look = self._wants_mix = False
