"""Build a training pool from clones of public repositories; see README.md beside this file.

python benchmarks/pool/build.py --clones DIR --out data/pool [--only NAME ...]
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
from clones import Clone, MissingError
from cutting import Picture, cut
from stills import PARTS, Coco, Masks, Table, Voc, Whole, Yolo
from videos import (
    davis,
    drones,
    fod,
    football_tracks,
    mot17,
    salient,
    schoolgirls,
    segtrack,
    w_tracking,
)

from siamtrack.data.manifest import Entry, read_manifest, write_manifest

Reader = Callable[[Clone], Iterator[Picture]]


def coco(folder: str) -> Coco:
    files = ("train2017", "val2017")
    return Coco([(f"{folder}annotations/instances_{x}.json", folder + x) for x in files], least=24)


def parts(folder: str = "") -> list[tuple[str, str]]:
    """Return the folders of labels and of images in each part of a YOLO set."""
    return [(f"{folder}{part}/labels", f"{folder}{part}/images") for part in PARTS]


# "name owner/repository commit", and what reads it; sources that matter most come first
SOURCES: tuple[tuple[str, Reader], ...] = (
    ("davis2016 xmican10/KNN-project 80880aeb90", davis),
    ("voc_smsjb smsjb/voc 17a579fd1c", Voc("Annotations", "JPEGImages", first=1)),
    ("coco_tiny_zzowenzz zzowenzz/COCO_Tiny e7a689f7d6", coco("")),
    ("coco_mini_obmutescence Obmutescence/COCO-MINI 644f29e7c1", coco("")),
    ("tiny_coco_lizhogn lizhogn/tiny_coco_dataset 68523ddd6c", coco("tiny_coco/")),
    (
        "coco128_yolo lightly-ai/coco128_yolo 6d6f7a059e",
        Yolo(
            [(f"object_detection/labels/{x}", f"images/{x}") for x in ("train2017", "val2017")],
            "object_detection/config.yaml",
            least=24,
            crowd=100,
        ),
    ),
    ("fod_a thenorthwes/fodadataset 39ed3b9d98", fod),
    ("drone_vs_bird DroneDetectionThesis/Drone-detection-dataset 442d0c6750", drones),
    ("salient_boundary xuebinqin/SalientClosedBoundaryTrackingDataset 4098a457ea", salient),
    ("w_tracking w-tracking/w-tracking-dataset 07d68cea18", w_tracking),
    ("segtrack materight/non-rigid-object-tracking 70e648c1c9", segtrack),
    ("schoolgirls MCG-NKU/E2FGVI 709cbe319e", schoolgirls),
    ("football_tracks Juank0621/football_yolo11 c324e53802", football_tracks),
    ("mot17_boxmot debarghabhattofficial/yolo_tracking 11a09da99d", mot17),
    (
        "football Juank0621/football_yolo11 c324e53802",
        Yolo(parts("datasets/"), "datasets/data.yaml", crowd=3),
    ),
    ("fencing Log45/Fencing-Referee 9d42a40f75", Yolo(parts("datasets/fencers/"), ("fencer",))),
    (
        "endangered_animals KomaHomu/Applying-Mask-RCNN-in-endangered-animals-detection 609dc5553c",
        Coco([(f"dataset/{x}/_annotations.coco.json", f"dataset/{x}") for x in PARTS]),
    ),
    (
        "oxford_pets_600 Naveen-Dodda/Sample_Pets_dataset 9281626a62",
        Masks("trimaps", "images", background=(2, 2)),
    ),
    (
        "gtea_gaze_plus vincent317/GTEA_GAZE_PLUS-VOC2007-format- 83ef17bad3",
        Voc("Annotations", "JPEGImages"),
    ),
    (
        "military_vehicles MianAliKhalid/Military-Object-Detection 5835fee01b",
        Yolo(parts("datasets/"), "datasets/data.yaml"),
    ),
    (
        "indian_vehicles Bhargavi210301/Object-Detection-POC 7e6a5943b6",
        Yolo(parts("dataset/"), "dataset/data.yaml"),
    ),
    (
        "freiburg_groceries aleksandar-aleksandrov/groceries-object-detection-dataset 456a9cbbdf",
        Voc("dataset/annotations", "dataset/images", most=640),
    ),
    (
        "garbage ATANU0023/garbage_detection_dataset 1e9fc55088",
        Yolo(parts(), "data.yaml", most=750, crowd=3),
    ),
    (
        "ecobin_waste Capstone-Sampah/ecobin-dataset 1318896dab",
        Table([f"dataset/{x}/_annotations.csv" for x in ("valid", "test")], most=750, crowd=3),
    ),
    (
        "weizmann_horses shenshutao/image_segmentation 2653401d6e",
        Masks("weizmann_horse_db/figure_ground", "weizmann_horse_db/rgb", (0, 127), "horse"),
    ),
    ("raccoon datitran/raccoon_dataset 9393884930", Voc("annotations", "images")),
    ("kangaroo experiencor/kangaroo 882bbbd75b", Voc("annots", "images")),
    (
        "playing_cards EdjeElectronics/TensorFlow-Object-Detection-API-Tutorial-Train-Multiple-"
        "Objects-Windows-10 c164582582",
        Voc("images", "images"),
    ),
    (
        "aerial_cars jekhor/aerial-cars-dataset d2ed927fe2",
        Yolo([("", "")], ("car", "truck", "bus", "minibus", "cyclist"), least=20),
    ),
    ("toys PrahasHegde/ToyDetection 0929754164", Yolo(parts(), ("bull", "pig"))),
    (
        "caltech101 MachineLearning2020/Homework2-Caltech101 836044dd00",
        Whole(
            "101_ObjectCategories", 0.9, leave=("BACKGROUND_Google", "Faces", "Faces_easy"), each=31
        ),
    ),
    ("imagenet_sample EliSchwartz/imagenet-sample-images bc69043e28", Whole("", 0.5, "unlabelled")),
)


def build(source: str, read: Reader, clones: Path, out: Path) -> list[Entry]:
    """Return the entries of a source; it is read and cut unless its manifest is there."""
    name, repository, commit = source.split()
    part = out / f"{name}.jsonl"
    if part.is_file():
        return read_manifest(part)
    began = time.perf_counter()
    entries: list[Entry] = []
    # What a run that was stopped left behind has no manifest, and is cut again
    shutil.rmtree(out / name, ignore_errors=True)
    try:
        with Clone(clones, repository, commit) as clone:
            for picture in read(clone):
                entries += cut(picture, out, name)
    except MissingError as reason:
        print(f"warning: {name} left out: {reason}", flush=True)
        return []
    if clone.unread:
        print(f"warning: {name}: {clone.unread} files absent or unreadable", flush=True)
    if not entries:
        print(f"warning: {name} left out: nothing usable in the clone", flush=True)
        return []
    write_manifest(entries, part)
    print(f"{summary(name, entries)}, {time.perf_counter() - began:.0f} s", flush=True)
    return entries


def summary(name: str, entries: list[Entry]) -> str:
    tracks = Counter(entry.track for entry in entries)
    moving = sum(count > 1 for count in tracks.values())
    files = len({entry.image for entry in entries})
    return f"{name}: {len(entries)} objects, {moving} tracks, {files} files"


def main() -> None:
    names = [source.split()[0] for source, _ in SOURCES]
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clones", type=Path, required=True, help="folder of the clones")
    parser.add_argument("--out", type=Path, default=Path("data/pool"), help="folder of the pool")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    options = parser.parse_args()
    out = options.out.resolve()
    cv2.setNumThreads(1)
    entries: list[Entry] = []
    for name, (source, read) in zip(names, SOURCES, strict=True):
        is_there = (out / f"{name}.jsonl").is_file()
        if not is_there and name not in options.only:
            continue
        entries += build(source, read, options.clones, out)
        # Training can begin on what there is, so the manifest grows with each new source
        if entries and not is_there:
            write_manifest(entries, out / "manifest.jsonl", overwrite=True)
    if entries:
        write_manifest(entries, out / "manifest.jsonl", overwrite=True)
        print(summary("pool", entries))


if __name__ == "__main__":
    main()
