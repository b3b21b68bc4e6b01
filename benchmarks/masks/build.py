"""Build the pool of masks from clones of public repositories; see README.md beside this file.

python benchmarks/masks/build.py --clones DIR --out data/masks
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.append(str(Path(__file__).resolve().parents[1] / "pool"))

from clones import Clone, MissingError, Pixels
from stills import IMAGES, large, original, stem, upright
from videos import DAVIS_VAL, LATE, OUTLINED, SEGTRACK, frames_of

from siamtrack.core.masks import Mask, from_polygons
from siamtrack.data.manifest import Entry, read_manifest, write_manifest

Bits = NDArray[np.bool_]
AROUND = 1.3
"""How far a crop reaches beyond the box, in mean sides of the box: room for shifted windows."""
SIDE = 128
"""Longest side of the box in a crop, at most: crops are never enlarged."""
LEAST = 24.0
"""Objects whose square root of area is less, in pixels of the original, are left out."""
HELD = 10
"""One picture of so many is held out, by the checksum of its name."""
VOID = 0xE0E0C0
"""Color of the undecided band of PASCAL VOC: red, green, blue from the highest byte down."""
CLIPS = ("girl", "monkey", "monkeydog")
"""Clips of SegTrack v2 for the test; bmx and soldier have names that VOT has as well."""


@dataclass(frozen=True)
class Sample:
    """One object in one picture.

    Attributes:
        name: Path of the crop without ending, unique within the source.
        picture: (H, W, 3), uint8, blue first.
        mask: bool (H, W).
        track: Name of the object, unique within the source.
        frame: Number of the frame in its video; 0 for stills.
        label: Class name, or an empty string.
    """

    name: str
    picture: Pixels
    mask: Bits
    track: str
    frame: int = 0
    label: str = ""


Reader = Callable[..., Iterator[Sample]]


def davis(clone: Clone) -> Iterator[Sample]:
    """Yield every second frame of the 30 training sequences of DAVIS 2016."""
    listed = clone.text("DAVIS/ImageSets/480p/train.txt")
    for path in clone.under("DAVIS/Annotations/480p", ".png"):
        clip, frame = path.split("/")[-2], stem(path)
        if f"/{clip}/" not in listed or clip in DAVIS_VAL or int(frame) % 2:
            continue
        mask = clone.image(path, cv2.IMREAD_GRAYSCALE)
        picture = clone.image(f"DAVIS/JPEGImages/480p/{clip}/{frame}.jpg")
        if mask is not None and picture is not None:
            yield Sample(f"{clip}/{frame}", picture, mask > 127, clip, int(frame))


def segtrack(clips: tuple[str, ...]) -> Reader:
    """Return a reader of clips of SegTrack v2; a second object has masks of its own."""

    def read(clone: Clone) -> Iterator[Sample]:
        for clip in clips:
            masks: dict[int, dict[str, Bits]] = defaultdict(dict)
            for number in ("", "2"):
                truth = f"Input/SegTrack2/Truth/{clip}{number}.mp4"
                film = clone.read(truth) if truth in clone else None
                for index, mask in frames_of(film) if film is not None else ():
                    masks[index + (clip in LATE)][clip + number] = mask.max(axis=2) > 127
            film = clone.read(f"Input/SegTrack2/Video/{clip}.mp4")
            for frame, pixels in frames_of(film, masks) if film is not None else ():
                for track, bits in masks[frame].items():
                    yield Sample(f"{track}/{frame:03d}", pixels, bits, track, frame, clip)

    return read


def schoolgirls(clone: Clone, least: int = 900) -> Iterator[Sample]:
    """Yield parts of one mask for all persons, of every third frame; many show two persons."""
    pictures = clone.read("examples/schoolgirls.mp4")
    paths = clone.under("examples/schoolgirls_mask", ".png")
    for frame, pixels in frames_of(pictures, range(0, len(paths), 3)) if pictures else ():
        mask = clone.image(paths[frame], cv2.IMREAD_GRAYSCALE)
        if mask is None or mask.shape != pixels.shape[:2]:
            continue
        count, parts, table, _ = cv2.connectedComponentsWithStats((mask > 64).astype(np.uint8))
        for number in range(1, count):
            if table[number, cv2.CC_STAT_AREA] >= least:
                name = f"{frame:03d}_{number}"
                yield Sample(name, pixels, parts == number, name, frame, "person")


def salient(clone: Clone, every: int = 8) -> Iterator[Sample]:
    """Yield frames of the clips whose polygon outlines the whole object."""
    for clip in OUTLINED:
        lines = clone.text(f"GroundTruthByPolygons/{clip}_TrackingGroundTruth.txt").splitlines()
        for frame in range(0, len(lines), every):
            points = np.array(lines[frame].split()[1:], float).reshape(-1, 2)
            picture = clone.image(f"OriginalVideosAVI/{clip}/{frame + 1:04d}.jpg")
            if len(points) > 2 and picture is not None:
                mask = from_polygons([points], *picture.shape[:2]).full()
                yield Sample(f"{clip}/{frame:04d}", picture, mask, clip, frame, clip.lower())


def coco(parts: list[tuple[str, str]], least: float = 32.0) -> Reader:
    """Return a reader of COCO polygons; crowds, and polygons that are boxes, are left out."""

    def read(clone: Clone) -> Iterator[Sample]:
        done: set[str] = set()
        for file, folder in parts:
            content = json.loads(clone.text(file))
            labels = {each["id"]: str(each["name"]) for each in content["categories"]}
            notes = defaultdict(list)
            for note in content["annotations"]:
                if outlined(note) and large(note["bbox"], least):
                    notes[note["image_id"]].append(note)
            for each in content["images"]:
                name, path = original(each["file_name"]), f"{folder}/{each['file_name']}"
                if name in done or not notes[each["id"]] or path not in clone:
                    continue
                done.add(name)
                encoded = upright(clone, path, (each["width"], each["height"]))
                pixels = encoded.pixels() if encoded is not None else None
                for note in notes[each["id"]] if pixels is not None else ():
                    polygons = [np.reshape(part, (-1, 2)) for part in note["segmentation"]]
                    mask = from_polygons(polygons, *pixels.shape[:2]).full()
                    track = f"{name}/{note['id']}"
                    label = labels[note["category_id"]]
                    yield Sample(track, pixels, mask, track, 0, label)

    return read


def outlined(note: dict[str, object]) -> bool:
    """Whether an annotation of COCO has polygons that are more than a box."""
    polygons = note.get("segmentation")
    if note.get("iscrowd") or not isinstance(polygons, list) or not polygons:
        return False
    if len(polygons) > 1:
        return all(len(part) >= 6 for part in polygons)
    points = np.reshape(polygons[0], (-1, 2))
    return len(points) > 5 and len(np.unique(points.round(), axis=0)) > 5


def pets(clone: Clone) -> Iterator[Sample]:
    """Yield trimaps: 1 is the pet, 2 is not, and 3, the band between, goes to the nearer one."""
    pictures = {stem(path): path for path in clone.under("images", IMAGES)}
    for path in clone.under("trimaps", IMAGES):
        name = stem(path)
        map_ = clone.image(path, cv2.IMREAD_GRAYSCALE) if name in pictures else None
        picture = clone.image(pictures[name]) if map_ is not None else None
        if map_ is None or picture is None or map_.shape != picture.shape[:2]:
            continue
        mask = nearer(map_ == 1, map_ == 2)
        yield Sample(name, picture, mask, name, 0, name.rsplit("_", 1)[0].lower())


def horses(clone: Clone) -> Iterator[Sample]:
    """Yield Weizmann's horses, whose masks have other sizes than the pictures."""
    pictures = {stem(path): path for path in clone.under("weizmann_horse_db/rgb", IMAGES)}
    for path in clone.under("weizmann_horse_db/figure_ground", IMAGES):
        name = stem(path)
        mask = clone.image(path, cv2.IMREAD_GRAYSCALE) if name in pictures else None
        picture = clone.image(pictures[name]) if mask is not None else None
        if mask is not None and picture is not None:
            size = (picture.shape[1], picture.shape[0])
            mask = cv2.resize(mask, size, interpolation=cv2.INTER_LINEAR)
            yield Sample(name, picture, mask > 127, name, 0, "horse")


def voc(notes: Clone, pictures: Clone) -> Iterator[Sample]:
    """Yield the objects of VOC 2007 whose pictures are in another clone than their masks."""
    for path in notes.under("SegmentationObject", ".png"):
        name = stem(path)
        colors = notes.image(path) if f"JPEGImages/{name}.jpg" in pictures else None
        picture = pictures.image(f"JPEGImages/{name}.jpg") if colors is not None else None
        if colors is None or picture is None or colors.shape != picture.shape:
            continue
        code = colors.astype(np.int32) @ np.array([1, 256, 65536])
        void = code == VOID
        for number, value in enumerate(np.unique(code[~void]).tolist()):
            if value:
                mask = nearer(code == value, ~void & (code != value))
                yield Sample(f"{name}_{number}", picture, mask, f"{name}/{number}")


def nearer(inside: Bits, outside: Bits) -> Bits:
    """Return what is inside, with the part of the undecided band that is nearer to it."""
    inner, outer = (
        cv2.distanceTransform((~part).astype(np.uint8), cv2.DIST_L2, 5)
        for part in (inside, outside)
    )
    return np.asarray(inside | ((inner <= outer) & ~outside))


def yolo(clone: Clone, least: float = 32.0) -> Iterator[Sample]:
    """Yield the polygons of coco128: class and x, y in shares of the picture, a line each."""
    for path in clone.under("instance_segmentation/labels", ".txt"):
        image = path.replace("instance_segmentation/labels", "images").removesuffix(".txt")
        picture = clone.image(f"{image}.jpg") if f"{image}.jpg" in clone else None
        text = clone.read(path) if picture is not None else None
        for number, line in enumerate((text or b"").decode().splitlines()):
            points = np.array(line.split()[1:], float).reshape(-1, 2)
            points *= (picture.shape[1], picture.shape[0])
            if len(points) > 5 and large((0, 0, *np.ptp(points, axis=0)), least):
                mask = from_polygons([points], *picture.shape[:2]).full()
                yield Sample(f"{stem(path)}/{number}", picture, mask, f"{stem(path)}/{number}")


def files(folder: str) -> list[tuple[str, str]]:
    parts = ("train2017", "val2017")
    return [(f"{folder}annotations/instances_{x}.json", folder + x) for x in parts]


ROBOFLOW = [
    (f"dataset/{x}/_annotations.coco.json", f"dataset/{x}") for x in ("train", "valid", "test")
]
# "name owner/repository commit", what reads it, and whether it is stills, one in ten of which is
# held out; the clips of `segtrack_test` are all held out
SOURCES: tuple[tuple[str, Reader, bool], ...] = (
    ("coco_tiny_zzowenzz zzowenzz/COCO_Tiny e7a689f7d6", coco(files("")), True),
    ("coco_mini_obmutescence Obmutescence/COCO-MINI 644f29e7c1", coco(files("")), True),
    ("tiny_coco_lizhogn lizhogn/tiny_coco_dataset 68523ddd6c", coco(files("tiny_coco/")), True),
    (
        "endangered_animals KomaHomu/Applying-Mask-RCNN-in-endangered-animals-detection 609dc5553c",
        coco(ROBOFLOW),
        True,
    ),
    ("oxford_pets_600 Naveen-Dodda/Sample_Pets_dataset 9281626a62", pets, True),
    ("weizmann_horses shenshutao/image_segmentation 2653401d6e", horses, True),
    (
        "voc2007 vincent317/GTEA_GAZE_PLUS-VOC2007-format- 83ef17bad3 smsjb/voc 17a579fd1c",
        voc,
        True,
    ),
    ("coco128_yolo lightly-ai/coco128_yolo 6d6f7a059e", yolo, True),
    ("segtrack materight/non-rigid-object-tracking 70e648c1c9", segtrack(SEGTRACK), False),
    ("segtrack_test materight/non-rigid-object-tracking 70e648c1c9", segtrack(CLIPS), False),
    ("davis2016 xmican10/KNN-project 80880aeb90", davis, False),
    ("salient_boundary xuebinqin/SalientClosedBoundaryTrackingDataset 4098a457ea", salient, False),
    ("schoolgirls MCG-NKU/E2FGVI 709cbe319e", schoolgirls, False),
)


def cut(sample: Sample, out: Path, source: str) -> Entry | None:
    """Write the crop of a sample and return its entry; None if it is too small or fills all."""
    mask = Mask.of(sample.mask)
    left, top, width, height = mask.box
    rows, columns = mask.shape
    if mask.area < 0.05 * width * height or width * height < LEAST**2 or min(width, height) < 8:
        return None
    if mask.area > 0.97 * rows * columns:
        return None
    reach = AROUND * (width + height) / 2
    x0, y0 = max(0, int(left - reach)), max(0, int(top - reach))
    x1, y1 = min(columns, int(left + width + reach)), min(rows, int(top + height + reach))
    scale = min(1.0, SIDE / max(width, height))
    size = (max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale)))
    crop = cv2.resize(sample.picture[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA)
    share = sample.mask[y0:y1, x0:x1].astype(np.float32)
    small = Mask.of(cv2.resize(share, size, interpolation=cv2.INTER_AREA) > 0.5)
    if not small.area:
        return None
    file = out / source / f"{sample.name}.jpg"
    file.parent.mkdir(parents=True, exist_ok=True)
    coded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 93])[1]
    file.write_bytes(coded.tobytes())
    return Entry(
        str(file),
        small.box,
        f"{source}/{sample.track}",
        sample.frame,
        sample.label,
        source,
        small.rle(),
    )


def is_held(track: str) -> bool:
    """Whether a picture is held out: by its own name, in whichever source it occurs."""
    return zlib.crc32(track.split("/")[0].encode()) % HELD == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clones", type=Path, required=True, help="folder of the clones")
    parser.add_argument("--out", type=Path, default=Path("data/masks"), help="folder of the pool")
    options = parser.parse_args()
    out = options.out.resolve()
    cv2.setNumThreads(1)
    parts: dict[str, list[Entry]] = {"train": [], "test": []}
    for source, read, stills in SOURCES:
        name, *places = source.split()
        made = out / f"{name}.jsonl"
        if made.is_file():
            found = read_manifest(made)
        else:
            found = []
            try:
                with ExitStack() as stack:
                    pairs = zip(places[::2], places[1::2], strict=True)
                    clones = [stack.enter_context(Clone(options.clones, *each)) for each in pairs]
                    for sample in read(*clones):
                        entry = cut(sample, out, name)
                        found += [] if entry is None else [entry]
            except MissingError as reason:
                print(f"warning: {name} left out: {reason}", flush=True)
                continue
            write_manifest(found, made)
        counts: Counter[str] = Counter()
        for entry in found:
            track = entry.track.partition("/")[2]
            held = is_held(track) if stills else name == "segtrack_test"
            parts["test" if held else "train"].append(entry)
            counts["test" if held else "train"] += 1
        print(f"{name}: {counts['train']} to train, {counts['test']} held out", flush=True)
    for part, entries in parts.items():
        if entries:
            write_manifest(entries, out / f"{part}.jsonl", overwrite=True)


if __name__ == "__main__":
    main()
