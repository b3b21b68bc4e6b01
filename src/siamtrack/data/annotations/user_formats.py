"""Annotations of the user: their formats, where their frames lie, and the import to a manifest."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from siamtrack.core.boundary import surface
from siamtrack.core.files import bytes_of, noting_files
from siamtrack.core.images import image_files, jpeg
from siamtrack.core.registry import Registry
from siamtrack.core.writing import check_outputs, refuse_existing, write_whole
from siamtrack.data.manifest import Entry, write_manifest
from siamtrack.data.sources import TRAINING, Findings, annotations_of, read_training
from siamtrack.errors import DatasetError

_NUMBER = re.compile(r"(\d+)$")


class Pictures:
    """The images of a folder, and those below if `deep`, by name, place in order, or number."""

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

    @classmethod
    def beside(cls, path: Path, *places: str, deep: bool = True) -> Pictures:
        """Return the images near annotations: in the first of `places` that has any.

        These are folders relative to `path`, `images` and the folder itself by default.

        Raises:
            DatasetError: If there are none.
        """
        for place in places or ("images", "."):
            if (path / place).is_dir() and (pictures := cls(path / place, deep=deep)).files:
                return pictures
        raise DatasetError(
            f"{path}: no images beside the annotations; expected them in {path / 'images'}, or "
            "give their folder or the video with --images"
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
    """Frames of a video that will be written as images into a folder."""

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


class UserReader(Protocol):
    """Reads annotations of the user; the images may lie elsewhere."""

    def __call__(
        self, path: Path, found: Findings, images: Pictures | None = None
    ) -> Iterator[Entry]:
        """Yield the objects, as a `Reader` does; `images` are by default where the tool puts them.

        Raises:
            DatasetError: If the annotations do not have the form, or the images are not there.
        """


FORMATS: Registry[UserReader] = Registry("annotation format")
"""Readers of own annotations by name; each is in `TRAINING` as well."""


def user_format(name: str) -> Callable[[UserReader], UserReader]:
    """Return a decorator that registers a reader of own annotations under `name`."""

    def add(reader: UserReader) -> UserReader:
        FORMATS.register(name)(reader)
        TRAINING.register(name)(reader)
        return reader

    return add


def user_name(path: Path) -> str:
    """Name own data after its folder."""
    path = path.resolve()
    return (path if path.is_dir() else path.parent).name or "own"


@dataclass(frozen=True)
class Imported:
    """What an import wrote: a manifest of boxes, their tracks and images, and what was left out."""

    manifest: Path
    boxes: int
    tracks: int
    images: int
    found: Findings


@surface
def import_annotations(
    form: str,
    source: str | Path,
    out: str | Path,
    images: str | Path | None = None,
    *,
    overwrite: bool = False,
) -> Imported:
    """Write a manifest of annotations in another format.

    Args:
        form: A name in `FORMATS` (`cvat`, `coco-video`, `mot`, `yolo`) or in `TRAINING`.
        source: The annotations.
        out: The manifest to write, a `.jsonl` file, or a folder for `manifest.jsonl`.
        images: Folder of the frames, or the annotated video, whose annotated frames are then
            written as JPEGs beside the manifest; by default they are looked for beside the
            annotations.
        overwrite: Replace a manifest that is there.

    Raises:
        UnknownNameError: If nobody knows the format.
        DatasetError: If the annotations do not have the form, the images are not there, or nothing
            is left.
        FileExistsError: If there is a manifest and `overwrite` is not set.
        ValueError: If `images` is given for a data set whose layout says where they are.
        VideoError: If the video cannot be read.
    """
    place = Path(out)
    file = place if place.suffix == ".jsonl" else place / "manifest.jsonl"
    refuse_existing(file, overwrite)
    check_outputs([file], [Path(source), *([] if images is None else [Path(images)])])
    found = Findings()
    with noting_files() as read:
        entries = _entries(form, Path(source), file, images, found, overwrite)
    check_outputs([file], read)
    count = write_manifest(entries, file, overwrite)
    return Imported(
        manifest=file,
        boxes=count,
        tracks=len({entry.track for entry in entries}),
        images=len({entry.image for entry in entries}),
        found=found,
    )


def _entries(
    form: str,
    source: Path,
    out: Path,
    images: str | Path | None,
    found: Findings,
    overwrite: bool,
) -> list[Entry]:
    """Read annotations; the frames of a video that they are on are written beside `out`."""
    if images is None:
        return read_training(f"{form}:{source}", found)
    pictures = _pictures(Path(images), out.parent)
    if form in TRAINING and form not in FORMATS:
        raise ValueError(f"the layout of {form} says where its images are: leave images out")
    if not source.exists():
        raise DatasetError(f"{source}: no such folder or file; give the annotations")
    with annotations_of(source, form):
        entries = list(FORMATS[form](source, found, images=pictures))
    if isinstance(pictures, VideoPictures):
        entries = _write_frames(pictures, entries, found, overwrite)
    if not entries:
        raise DatasetError(
            f"{source}: {form} has no usable object here; left out: {found.summary() or 'none'}"
        )
    return entries


def _pictures(images: Path, out: Path) -> Pictures:
    if images.is_dir():
        pictures = Pictures(images)
        if not pictures.files:
            raise DatasetError(f"{images}: no images in this folder or below it")
        return pictures
    if not images.is_file():
        raise DatasetError(f"{images}: no such folder or video")
    return VideoPictures(images, out / images.stem)


def _write_frames(
    pictures: VideoPictures, entries: list[Entry], found: Findings, overwrite: bool
) -> list[Entry]:
    """Write the frames that entries need; return the entries whose frames the video has.

    Raises:
        FileExistsError: If another picture is in the place of one and `overwrite` is not set; what
            a killed import has left is the same picture.
    """
    wanted = {entry.image for entry in entries}
    written = set()
    pictures.folder.mkdir(parents=True, exist_ok=True)
    from siamtrack.video import open_video  # brings the decoder

    with open_video(pictures.video) as video:
        for frame in video:
            image = pictures.at(frame.index)
            if image is None or image not in wanted:
                continue
            data = jpeg(frame.image, quality=95)
            if not Path(image).is_file() or bytes_of(image) != data:
                refuse_existing(Path(image), overwrite)
                write_whole(Path(image), data)
            written.add(image)
            if len(written) == len(wanted):
                break
    for image in sorted(wanted - written):
        found.add("missing", f"{pictures.video} has no frame for {Path(image).name}")
    return [entry for entry in entries if entry.image in written]
