"""What cannot be used while training runs: skipped, counted, named; too many is an error."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from siamtrack.errors import DatasetError, ImageError

logger = logging.getLogger(__name__)
T = TypeVar("T")


class Faults:
    """Counts the images that could not be read. Safe to share between threads.

    Args:
        share: Largest share of unreadable images among all that were asked for, in [0, 1].
        least: So many are always forgiven, whatever their share.

    Raises:
        ValueError: If `share` lies outside [0, 1] or `least` is negative.

    Example:
        >>> faults = Faults()
        >>> faults.add("a.jpg", "missing")
        >>> faults.summary()
        '1 of 1 images could not be read: a.jpg (missing)'
    """

    def __init__(self, share: float = 0.01, least: int = 20) -> None:
        if not 0 <= share <= 1 or least < 0:
            raise ValueError(f"share {share} must lie in [0, 1] and least {least} be at least 0")
        self.share, self.least = share, least
        self.bad: dict[str, str] = {}
        self.outside: set[str] = set()
        self.good = 0
        self._lock = threading.Lock()

    def __contains__(self, path: object) -> bool:
        return path in self.bad

    def __len__(self) -> int:
        return len(self.bad)

    def passed(self) -> None:
        """Count an image that was read."""
        with self._lock:
            self.good += 1

    def add(self, path: str, reason: str) -> None:
        """Count and log an image that could not be read; once for each path.

        Raises:
            DatasetError: If there are too many by now.
        """
        with self._lock:
            if path in self.bad:
                return
            self.bad[path] = reason
            bad, asked = len(self.bad), len(self.bad) + self.good
        logger.warning("%s: %s; skipped (%d so far)", path, reason, bad)
        if bad > self.least and bad > self.share * asked:
            raise TooManyFaultsError(
                f"too many images cannot be read: {self.summary()}; allowed are {self.least}, or "
                f"{self.share:.1%} if that is more. Check the data set: siamtrack data check"
            )

    def add_outside(self, path: str) -> None:
        """Count an image with a target outside it: no fault of the image, which others may use."""
        with self._lock:
            if path not in self.outside:
                self.outside.add(path)
                logger.warning("%s: a box outside the image; skipped", path)

    def summary(self, names: int = 3) -> str:
        """Say in one line how many images were skipped, and name the first."""
        first = ", ".join(f"{path} ({reason})" for path, reason in list(self.bad.items())[:names])
        more = f" and {len(self.bad) - names} more" if len(self.bad) > names else ""
        text = f"{len(self.bad)} of {len(self.bad) + self.good} images could not be read"
        text += f": {first}{more}" if first else ""
        if self.outside:
            text += f"; in {len(self.outside)} images, such as {min(self.outside)}, a box lies "
            text += "outside the image"
        return text

    def retry(
        self, make: Callable[[np.random.Generator], T], key: tuple[int, ...], attempts: int = 32
    ) -> T:
        """Make a random sample; where it needs an unreadable image, make another in its place.

        The generator of the first attempt is `default_rng(key)`, that of a later one
        `default_rng((*key, attempt))`: the sample depends on `key` and on the files alone, not on
        who makes it or in what order.

        Args:
            make: Makes a sample from a generator; `ImageError` asks for another attempt.
            key: Seed, epoch and index of the sample, all at least 0.
            attempts: So many times at most.

        Raises:
            DatasetError: If no attempt succeeds, or too many images are unreadable.
        """
        for attempt in range(attempts):
            try:
                return make(np.random.default_rng((*key, attempt) if attempt else key))
            except ImageError as error:
                last = error
        raise TooManyFaultsError(
            f"{attempts} attempts in a row met images that cannot be read, the last: {last}"
        )


class TooManyFaultsError(DatasetError):
    """So many images cannot be read that training on the rest would not be what was asked for."""
