"""From annotations of other tools to a manifest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2

from siamtrack.core.boundary import surface
from siamtrack.core.writing import check_outputs, refuse_existing, write_whole
from siamtrack.data.annotations.base import TRAINING, annotations_of, read_training
from siamtrack.data.annotations.findings import Findings
from siamtrack.data.annotations.own import FORMATS, Pictures, VideoPictures
from siamtrack.data.manifest import Entry, write_manifest
from siamtrack.errors import DatasetError
from siamtrack.video import open_video


@dataclass(frozen=True)
class Imported:
    """What an import wrote.

    Attributes:
        manifest: The manifest.
        boxes: Lines in it.
        tracks: Objects.
        images: Images that they are in.
        found: What was left out.
    """

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
    if images is None:
        entries = read_training(f"{form}:{source}", found)
    else:
        pictures = _pictures(Path(images), file.parent)
        if form in TRAINING and form not in FORMATS:
            raise ValueError(f"the layout of {form} says where its images are: leave images out")
        if not Path(source).exists():
            raise DatasetError(f"{source}: no such folder or file; give the annotations")
        with annotations_of(Path(source), form):
            entries = list(FORMATS[form](Path(source), found, images=pictures))
        if isinstance(pictures, VideoPictures):
            entries = _write_frames(pictures, entries, found)
        if not entries:
            raise DatasetError(
                f"{source}: {form} has no usable object here; left out: {found.summary() or 'none'}"
            )
    count = write_manifest(entries, file, overwrite)
    return Imported(
        manifest=file,
        boxes=count,
        tracks=len({entry.track for entry in entries}),
        images=len({entry.image for entry in entries}),
        found=found,
    )


def _pictures(images: Path, out: Path) -> Pictures:
    if images.is_dir():
        pictures = Pictures(images)
        if not pictures.files:
            raise DatasetError(f"{images}: no images in this folder or below it")
        return pictures
    if not images.is_file():
        raise DatasetError(f"{images}: no such folder or video")
    return VideoPictures(images, out / images.stem)


def _write_frames(pictures: VideoPictures, entries: list[Entry], found: Findings) -> list[Entry]:
    """Write the frames that entries need; return the entries whose frames the video has."""
    wanted = {entry.image for entry in entries}
    written = set()
    pictures.folder.mkdir(parents=True, exist_ok=True)
    with open_video(pictures.video) as video:
        for frame in video:
            image = pictures.at(frame.index)
            if image is None or image not in wanted:
                continue
            _, data = cv2.imencode(".jpg", frame.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
            write_whole(Path(image), data.tobytes())
            written.add(image)
            if len(written) == len(wanted):
                break
    for image in sorted(wanted - written):
        found.add("missing", f"{pictures.video} has no frame for {Path(image).name}")
    return [entry for entry in entries if entry.image in written]
