"""What the readers of own annotations share: where the frames of an annotation lie."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from siamtrack.core.images import image_files
from siamtrack.core.registry import Registry
from siamtrack.data.annotations.base import TRAINING
from siamtrack.data.annotations.findings import Findings
from siamtrack.data.manifest import Entry
from siamtrack.errors import DatasetError

_NUMBER = re.compile(r"(\d+)$")


class Pictures:
    """The images of a folder and of the folders in it, by name, place in order, or number.

    Args:
        folder: Where they are.
        deep: Whether those of the folders in it count.
    """

    def __init__(self, folder: Path, *, deep: bool = True) -> None:
        self.folder = folder
        below = folder.rglob("*") if deep else folder.iterdir()
        self.files = image_files(path for path in below if path.is_file())
        self._names = {path.relative_to(folder).as_posix(): str(path) for path in self.files}
        for path in self.files:  # annotation tools keep more or less of the path
            self._names.setdefault(path.name, str(path))
        self._stems = {path.stem: str(path) for path in self.files}
        digits = [_NUMBER.search(path.stem) for path in self.files]
        self._numbers = {
            int(match[1]): str(path)
            for match, path in zip(digits, self.files, strict=True)
            if match is not None
        }
        self._numbered = {
            path.parent for path, match in zip(self.files, digits, strict=True) if match is not None
        }
        self.by_cvat = bool(self.files) and all(
            path.stem.startswith("frame_") for path in self.files
        )

    def named(self, name: str) -> str | None:
        """Return the image called `name`, with or without its folders."""
        clean = name.replace("\\", "/")
        return self._names.get(clean) or self._names.get(clean.rpartition("/")[2])

    def stem(self, stem: str) -> str | None:
        """Return the image called `stem`, whatever its ending."""
        return self._stems.get(stem)

    def at(self, place: int) -> str | None:
        """Return the image at `place`, from 0, in natural order of the names."""
        return str(self.files[place]) if 0 <= place < len(self.files) else None

    def number(self, number: int) -> str | None:
        """Return the image whose name ends in `number`; numbers count from 1.

        Raises:
            DatasetError: If images of several folders have numbers, so that nobody can tell whose
                are meant.
        """
        if len(self._numbered) > 1:
            one, other, *_ = sorted(map(str, self._numbered))
            raise DatasetError(
                f"{self.folder}: frames go by number, but numbered images lie in {one} and in "
                f"{other}: give the folder or the video of this sequence with --images"
            )
        return self._numbers.get(number)


class VideoPictures(Pictures):
    """Frames of a video that will be written as images into a folder.

    Args:
        video: The video file.
        folder: Where frames are to be written; may not exist yet.
    """

    def __init__(self, video: Path, folder: Path) -> None:
        self.video, self.folder, self.files, self.by_cvat = video, folder, [], False

    def named(self, name: str) -> str | None:
        """Return the frame whose number from 0 ends the name, as in `frame_000012`."""
        match = _NUMBER.search(Path(name).stem)
        return self.at(int(match[1])) if match else None

    def stem(self, stem: str) -> str | None:
        """Return the frame whose number from 0 ends the stem."""
        return self.named(stem)

    def at(self, place: int) -> str | None:
        """Return the image of frame `place`, from 0."""
        return str(self.folder / f"{place:06d}.jpg")

    def number(self, number: int) -> str | None:
        """Return the image of frame `number`, from 1."""
        return self.at(number - 1)


class OwnReader(Protocol):
    """Reads annotations of one's own; the images may lie elsewhere."""

    def __call__(
        self, path: Path, found: Findings, images: Pictures | None = None
    ) -> Iterator[Entry]:
        """Yield the objects; without `images`, they are looked for where the tool puts them.

        Raises:
            DatasetError: If the annotations do not have the form, or the images are not there.
        """


FORMATS: Registry[OwnReader] = Registry("annotation format")
"""Readers of own annotations by name; each is in `TRAINING` as well."""


def own_format(name: str) -> Callable[[OwnReader], OwnReader]:
    """Return a decorator that registers a reader of own annotations under `name`."""

    def add(reader: OwnReader) -> OwnReader:
        FORMATS.register(name)(reader)
        TRAINING.register(name)(reader)
        return reader

    return add


def pictures_beside(path: Path, *places: str, deep: bool = True) -> Pictures:
    """Return the images near annotations: in the first of `places` that has any.

    Args:
        path: The folder of the annotations.
        places: Folders relative to it; by default `images`, then the folder itself.
        deep: Whether images of the folders in these count.

    Raises:
        DatasetError: If there are none.
    """
    for place in places or ("images", "."):
        if (path / place).is_dir():
            pictures = Pictures(path / place, deep=deep)
            if pictures.files:
                return pictures
    raise DatasetError(
        f"{path}: no images beside the annotations; expected them in {path / 'images'}, or give "
        "their folder or the video with --images"
    )


def own_name(path: Path) -> str:
    """Name own data after its folder."""
    path = path.resolve()
    return (path if path.is_dir() else path.parent).name or "own"
