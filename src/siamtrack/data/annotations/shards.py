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

import json
import os
import re
import tarfile
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from siamtrack.data.annotations.base import TRAINING
from siamtrack.data.annotations.entries import still_entry
from siamtrack.data.annotations.findings import Findings
from siamtrack.data.cache import inside
from siamtrack.data.manifest import Entry
from siamtrack.errors import DatasetError, MissingExtraError


@TRAINING.register("shards")
def read_shards(path: Path | str, found: Findings) -> Iterator[Entry]:
    """Yield the objects in shards.

    Args:
        path: A folder, a tar file, or a pattern of paths or URLs with braces.
        found: Where what is left out is added.

    Raises:
        DatasetError: If there are no shards, one cannot be fetched, or it has another form.
        MissingExtraError: If the extra `shards` is not installed.
    """
    for shard in _shards(str(path)):
        yield from _objects(shard, found)


def _shards(where: str) -> list[Path]:
    place = Path(where)
    if place.is_dir():
        files = sorted(place.glob("*.tar"))
        if not files:
            raise DatasetError(f"{place}: expected shards here, such as train-000000.tar")
        return files
    return [_fetched(_url(each)) for each in library().expand_urls(where)]


def _url(text: str) -> str:
    """Return a URL whose two slashes `Path` has folded into one."""
    return re.sub(r"^file:/+", "/", re.sub(r"^(?!file:)(\w{2,}):/+", r"\1://", text))


class Library(NamedTuple):
    """What is used of webdataset."""

    expand_urls: Any
    file_cache: Any
    tar_writer: Any


def library() -> Library:
    """Return the parts of webdataset that are used here.

    Raises:
        MissingExtraError: If it is not installed.
    """
    try:
        from webdataset.cache import FileCache
        from webdataset.shardlists import expand_urls
        from webdataset.writer import TarWriter
    except ImportError as error:
        raise MissingExtraError("reading and writing shards", "webdataset", "shards") from error
    return Library(expand_urls, FileCache, TarWriter)


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
    cache = library().file_cache(str(folder / "shards"), url_to_name=lambda _: name)
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
        with tarfile.open(shard, "r:") as tar:
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
                track, source = str(item["track"]), str(item.get("source", "shards"))
                for entry in still_entry(
                    item["box"], images[key], found, track=track,
                    label=str(item.get("label", "")), source=source,
                ):  # fmt: skip
                    yield Entry(
                        entry.image, entry.box, track, int(item.get("frame", 0)), entry.label,
                        source,
                    )  # fmt: skip
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DatasetError(
                f"{shard}: {key}.json: expected a list of objects with box and track ({error!r})"
            ) from error
