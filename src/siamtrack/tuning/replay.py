"""Track a clip with any settings, asking the network only about windows not seen before.

Which windows a tracker searches depends on its settings, so no two runs ask for the same ones. Here
the search window is moved to the nearest of a grid of places and sizes before it is cut. That is a
tracker of its own, exact in every other respect: the response belongs to the moved window, and
boxes are read relative to it. How far its scores are from those of the real one is measured
(`benchmarks/tuning_cache.py`), and the chosen settings are judged by the real one.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from siamtrack.core.boxes import Array
from siamtrack.core.images import Image
from siamtrack.core.settings import TrackerSettings
from siamtrack.packages.card import Model
from siamtrack.runtimes.base import Floats, Response, Runtime
from siamtrack.tracking.crops import Window, square_window
from siamtrack.tracking.target import Target
from siamtrack.tuning.clips import Clip
from siamtrack.tuning.responses import ResponseStore

FRAMES, STARTS = 48, 512
T = TypeVar("T")


@dataclass(frozen=True)
class Grid:
    """Where search windows may lie.

    Attributes:
        places: Steps of the centre along a side of the window; 0: anywhere.
        sizes: Sizes of the window between one and the double of it; 0: any.
    """

    places: int = 48
    sizes: int = 16

    def __post_init__(self) -> None:
        if self.places < 0 or self.sizes < 0:
            raise ValueError(f"{self}: expected numbers of steps, 0 or more")

    def nearest(self, windows: Sequence[Window]) -> list[Window]:
        """Return windows moved together: the middle one on the grid, the others relative to it.

        Example:
            >>> [one] = Grid(places=4, sizes=1).nearest([Window(13.0, 2.0, 60.0, 60.0, 255)])
            >>> one.cx, one.cy, one.width
            (16.0, 0.0, 64.0)
        """
        middle = windows[len(windows) // 2]
        side, cx, cy = middle.width, middle.cx, middle.cy
        if self.sizes:
            side = 2 ** (round(math.log2(side) * self.sizes) / self.sizes)
        if self.places:
            step = side / self.places
            cx, cy = round(cx / step) * step, round(cy / step) * step
        return [
            square_window(cx, cy, side * (each.width / middle.width), each.size) for each in windows
        ]


EXACT = Grid(0, 0)
"""No grid: what the tracker itself does."""


class Replay:
    """Tracks clips with other settings again and again.

    Args:
        model: Network; its own settings do not matter.
        store: Where responses are kept.
        grid: Where search windows may lie.
    """

    def __init__(self, model: Model, store: ResponseStore, grid: Grid | None = None) -> None:
        self.card, self.store = model.card, store
        self.grid = Grid() if grid is None else grid
        self.runtime = _Starts(model.runtime)
        self._frames = _Recent[Image](FRAMES)
        self._firsts = _Recent[Image](FRAMES)

    def track(self, clip: Clip, settings: TrackerSettings) -> Array:
        """Return the boxes (frames, 4) of a clip, the first of which is the true one."""
        model = Model(replace(self.card, tracker=settings), self.runtime)
        first = self._firsts.get(clip.name, lambda: clip.sequence[clip.start])
        target = Target(model, first, clip.truth[0])
        kernel = hashlib.blake2b(target.kernel.tobytes(), digest_size=8).hexdigest()
        boxes = [target.box]
        for index in range(clip.start + 1, clip.end):
            windows = self.grid.nearest(target.windows())
            keys = [
                f"{clip.sequence.name} {index} {kernel} {w.cx:.3f} {w.cy:.3f} {w.width:.3f}"
                for w in windows
            ]
            response = self._respond(clip, index, target, windows, keys)
            boxes.append(target.advance(windows, response).box)
        return np.array(boxes)

    def _respond(
        self, clip: Clip, index: int, target: Target, windows: list[Window], keys: list[str]
    ) -> Response:
        found = [self.store.find(key) for key in keys]
        missing = [k for k, response in enumerate(found) if response is None]
        if missing:
            name = f"{clip.sequence.name} {index}"
            frame = self._frames.get(name, lambda: clip.sequence[index])
            kernels = np.repeat(target.kernel, len(missing), 0)
            patches = target.patches(frame, [windows[k] for k in missing])
            fresh = self.runtime.inner.respond(kernels, patches)
            for row, k in enumerate(missing):
                found[k] = self.store.keep(keys[k], fresh.part(row, 1))
        return _joined([response for response in found if response is not None])


class _Starts:
    """A runtime that answers at once what it was asked before, for the first frames of clips.

    These are the same pixels for all settings, but for those that change the context.
    """

    def __init__(self, inner: Runtime) -> None:
        self.inner = inner
        self._kernels, self._responses = _Recent[Floats](STARTS), _Recent[Response](STARTS)

    def embed(self, template: Image, size: Floats) -> Floats:
        return self._kernels.get(_content(template, size), lambda: self.inner.embed(template, size))

    def respond(self, kernel: Floats, search: Image) -> Response:
        return self._responses.get(
            _content(kernel, search), lambda: self.inner.respond(kernel, search)
        )


class _Recent(OrderedDict[str, T]):
    """The values used last, so many of them."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def get(self, key: str, make: Callable[[], T]) -> T:  # type: ignore[override]
        if key not in self:
            self[key] = make()
            if len(self) > self.count:
                self.popitem(last=False)
        self.move_to_end(key)
        return self[key]


def _content(*arrays: np.ndarray) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _joined(parts: list[Response]) -> Response:
    if len(parts) == 1:
        return parts[0]

    def all_of(values: list[Floats | None]) -> Floats | None:
        known = [value for value in values if value is not None]
        return np.concatenate(known) if known else None

    return Response(
        np.concatenate([part.score for part in parts]),
        all_of([part.distances for part in parts]),
        all_of([part.presence for part in parts]),
        all_of([part.features for part in parts]),
    )
