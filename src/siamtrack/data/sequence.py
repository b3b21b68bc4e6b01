"""Sequences (frames with boxes), data sets of them, and where frames come from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Sequence as Series
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import ArrayLike

from siamtrack.core.boxes import Array
from siamtrack.core.images import Image, encoded, picture_of
from siamtrack.core.masks import Mask
from siamtrack.errors import DatasetError, UnknownNameError


@lru_cache(maxsize=65_536)
def canonical(name: str) -> str:
    """Return the form in which names are compared: lower case, `.`, `_` and space as `-`.

    Example:
        >>> canonical("Jogging_1") == canonical("jogging.1") == "jogging-1"
        True
    """
    return re.sub(r"[._\s]+", "-", name.strip().lower())


class Sequence:
    """One target in one video.

    Args:
        name: Name of the target, unique in its data set.
        frames: Frames, read when asked for.
        boxes: (N, 4) ltwh in pixels, 0-based; NaN where the target is absent or not annotated.
        attributes: Short names of challenges, such as `OCC`.
        dropped_first: Rows that the benchmark's own files have before the first frame of this
            sequence (Tiger1 of OTB: 5); raw results may have them too.
        polygons: (N, 2 * corners) x, y pairs in pixels, 0-based, where the benchmark annotates
            more than boxes (VOT); `boxes` are then the axis-aligned boxes around them.
        anchors: (N,) where multi-start runs begin: 1 to the end, -1 to the beginning, 0 none.
        size: Width and height of the frames, where the benchmark states them.
        masks: Gives the mask of a frame by its index, where the benchmark annotates masks (VOT
            since 2020); `boxes` are then the boxes around them.

    Raises:
        DatasetError: If frames and boxes differ in number or no box can start a tracker.

    Example:
        >>> sequence = Sequence("toy", NoFrames(2), [[np.nan] * 4, [0, 0, 8, 6]])
        >>> len(sequence), sequence.init_frame, sequence.boxes[sequence.init_frame].tolist()
        (2, 1, [0.0, 0.0, 8.0, 6.0])
    """

    def __init__(
        self,
        name: str,
        frames: Frames,
        boxes: ArrayLike,
        *,
        attributes: Iterable[str] = (),
        dropped_first: int = 0,
        polygons: ArrayLike | None = None,
        anchors: ArrayLike | None = None,
        size: tuple[int, int] | None = None,
        masks: Callable[[int], Mask] | None = None,
    ) -> None:
        self.name, self.frames, self.size, self.masks = name, frames, size, masks
        self.attributes = tuple(attributes)
        self.dropped_first = dropped_first
        self.boxes: Array = np.array(boxes, dtype=np.float64)
        self.boxes.setflags(write=False)
        if self.boxes.shape != (len(frames), 4):
            raise DatasetError(
                f"sequence {name}: {len(frames)} frames need boxes of shape ({len(frames)}, 4), "
                f"got {self.boxes.shape}"
            )
        self.polygons = _rows(name, "polygons", polygons, len(frames))
        self.anchors = _rows(name, "anchors", anchors, len(frames))
        if np.isinf(self.boxes).any():
            raise DatasetError(
                f"sequence {name}: a box with infinite numbers in row "
                f"{int(np.isinf(self.boxes).any(axis=1).argmax())}; NaN stands for an absent target"
            )
        usable = np.isfinite(self.boxes).all(axis=1) & (self.boxes[:, 2:] > 0).all(axis=1)
        if not usable.any():
            raise DatasetError(f"sequence {name}: no frame has a box with an area to start from")
        self.init_frame = int(usable.argmax())

    @property
    def files(self) -> tuple[Path, ...]:
        """The image files, one per frame; empty where frames do not come from images."""
        return self.frames.files

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Image:
        """Return frame `index` as uint8 RGB (H, W, 3)."""
        return self.frames[index]

    def __iter__(self) -> Iterator[Image]:
        return iter(self.frames)

    def __repr__(self) -> str:
        return f"Sequence({self.name!r}, {len(self)} frames)"


def _rows(name: str, what: str, values: ArrayLike | None, count: int) -> Array | None:
    if values is None:
        return None
    array = np.array(values, dtype=np.float64)
    if len(array) != count:
        raise DatasetError(f"sequence {name}: {count} frames, but {len(array)} {what}")
    array.setflags(write=False)
    return array


class Dataset:
    """Sequences by position or by name.

    Args:
        name: Name of the data set, for reports.
        sequences: Its sequences, with unique names.
        origin: Coordinate of the first pixel in the benchmark's own files, results included: 1 for
            OTB, 0 for files of ours. Boxes in memory are always 0-based.
        aliases: Other names of sequences, such as Human4 for Human4-2.
        missing: Names of sequences that the benchmark has and that are not here.
        policy: Name of the rules by which the benchmark counts frames, one of
            `siamtrack.evaluation.POLICIES`.
        hidden: Only the first boxes are public; a server has the others.
        nested: Raw results are in a folder per sequence, `NAME/NAME_001.txt` (GOT-10k), instead of
            `NAME.txt`.

    Raises:
        DatasetError: If there is no sequence or two have the same name.

    Example:
        >>> toys = Dataset("toys", [Sequence("Toy_1", NoFrames(1), [[0, 0, 8, 6]])])
        >>> toys["toy-1"] is toys[0]
        True
        >>> toys["toy-2"]
        Traceback (most recent call last):
        siamtrack.errors.UnknownNameError: unknown sequence 'toy-2': did you mean 'Toy_1'? ...
    """

    def __init__(
        self,
        name: str,
        sequences: Iterable[Sequence],
        *,
        origin: int = 0,
        aliases: Mapping[str, str] | None = None,
        missing: Iterable[str] = (),
        policy: str = "default",
        hidden: bool = False,
        nested: bool = False,
    ) -> None:
        self.name, self.origin, self.policy = name, origin, policy
        self.hidden, self.nested = hidden, nested
        self.sequences = tuple(sequences)
        self.missing = tuple(missing)
        self._positions = {canonical(item.name): i for i, item in enumerate(self.sequences)}
        if not self.sequences:
            raise DatasetError(f"data set {name}: no sequence found")
        if len(self._positions) != len(self.sequences):
            raise DatasetError(f"data set {name}: two sequences have the same name")
        for alias, target in (aliases or {}).items():
            if canonical(target) in self._positions:
                self._positions.setdefault(canonical(alias), self._positions[canonical(target)])

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the sequences in order."""
        return tuple(item.name for item in self.sequences)

    def find(self, name: str) -> Sequence | None:
        """Return the sequence called `name` in any of the usual spellings, or None."""
        position = self._positions.get(canonical(name))
        return None if position is None else self.sequences[position]

    def check(self) -> list[str]:
        """Return one line for every sequence that is missing or lacks frames; empty if complete."""
        problems = [f"{name}: the sequence is missing" for name in self.missing]
        for sequence in self.sequences:
            files = sequence.frames.missing()
            if files:
                problems.append(
                    f"{sequence.name}: {len(files)} of {len(sequence)} frames are missing, "
                    f"the first is {files[0]}"
                )
        return problems

    def __len__(self) -> int:
        return len(self.sequences)

    def __iter__(self) -> Iterator[Sequence]:
        return iter(self.sequences)

    def __getitem__(self, key: int | str) -> Sequence:
        if isinstance(key, str):
            found = self.find(key)
            if found is None:
                raise UnknownNameError("sequence", key, self.names)
            return found
        return self.sequences[key]

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, {len(self)} sequences)"


class Frames(Protocol):
    """A series of uint8 RGB frames (H, W, 3), read when they are asked for."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The image files, one per frame; empty where frames do not come from images."""

    def missing(self) -> tuple[Path, ...]:
        """Return the files that should be there and are not."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Image: ...

    def __iter__(self) -> Iterator[Image]: ...


def read_image(path: Path) -> Image:
    """Read an image file as uint8 RGB (H, W, 3); paths with any characters work.

    Raises:
        DatasetError: If the file is missing or is no image.
    """
    try:
        return picture_of(encoded(path))
    except OSError as reason:
        raise DatasetError(
            f"{path}: the frame is missing or cannot be read ({reason.strerror}); "
            "complete the data set"
        ) from reason
    except ValueError as reason:
        raise DatasetError(f"{path}: {reason}; copy the data set again") from reason


class ImageFrames:
    """Frames from image files, one per frame, which need not exist until they are read."""

    def __init__(self, files: Series[Path]) -> None:
        self.files = tuple(files)

    def missing(self) -> tuple[Path, ...]:
        """Return the files that do not exist."""
        return tuple(path for path in self.files if not path.is_file())

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Image:
        return read_image(self.files[index])

    def __iter__(self) -> Iterator[Image]:
        return map(read_image, self.files)


class VideoFrames:
    """Frames from a video file, decoded in order; going back starts again from the beginning.

    Containers state their number unreliably, so the caller gives it.
    """

    files: tuple[Path, ...] = ()

    def __init__(self, path: Path, count: int) -> None:
        self.path, self.count = path, count
        self._reader: Iterator[Image] = iter(())
        self._next = count

    def missing(self) -> tuple[Path, ...]:
        """Return the video file if it does not exist."""
        return () if self.path.is_file() else (self.path,)

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Image]:
        video = cv2.VideoCapture(str(self.path))
        try:
            for index in range(self.count):
                good, image = video.read()
                if not good:
                    raise DatasetError(
                        f"{self.path}: no frame {index} where {self.count} frames are annotated; "
                        "the video is missing, damaged or another one"
                    )
                yield np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
        finally:
            video.release()

    def __getitem__(self, index: int) -> Image:
        position = range(self.count)[index]
        if position < self._next:
            self._reader, self._next = iter(self), 0
        while True:
            frame = next(self._reader)
            self._next += 1
            if self._next > position:
                return frame

    def __reduce__(self) -> tuple[type[VideoFrames], tuple[Path, int]]:
        """Give another process the file, not the place in it."""
        return type(self), (self.path, self.count)


class NoFrames:
    """Stands for the `count` frames of a data set that consists of annotations alone."""

    files: tuple[Path, ...] = ()

    def __init__(self, count: int) -> None:
        self.count = count

    def missing(self) -> tuple[Path, ...]:
        """Return nothing: no files are expected."""
        return ()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Image:
        raise DatasetError(
            "this data set holds annotations without frames: raw results can be evaluated on it, "
            "but to run a tracker open the folder with the images"
        )

    def __iter__(self) -> Iterator[Image]:
        return iter([self[0]])
