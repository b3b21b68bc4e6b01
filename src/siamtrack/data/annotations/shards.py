"""Shards of the WebDataset library: tar files of images and boxes, here or far: `shards:WHERE`.

    train-000000.tar
        00000000.jpg        an image, whole or a crop, as it was
        00000000.json       its objects: a list of box, track, frame, label, source
        00000001.jpg ...

WHERE is a folder, a tar file, or a pattern such as `https://host/train-{000000..000099}.tar`. Far
shards are fetched once, into the folder that the variable SIAMTRACK_CACHE names, by default
`~/.cache/siamtrack`. Nothing is unpacked: an image is read from its place in the tar file, so that
training may draw any pair at any time. https://github.com/webdataset/webdataset; needs the extra
`shards`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tarfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from typing import Any

from siamtrack.core.files import open_ordinary
from siamtrack.core.writing import refuse_existing, replacing
from siamtrack.data.cache import Faults, archive_of, inside, read_bytes
from siamtrack.data.layout import Entries
from siamtrack.data.manifest import Entry, manifest_line
from siamtrack.data.sources import TRAINING, Findings, Progress, unwatched
from siamtrack.errors import DatasetError, ImageError, MissingExtraError

MEGABYTE = 1_000_000


@TRAINING.register("shards")
def read_shards(path: Path | str, found: Findings) -> Iterator[Entry]:
    """Yield the objects in shards."""
    for shard in _shards(str(path)):
        yield from _objects(shard, found)


def _shards(where: str) -> list[Path]:
    place = Path(where)
    if place.is_dir():
        files = sorted(place.glob("*.tar"))
        if not files:
            raise DatasetError(f"{place}: expected shards here, such as train-000000.tar")
        return files
    return [_fetched(_url(each)) for each in library("shardlists", "expand_urls")(where)]


def _url(text: str) -> str:
    """Return a URL whose two slashes `Path` has folded into one."""
    return re.sub(r"^file:/+", "/", re.sub(r"^(?!file:)(\w{2,}):/+", r"\1://", text))


def library(module: str, name: str) -> Any:
    """Return a part of webdataset.

    Raises:
        MissingExtraError: If it is not installed.
    """
    try:
        return getattr(import_module(f"webdataset.{module}"), name)
    except ImportError as error:
        raise MissingExtraError("reading and writing shards", "webdataset", "shards") from error


def _fetched(url: str) -> Path:
    """Return a shard as a local file."""
    if url.startswith("pipe:"):
        raise DatasetError(f"{url}: shell commands are not run for data; give a URL")
    if "://" not in url:
        if not Path(url).is_file():
            raise DatasetError(f"{url}: no such shard")
        return Path(url)
    folder = Path(os.environ.get("SIAMTRACK_CACHE", Path.home() / ".cache" / "siamtrack"))
    name = f"{blake2b(url.encode(), digest_size=8).hexdigest()}-{url.rpartition('/')[2]}"
    cache = library("cache", "FileCache")(str(folder / "shards"), url_to_name=lambda _: name)
    try:
        return Path(cache.get_file(url))
    except (OSError, ValueError, AssertionError) as error:
        for part in (folder / "shards").glob(f"{name}.temp*"):
            part.unlink(missing_ok=True)
        raise DatasetError(f"{url}: cannot be fetched ({error})") from error


def _objects(shard: Path, found: Findings) -> Iterator[Entry]:
    images: dict[str, str] = {}
    notes: dict[str, Any] = {}
    try:
        with open_ordinary(shard) as whole, tarfile.open(fileobj=whole, mode="r:") as tar:
            for member in tar:
                key, _, ending = member.name.partition(".")
                if not member.isreg():
                    continue
                if ending == "json":
                    file = tar.extractfile(member)
                    notes[key] = json.loads(file.read()) if file else None
                else:
                    images[key] = inside(shard, member.offset_data, member.size)
    except (OSError, tarfile.TarError, ValueError, RecursionError) as error:
        raise DatasetError(f"{shard}: no whole, uncompressed shard ({error})") from error
    for key, objects in notes.items():
        if key not in images:
            found.add("missing", f"image of {key} in {shard}")
            continue
        try:
            for item in objects:
                track, label = str(item["track"]), str(item.get("label", ""))
                entries = Entries(str(item.get("source", "shards")), found)
                for entry in entries.still("", item["box"], images[key], label):
                    yield replace(entry, track=track, frame=int(item.get("frame", 0)))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DatasetError(
                f"{shard}: {key}.json: expected a list of objects with box and track ({error!r})"
            ) from error


@dataclass(frozen=True)
class Packed:
    """What `pack` wrote: tar files, the images and boxes in them, and what could not be read."""

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
    progress: Progress = unwatched,
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
    writer = library("writer", "TarWriter")
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
    # Fill one shard after the other
    samples = _samples(progress(by_image.items(), len(by_image)), faults)
    shards: list[Path] = []
    images = boxes = 0
    sample = next(samples, None)
    while sample is not None:
        shard, size = folder / f"train-{len(shards):06d}.tar", 0
        with (
            replacing(shard) as part,
            part.open("wb") as stream,
            contextlib.closing(writer(stream, encoder=False, mtime=0)) as tar,
        ):
            while sample is not None and size < megabytes * MEGABYTE:
                ending, data, notes = sample
                text = json.dumps(notes).encode()
                tar.write({"__key__": f"{images:08d}", "json": text, ending: data})
                images, boxes, size = images + 1, boxes + len(notes), size + len(data) + 2048
                sample = next(samples, None)
        shards.append(shard)
    # Remove what a longer list of shards has left
    for shard in set(old) - set(shards):
        shard.unlink()
    return Packed(shards, images, boxes, faults)


def _samples(
    items: Iterable[tuple[str, list[Entry]]], faults: Faults
) -> Iterator[tuple[str, bytes, list[dict[str, object]]]]:
    """Yield ending, bytes and objects of each image that can be read."""
    for image, objects in items:
        try:
            data = read_bytes(image).tobytes()
        except ImageError as error:
            faults.add(image, error.reason)
            continue
        faults.passed()
        notes = [manifest_line(entry) for entry in objects]
        for note in notes:
            del note["image"]
        yield _ending(image, data), data, notes


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
