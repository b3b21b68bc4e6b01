"""DAVIS, boxes from masks: `davis:PATH` to train; `davis2016:PATH`, `davis2017:PATH` to evaluate.

    PATH/ImageSets/2017/train.txt           names of videos; or ImageSets/2016/train.txt, or
                                            ImageSets/480p/train.txt with an image and a mask a line
    PATH/JPEGImages/480p/bear/00000.jpg     or Full-Resolution, for training
    PATH/Annotations/480p/bear/00000.png    2017: object numbers; 2016: 0 and 255

`val.txt` lists the videos for evaluation, which are never read for training. 2016 has one target a
video; in 2017 each number is one, called `bear-1` and so on. A box is the one around the pixels of
the target; a frame without any has no target. Perazzi et al., "A Benchmark Dataset and Evaluation
Methodology for Video Object Segmentation", 2016; Pont-Tuset et al., "The 2017 DAVIS Challenge",
https://arxiv.org/abs/1704.00675.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial as bind
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

from siamtrack.core.images import decode, image_files
from siamtrack.data.cache import read_bytes
from siamtrack.data.layout import Entries, folders, frames_beside, names_in
from siamtrack.data.manifest import Entry
from siamtrack.data.sequence import Dataset, Sequence
from siamtrack.data.sources import DATASETS, TRAINING, Findings
from siamtrack.errors import DatasetError, ImageError

Box = tuple[float, float, float, float]
Mask = NDArray[np.uint8]
VOID = 255
"""Number of pixels that belong to no object, beside 0."""
ABSENT = (np.nan,) * 4


def open_davis(path: Path, *, year: int, partial: bool = False) -> Dataset:
    """Open the validation part."""
    names = _videos(path / "ImageSets" / str(year) / "val.txt")
    masks, images = path / "Annotations" / "480p", path / "JPEGImages" / "480p"
    missing = [name for name in names if not (masks / name).is_dir()]
    if missing and not partial:
        raise DatasetError(f"DAVIS {year}: no masks of {', '.join(missing)} in {masks}")
    found = [
        sequence
        for name in names
        if name not in missing
        for sequence in _sequences(masks / name, images / name, year)
    ]
    return Dataset(f"DAVIS {year}", found, missing=missing)


@TRAINING.register("davis")
def read_davis(path: Path, found: Findings) -> Iterator[Entry]:
    """Yield the objects of the training videos of DAVIS.

    Masks are decoded while reading, in as many threads as there are processors.
    """
    lists = [path / "ImageSets" / year / "train.txt" for year in ("2017", "2016", "480p")]
    names = next((_videos(file) for file in lists if file.is_file()), None)
    if names is None:
        raise DatasetError(
            f"{lists[0]}: not there; expected the list of training videos of DAVIS here, because "
            "its val videos are not for training"
        )
    for part in ("480p", "Full-Resolution", "1080p"):
        images, masks = path / "JPEGImages" / part, path / "Annotations" / part
        if images.is_dir() and masks.is_dir():
            break
    else:
        raise DatasetError(
            f"{path}: expected JPEGImages/480p and Annotations/480p (or Full-Resolution) of DAVIS"
        )
    here = {folder.name for folder in folders(masks)}
    with ThreadPoolExecutor() as workers:
        for name in sorted(names):
            if name in here:
                yield from mask_entries(
                    Entries("davis", found), name, masks / name, images / name, {}, workers
                )
            else:
                found.add("missing", f"{masks}/{name}")


def _videos(file: Path) -> list[str]:
    """Return the videos of a list, which names them, or an image and a mask of theirs a line."""
    words = map(PurePosixPath, names_in(file))
    return list(dict.fromkeys(word.parent.name or word.name for word in words))


def _sequences(masks: Path, images: Path, year: int) -> list[Sequence]:
    files = image_files(masks.iterdir())
    if not files:
        raise DatasetError(f"{masks}: no masks in it")
    frames = frames_beside(images, len(files), masks)
    if year == 2016:
        boxes = [mask_boxes(np.minimum(read_mask(file), 1)).get(1, ABSENT) for file in files]
        return [Sequence(masks.name, frames, boxes)]
    found = [mask_boxes(read_mask(file)) for file in files]
    return [
        Sequence(f"{masks.name}-{number}", frames, [each.get(number, ABSENT) for each in found])
        for number in sorted(set().union(*found))
    ]


def mask_entries(
    entries: Entries,
    video: str,
    masks: Path,
    images: Path,
    labels: Mapping[int, str],
    workers: ThreadPoolExecutor,
) -> Iterator[Entry]:
    """Yield the objects of one video; what cannot be read is added to the findings of `entries`.

    Args:
        entries: Makes the entries.
        video: Name of the video.
        masks: Folder of PNGs in the order of the frames; a stem that is a number is that of its
            frame.
        images: Folder of JPEGs whose stems are those of the masks.
        labels: Class names by object number.
        workers: Threads that decode masks.
    """

    def boxes_in(path: Path) -> dict[int, Box] | ImageError:
        try:
            return mask_boxes(read_mask(path))
        except ImageError as error:
            return error

    files = sorted(masks.glob("*.png"))
    tracks: dict[int, tuple[list[Box], list[str], list[int]]] = {}
    for index, (path, found) in enumerate(zip(files, workers.map(boxes_in, files), strict=True)):
        if isinstance(found, ImageError):
            entries.found.add("unreadable", str(found))
            continue
        frame = int(path.stem) if path.stem.isdecimal() else index
        for number, box in found.items():
            boxes, names, frames = tracks.setdefault(number, ([], [], []))
            boxes.append(box)
            names.append(f"{images}/{path.stem}.jpg")
            frames.append(frame)
    if not tracks:
        entries.found.add("empty", video)
    for number, (boxes, names, frames) in sorted(tracks.items()):
        name, label = f"{video}/{number}", labels.get(number, "")
        yield from entries.track(name, np.array(boxes), names, label, frames=frames)


def read_mask(path: Path) -> Mask:
    """Return the object numbers (H, W) of a mask: a PNG with a palette, in gray, or in colors.

    A gray mask of one object has 0 and 255; that object is number 1. Colors are those of PASCAL
    VOC's palette.

    Raises:
        ImageError: If the file is missing or is no such image.
    """
    data = read_bytes(path).tobytes()
    # Decoders turn palette numbers into colors: say gray in the header, and the numbers stay
    is_palette = data[:8] == b"\x89PNG\r\n\x1a\n" and data[25:26] == b"\x03"
    depth = data[24] if is_palette else 8
    if is_palette:
        header = data[12:25] + b"\x00" + data[26:29]
        data = data[:12] + header + struct.pack(">I", zlib.crc32(header)) + _plain(data[33:])
    mask = decode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if mask is None or mask.dtype != np.uint8:
        raise ImageError(str(path), "no readable mask")
    # Numbers from what was decoded
    if mask.ndim == 3:
        colors = mask[..., 2::-1]
        is_gray = (colors == colors[..., :1]).all()
        mask = colors[..., 0] if is_gray else palette_index(colors)
    if depth < 8:
        mask = mask // (255 // (2**depth - 1))
    elif not is_palette and set(np.unique(mask).tolist()) <= {0, 255}:
        mask = np.minimum(mask, 1)
    return np.asarray(mask, dtype=np.uint8)


def _plain(chunks: bytes) -> bytes:
    """Return the chunks of a PNG without palette and transparency, which gray does not have."""
    place = 0
    kept = []
    while place + 8 <= len(chunks) and (kind := chunks[place + 4 : place + 8]) != b"IDAT":
        end = place + 12 + int.from_bytes(chunks[place : place + 4], "big")
        if kind not in (b"PLTE", b"tRNS", b"bKGD", b"hIST", b"sBIT"):
            kept.append(chunks[place:end])
        place = end
    return b"".join(kept) + chunks[place:]


def palette_index(colors: Mask) -> Mask:
    """Return the index (H, W) of each RGB color (H, W, 3) in the palette of PASCAL VOC.

    Bit k of an index is spread over the channels: bits 0, 1, 2 become the highest bit of red, green
    and blue, bits 3, 4, 5 the next one, and so on.

    Example:
        >>> palette_index(np.array([[[128, 0, 0], [0, 128, 0], [64, 0, 0]]], np.uint8)).tolist()
        [[1, 2, 8]]
    """
    index = np.zeros(colors.shape[:2], np.uint8)
    for bit in range(8):
        on = (colors[..., bit % 3] >> (7 - bit // 3)) & 1
        index |= (on << bit).astype(np.uint8)
    return index


def mask_boxes(mask: Mask) -> dict[int, Box]:
    """Return the box ltwh around each object of a mask (H, W), by number.

    Example:
        >>> mask = np.zeros((6, 8), np.uint8)
        >>> mask[2:4, 3:7] = 5
        >>> mask_boxes(mask)
        {5: (3.0, 2.0, 4.0, 2.0)}
    """
    boxes: dict[int, Box] = {}
    for number in np.flatnonzero(np.bincount(mask.ravel(), minlength=256)).tolist():
        if number not in (0, VOID):
            left, top, width, height = cv2.boundingRect((mask == number).astype(np.uint8))
            boxes[number] = (float(left), float(top), float(width), float(height))
    return boxes


for _year in (2016, 2017):
    DATASETS.register(f"davis{_year}")(bind(open_davis, year=_year))
