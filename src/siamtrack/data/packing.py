"""Writing training data as shards of the WebDataset library."""

from __future__ import annotations

import contextlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from siamtrack.core.writing import refuse_existing
from siamtrack.data.annotations.shards import library
from siamtrack.data.cache import archive_of, read_bytes
from siamtrack.data.faults import Faults
from siamtrack.data.manifest import Entry, manifest_line
from siamtrack.errors import ImageError

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Packed:
    """What `pack` wrote.

    Attributes:
        shards: The tar files.
        images: Images in them.
        boxes: Objects in them.
        faults: Images that could not be read.
    """

    shards: list[Path]
    images: int
    boxes: int
    faults: Faults


def pack(
    entries: Iterable[Entry],
    out: str | Path,
    *,
    megabytes: float = 256,
    overwrite: bool = False,
    faults: Faults | None = None,
    progress: Callable[[Iterable[Any], int], Iterable[Any]] | None = None,
) -> Packed:
    """Write images and boxes as `train-000000.tar`, `train-000001.tar` and so on.

    The bytes of the images are taken as they are. Each shard appears whole or not at all, and the
    same entries give the same bytes.

    Args:
        entries: What `read_training` gives, crops or whole frames.
        out: Folder of the shards.
        megabytes: Size at which a shard is closed, in 10^6 bytes.
        overwrite: Replace shards that are there.
        faults: Counts images that cannot be read, and limits them.
        progress: Wraps the loop over images (an iterable and its length), for a progress bar.

    Raises:
        FileExistsError: If there are shards in `out` and `overwrite` is not set.
        ValueError: If `megabytes` is not above 0, or `out` holds the shards that are to be read.
        DatasetError: If too many images cannot be read.
        MissingExtraError: If the extra `shards` is not installed.
    """
    if not megabytes > 0:
        raise ValueError(f"megabytes must be above 0, got {megabytes}")
    folder = Path(out)
    faults = Faults() if faults is None else faults
    writer = library().tar_writer
    old = sorted(folder.glob("train-*.tar"))
    for shard in old:
        refuse_existing(shard, overwrite, other="folder")
    by_image: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_image[entry.image].append(entry)
    here = {str(shard.resolve()) for shard in old}
    if any(str(Path(archive_of(image) or "").resolve()) in here for image in by_image):
        raise ValueError(f"{folder} holds the shards that are to be read: choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    shards: list[Path] = []
    tar: Any = None
    size, count, boxes = 0, 0, 0
    part = folder / "train.part"
    items = (progress or _plainly)(by_image.items(), len(by_image))
    stream = None
    try:
        for image, objects in items:
            try:
                data = read_bytes(image).tobytes()
            except ImageError as error:
                faults.add(image, error.reason)
                continue
            faults.passed()
            if tar is None:
                stream = part.open("wb")
                tar = writer(stream, encoder=False, mtime=0)
            notes = [manifest_line(entry) for entry in objects]
            for note in notes:
                del note["image"]
            sample = {"__key__": f"{count:08d}", "json": json.dumps(notes).encode()}
            tar.write(sample | {_ending(image, data): data})
            count, boxes, size = count + 1, boxes + len(objects), size + len(data) + 2048
            if size >= megabytes * MEGABYTE:
                _close(tar, stream, part, folder, shards)
                tar, size = None, 0
        if tar is not None:
            _close(tar, stream, part, folder, shards)
    except BaseException:
        if tar is not None and stream is not None:
            with contextlib.suppress(OSError, ValueError):
                tar.close()
            stream.close()
        part.unlink(missing_ok=True)
        raise
    for shard in set(old) - set(shards):
        shard.unlink()
    return Packed(shards, count, boxes, faults)


def _close(tar: Any, stream: Any, part: Path, folder: Path, shards: list[Path]) -> None:
    """Move a finished shard into place."""
    tar.close()
    stream.close()
    shards.append(folder / f"train-{len(shards):06d}.tar")
    part.replace(shards[-1])


def _ending(image: str, data: bytes) -> str:
    """Return the ending that the content asks for."""
    if data[:2] == b"\xff\xd8":
        return "jpg"
    if data[:4] == b"\x89PNG":
        return "png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    ending = Path(image).suffix.lstrip(".").lower()
    return ending if ending.isalnum() and ending != "json" else "img"


def _plainly(items: Iterable[Any], length: int) -> Iterable[Any]:
    return items
