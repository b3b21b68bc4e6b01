"""Track a clip with any settings, asking the network only about windows not seen before.

Which windows a tracker searches depends on its settings, so no two runs ask for the same ones. Here
the search window is moved to the nearest of a grid of places and sizes before it is cut. That is a
tracker of its own, exact in every other respect: the response belongs to the moved window, and
boxes are read relative to it. How far its scores are from those of the real one is measured
(`benchmarks/tuning_cache.py`), and the chosen settings are judged by the real one.

A `ResponseStore` keeps what the network said about windows on disk: it is asked once about a
window, and thousands of settings are tried on the answer. Every process appends to files of its
own, so that several can share a folder, and reads what the others had written when it began.
Records have one size and are read one at a time, so that no memory is needed beyond the operating
system's cache.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import uuid
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from siamtrack.core.boxes import Array
from siamtrack.core.config import check_numbers
from siamtrack.core.images import Image
from siamtrack.core.settings import TrackerSettings
from siamtrack.core.writing import write_whole
from siamtrack.errors import SiamtrackError
from siamtrack.packages.card import Model
from siamtrack.runtimes.base import Floats, Response, Runtime
from siamtrack.tracking.crops import Window, square_window
from siamtrack.tracking.refine import measured
from siamtrack.tracking.target import Target
from siamtrack.tuning.clips import Clip

FRAMES, STARTS = 48, 512
PARTS = ("score", "distances", "presence", "features")
DIGEST = 16
GIB = 2**30
T = TypeVar("T")


@dataclass(frozen=True)
class Grid:
    """Where search windows may lie.

    Attributes:
        places: Steps of the center along a side of the window; 0: anywhere.
        sizes: Sizes of the window between one and the double of it; 0: any.
    """

    places: int = 48
    sizes: int = 16

    def __post_init__(self) -> None:
        check_numbers(self, places=(0, 100_000), sizes=(0, 100_000))

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
        self.card, self.store, self.refiner = model.card, store, model.refiner
        self.grid = Grid() if grid is None else grid
        self.runtime = _Starts(model.runtime)
        self._frames = _Recent[Image](FRAMES)
        self._firsts = _Recent[Image](FRAMES)

    def track(self, clip: Clip, settings: TrackerSettings) -> Array:
        """Return the boxes (frames, 4) of a clip, the first of which is the true one."""
        card = replace(self.card, tracker=settings)
        model = Model(card, self.runtime, refiner=self.refiner)
        first = self._firsts.recall(clip.name, lambda: clip.sequence[clip.start])
        target = Target(model, first, clip.truth[0])
        boxes = [target.box]
        for index in range(clip.start + 1, clip.end):
            windows = self.grid.nearest(target.windows())
            kernel = hashlib.blake2b(target.kernel.tobytes(), digest_size=8).hexdigest()
            keys = [
                f"{clip.sequence.name} {index} {kernel} {w.cx:.3f} {w.cy:.3f} {w.width:.3f}"
                for w in windows
            ]
            response = self._respond(clip, index, target, windows, keys)
            track = target.advance(windows, response)
            if target.wants_measure:
                track = measured(self._frame(clip, index), [target], [track])[0]
            boxes.append(track.box)
            if target.wants_frame:
                target.renew(self._frame(clip, index))
        return np.array(boxes)

    def _frame(self, clip: Clip, index: int) -> Image:
        return self._frames.recall(f"{clip.sequence.name} {index}", lambda: clip.sequence[index])

    def _respond(
        self, clip: Clip, index: int, target: Target, windows: list[Window], keys: list[str]
    ) -> Response:
        found = [self.store.find(key) for key in keys]
        missing = [k for k, response in enumerate(found) if response is None]
        if missing:
            frame = self._frame(clip, index)
            kernels = np.repeat(target.kernel, len(missing), 0)
            patches = target.patches(frame, [windows[k] for k in missing])
            fresh = self.runtime.inner.respond(kernels, patches)
            for row, k in enumerate(missing):
                found[k] = self.store.keep(keys[k], fresh.part(row, 1))
        return _joined([response for response in found if response is not None])


class ResponseStore:
    """Responses to single windows by key.

    Features, which are nine tenths of a record, are kept in half precision; all else as it is.

    Args:
        folder: Where the files are; below it, each model has a folder of its own.
        model: Whose responses these are.
        limit: Bytes that this process may write; later responses are computed and not kept.

    Raises:
        OSError: If the folder cannot be written.
        SiamtrackError: If it holds something else.
    """

    def __init__(self, folder: Path, model: Model, limit: int = 4 * GIB) -> None:
        identity = json.dumps([sorted(model.card.sha256.items()), model.precision])
        self.folder = folder / hashlib.sha256(identity.encode()).hexdigest()[:16]
        self.folder.mkdir(parents=True, exist_ok=True)
        self.limit, self.written, self.hits, self.misses = limit, 0, 0, 0
        self._places: dict[bytes, tuple[int, int]] = {}
        self._open: list[int] = []
        self._layout: list[tuple[str, tuple[int, ...], str]] = []
        for file in sorted(self.folder.glob("*.json")):
            self._read_index(file)
        self._file: int | None = None
        self._keys: int | None = None

    def _read_index(self, file: Path) -> None:
        try:
            layout = [(n, tuple(s), t) for n, s, t in json.loads(file.read_text(encoding="utf-8"))]
            keys = file.with_suffix(".keys").read_bytes()
            records = os.open(file.with_suffix(".records"), os.O_RDONLY)
        except (OSError, ValueError, TypeError) as error:
            raise SiamtrackError(
                f"{file} is no index of responses ({error}): delete {self.folder}"
            ) from error
        self._open.append(records)
        self._set_layout(layout)
        whole = min(len(keys) // DIGEST, os.fstat(records).st_size // self._size)
        for k in range(whole):
            self._places[keys[k * DIGEST : (k + 1) * DIGEST]] = (records, k * self._size)

    def _set_layout(self, layout: list[tuple[str, tuple[int, ...], str]]) -> None:
        if self._layout and layout != self._layout:
            raise SiamtrackError(f"{self.folder} holds responses of two forms: delete it")
        self._layout = layout
        self._size = sum(int(np.prod(s)) * np.dtype(t).itemsize for _, s, t in layout)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def hit_rate(self) -> float:
        """Share of the windows asked for that were there, in [0, 1]."""
        return self.hits / max(1, self.hits + self.misses)

    def find(self, key: str) -> Response | None:
        """Return the response (B = 1) under a key, or None."""
        place = self._places.get(_digest(key))
        if place is None:
            self.misses += 1
            return None
        self.hits += 1
        data, offset = os.pread(place[0], self._size, place[1]), 0
        parts = {}
        for name, shape, kind in self._layout:
            count = int(np.prod(shape))
            flat = np.frombuffer(data, kind, count, offset)
            parts[name] = flat.reshape(shape).astype(np.float32)
            offset += flat.nbytes
        return Response(**parts)

    def keep(self, key: str, response: Response) -> Response:
        """Keep a response (B = 1) under a key, if there is room; return it as `find` would."""
        arrays = {name: getattr(response, name) for name in PARTS}
        kinds = {name: "<f2" if name == "features" else "<f4" for name in PARTS}
        known = [(n, array, kinds[n]) for n, array in arrays.items() if array is not None]
        if self._file is None or self._keys is None:
            self._set_layout([(n, tuple(array.shape), kind) for n, array, kind in known])
            base = self.folder / uuid.uuid4().hex
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
            self._file = os.open(base.with_suffix(".records"), flags, 0o644)
            self._keys = os.open(base.with_suffix(".keys"), flags, 0o644)
            self._open += [self._file, self._keys]
            # the index appears last and whole: whoever reads it finds the other two
            write_whole(base.with_suffix(".json"), json.dumps(self._layout).encode())
        features = response.features
        if features is not None:
            features = features.astype(np.float16).astype(np.float32)
        kept = Response(response.score, response.distances, response.presence, features)
        if self.written + self._size > self.limit:
            return kept
        data = b"".join(np.ascontiguousarray(array, kind).tobytes() for _, array, kind in known)
        os.write(self._file, data)
        os.write(self._keys, _digest(key))
        self._places[_digest(key)] = (self._file, self.written)
        self.written += self._size
        return kept

    def close(self) -> None:
        """Close the files; the store is of no use afterwards."""
        for number in self._open:
            os.close(number)
        self._open.clear()


def _digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=DIGEST).digest()


class _Starts:
    """A runtime that answers at once what it was asked before, for the first frames of clips.

    These are the same pixels for all settings, but for those that change the context.
    """

    def __init__(self, inner: Runtime) -> None:
        self.inner = inner
        self._kernels, self._responses = _Recent[Floats](STARTS), _Recent[Response](STARTS)

    def embed(self, template: Image, size: Floats) -> Floats:
        return self._kernels.recall(
            _content(template, size), lambda: self.inner.embed(template, size)
        )

    def respond(self, kernel: Floats, search: Image) -> Response:
        return self._responses.recall(
            _content(kernel, search), lambda: self.inner.respond(kernel, search)
        )


class _Recent(OrderedDict[str, T]):
    """The values used last, up to a number."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def recall(self, key: str, make: Callable[[], T]) -> T:
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
    given = [name for name in PARTS if getattr(parts[0], name) is not None]
    return Response(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in given})
