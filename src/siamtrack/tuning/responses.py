"""What a network said about windows, kept on disk.

Settings decide what a response means, not what it is: the network is asked once about a window, and
thousands of settings are tried on the answer. Every process appends to files of its own, so that
several can share a folder; each reads what the others had written when it began. Records have one
size and are read one at a time, so that the memory needed is the operating system's cache and no
more.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from pathlib import Path

import numpy as np

from siamtrack.core.writing import write_whole
from siamtrack.errors import SiamtrackError
from siamtrack.packages.card import Model
from siamtrack.runtimes.base import Response

PARTS = ("score", "distances", "presence", "features")
DIGEST = 16
GIB = 2**30


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
