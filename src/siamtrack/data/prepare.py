"""Cutting crops once, so that training need not read whole frames: parallel and resumable.

A crop is a square, centered on the object, `multiple` times the template window wide. It holds all
that training shows of the object, and is a tenth of a frame in size.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import cv2

from siamtrack.core.config import check_numbers, parse_json
from siamtrack.core.files import bytes_of
from siamtrack.core.provenance import FOLDER, refuse_stale
from siamtrack.core.writing import LOCK, owning, write_text, write_whole
from siamtrack.data.cache import Faults, archive_of, read_image
from siamtrack.data.manifest import Entry, is_outside, write_manifest
from siamtrack.data.sources import Progress, thinned, unwatched
from siamtrack.errors import DatasetError, ImageError
from siamtrack.tracking.crops import Image, cut, mean_color, square_window, template_side

logger = logging.getLogger(__name__)

_QUALITY = {"jpg": cv2.IMWRITE_JPEG_QUALITY, "webp": cv2.IMWRITE_WEBP_QUALITY}


@dataclass(frozen=True)
class CropConfig:
    """How crops are cut.

    Attributes:
        side: Side of a crop in pixels, at most; crops are never enlarged.
        multiple: Side of the crop's window in template windows, more than 1. A search window is
            about 2, and needs room to move.
        context: Context of the template window, as a share of width + height.
        area: Side of the template window as a multiple of the square root of the box's area, for
            models with windows of equal area; 0: as `context` says.
        ending: jpg, webp (smaller, slower to read) or png (exact).
        quality: Of jpg and webp, 1 to 100.
    """

    side: int = 320
    multiple: float = 2.5
    context: float = 0.5
    area: float = 0.0
    ending: str = "jpg"
    quality: int = 92

    def __post_init__(self) -> None:
        check_numbers(
            self,
            side=(16, 8192),
            multiple=(1, 100),
            context=(0, 10),
            area=(0, 10),
            quality=(1, 100),
        )
        if self.multiple == 1:
            raise ValueError("multiple 1: expected more than the template window itself")
        if self.ending not in ("jpg", "webp", "png"):
            raise ValueError(f"ending {self.ending!r}: expected jpg, webp or png")

    def window(self, box: Sequence[float]) -> tuple[float, int]:
        """Return the side of the window around a box ltwh in its image, and of the crop, in pixels.

        Example:
            >>> CropConfig().window((0, 0, 64, 64))
            (320.0, 320)
            >>> CropConfig().window((0, 0, 10, 10))
            (50.0, 50)
            >>> CropConfig(area=2).window((0, 0, 10, 40))
            (100.0, 100)
        """
        side = self.multiple * template_side(box[2], box[3], self.context, self.area)
        return side, min(self.side, math.ceil(side))


@dataclass(frozen=True)
class Prepared:
    """What `prepare` did: a manifest of all crops, of which `new` were cut in this run.

    Boxes `outside` their image have no crop.
    """

    manifest: Path
    crops: int
    new: int
    outside: int
    faults: Faults


def prepare(
    entries: Iterable[Entry],
    out: str | Path,
    config: CropConfig | None = None,
    *,
    every: int = 1,
    workers: int | None = None,
    faults: Faults | None = None,
    overwrite: bool = False,
    progress: Progress = unwatched,
) -> Prepared:
    """Cut a crop of every object into a folder, and write a manifest that training reads.

    Crops have names that follow from their entry, so a killed run continues where it was when
    started again; at most the images being cut at that moment are lost. The manifest appears
    at the end. Size and time of each image are noted, so that crops of images that have changed
    since are not taken for crops of what is there now.

    Args:
        entries: What `read_training` gives.
        out: Folder `SOURCE/xx/NAME.jpg`, `manifest.jsonl` and `crops.json`, the settings.
        config: How to cut.
        every: Take every n-th box of a track; neighboring frames look alike.
        workers: Threads; by default as many as there are processors.
        faults: Counts images that cannot be read, and limits them.
        overwrite: Cut again what was cut from images that have changed since.
        progress: Wraps the loop over images.

    Raises:
        ValueError: If `every` is below 1, `out` was cut with other settings, or holds the images.
        StaleResultsError: If images have changed since their crops were cut, and `overwrite` is not
            set.
        DatasetError: If too many images cannot be read, or nothing is left.
        FolderBusyError: If another run writes to `out`.
        OSError: If `out` cannot be written, for instance on a full disk; what is there stays whole.
    """
    if every < 1:
        raise ValueError(f"every must be at least 1, got {every}")
    config, folder = config or CropConfig(), Path(out)
    faults = Faults() if faults is None else faults
    with owning(folder):
        _same_settings(folder, config)
        # Collect the crops of each image, so that it is read once
        jobs: dict[str, list[tuple[Entry, Path]]] = defaultdict(list)
        cut_here = str(folder.resolve()) + os.sep
        for entry in thinned(entries, every):
            if os.path.abspath(entry.image).startswith(cut_here):  # noqa: PTH100 - quick
                raise ValueError(f"{folder} holds the images that are to be cut: give another one")
            jobs[entry.image].append((entry, folder / crop_name(entry, config)))
        _same_sources(folder, jobs, overwrite)
        # Cut them, the images side by side
        new = outside = 0
        crops: list[Entry] = []
        with ThreadPoolExecutor(workers or os.cpu_count() or 1) as threads:
            done = _bounded(threads, lambda job: _cut_all(job, config, faults), list(jobs.items()))
            for cut_here, lost, kept in progress(done, len(jobs)):
                new, outside = new + cut_here, outside + lost
                crops += kept
        # Write the manifest of all, also of those that were there
        if faults.bad:
            logger.warning(faults.summary())
        if not crops:
            raise DatasetError(
                f"{folder}: no crop was cut; {faults.summary()}, {outside} boxes outside their "
                "images"
            )
        manifest = folder / "manifest.jsonl"
        write_manifest(crops, manifest, overwrite=True)
        return Prepared(manifest, len(crops), new, outside, faults)


def crop_name(entry: Entry, config: CropConfig) -> str:
    """Return the path of an entry's crop in the folder; the same for the same entry."""
    key = json.dumps([entry.image, entry.box, entry.track, entry.frame])
    digest = blake2b(key.encode(), digest_size=10).hexdigest()
    source = re.sub(r"[^\w.-]+", "_", entry.source).strip(".") or "data"
    return f"{source}/{digest[:2]}/{digest}.{config.ending}"


def crop_entry(entry: Entry, path: Path, config: CropConfig) -> Entry:
    """Return the entry of the crop at `path`: the box in crop pixels, in the middle."""
    side, size = config.window(entry.box)
    width, height = entry.box[2] * size / side, entry.box[3] * size / side
    box = ((size - width) / 2, (size - height) / 2, width, height)
    return replace(entry, image=str(path), box=box)


def _same_settings(folder: Path, config: CropConfig) -> None:
    """Write the settings into a new folder; refuse a folder that has others."""
    file = folder / "crops.json"
    if file.is_file():
        try:
            before = dict(parse_json(bytes_of(file)))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{file} is no JSON ({error}): give another folder") from error
        if {**asdict(CropConfig()), **before} != asdict(config):  # older files lack some settings
            raise ValueError(
                f"{folder} was cut with other settings, {before}: give another folder, or those"
            )
        return
    if any(item.name != LOCK for item in folder.iterdir()):
        raise ValueError(f"{folder} holds other files: give an empty or a new folder")
    write_whole(file, json.dumps(asdict(config)).encode())


def _same_sources(
    folder: Path, jobs: Mapping[str, list[tuple[Entry, Path]]], overwrite: bool
) -> None:
    """Note bytes and time of the images; refuse, or forget, crops of those that have changed.

    The note is written before anything is cut from an image, and old crops go before the note is
    renewed: whatever moment a process is killed at, none of these passes for a new one.
    """
    file = folder / FOLDER / "sources.json"
    noted: dict[str, list[int]] = {}
    with contextlib.suppress(OSError, AttributeError, ValueError):  # nobody knows
        noted = {
            image: state
            for image, state in parse_json(bytes_of(file)).items()
            if isinstance(state, list) and len(state) == 2
        }
    now = {image: state for image in jobs if (state := _state(image)) is not None}
    changed = [image for image, state in now.items() if noted.get(image, state) != state]
    stale = {
        path: [f"{image} has {now[image][0]} bytes, {noted[image][0]} then, or another time"]
        for image in changed
        for _, path in jobs[image]
        if path.exists()
    }
    if not overwrite:
        refuse_stale(stale, sum(map(len, jobs.values())))
    for path in stale:
        path.unlink()
    if changed or now.keys() - noted.keys():
        write_text(file, json.dumps(noted | now))


def _state(image: str) -> list[int] | None:
    """Return bytes and time of change of an image, or of the tar file that holds it."""
    try:
        found = Path(archive_of(image) or image).stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns]


def _cut_all(
    job: tuple[str, list[tuple[Entry, Path]]], config: CropConfig, faults: Faults
) -> tuple[int, int, list[Entry]]:
    """Cut the crops of one image; return how many are new, how many outside, and all of them."""
    image, jobs = job
    kept = [crop_entry(entry, path, config) for entry, path in jobs if path.exists()]
    todo = [(entry, path) for entry, path in jobs if not path.exists()]
    if not todo:
        return 0, 0, kept
    try:
        frame = read_image(image)
    except ImageError as error:
        faults.add(image, error.reason)
        return 0, 0, kept
    faults.passed()
    new = outside = 0
    border = mean_color(frame)
    for entry, path in todo:
        left, top, width, height = entry.box
        if is_outside(entry.box, frame.shape[1::-1]):
            outside += 1
            continue
        side, size = config.window(entry.box)
        patch = cut(frame, square_window(left + width / 2, top + height / 2, side, size), border)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, _encoded(patch, config))
        kept.append(crop_entry(entry, path, config))
        new += 1
    return new, outside, kept


def _encoded(patch: Image, config: CropConfig) -> bytes:
    options = [_QUALITY[config.ending], config.quality] if config.ending in _QUALITY else []
    _, data = cv2.imencode(f".{config.ending}", patch[..., ::-1], options)
    return data.tobytes()


def _bounded(
    threads: ThreadPoolExecutor, work: Callable[[Any], Any], jobs: list[Any]
) -> Iterator[Any]:
    """Yield the results in order, with a few jobs in flight; an error stops the rest."""
    flying: deque[Future[Any]] = deque()
    try:
        for job in jobs:
            flying.append(threads.submit(work, job))
            if len(flying) > 64:
                yield flying.popleft().result()
        while flying:
            yield flying.popleft().result()
    finally:
        for future in flying:
            future.cancel()
