"""Small trees in the layout of each training set: one video of a moving square, or stills of it.

Each function writes into `root` and returns the source to open. `BOXES` is the truth everywhere.
"""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np

from tests.helpers import clip

FRAMES = 4
PICTURES, BOXES = clip(FRAMES)
HEIGHT, WIDTH = PICTURES.shape[1:3]


def write_image(path: Path, picture: np.ndarray = PICTURES[0]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture[..., ::-1])
    return path


def write_text(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def rows(base: int) -> str:
    return "".join(f"{x + base},{y + base},{w},{h}\n" for x, y, w, h in BOXES)


def got10k(root: Path, sequences: int = 2) -> str:
    names = [f"GOT-10k_Train_{number:06d}" for number in range(1, sequences + 1)]
    write_text(root / "train/list.txt", "\n".join(names) + "\n")
    for name in names:
        folder = root / "train" / name
        for index, picture in enumerate(PICTURES):
            write_image(folder / f"{index + 1:08d}.jpg", picture)
        write_text(folder / "groundtruth.txt", rows(1))
        write_text(folder / "absence.label", "0\n" * FRAMES)
        write_text(folder / "cover.label", "8\n" * FRAMES)
        meta = f"[METAINFO]\nobject_class: knot\nresolution: ({WIDTH}, {HEIGHT})\n"
        write_text(folder / "meta_info.ini", meta)
    return f"got10k:{root}"


def lasot(root: Path, names: tuple[str, ...] = ("airplane-1", "airplane-2")) -> str:
    for name in names:
        folder = root / name.split("-")[0] / name
        for index, picture in enumerate(PICTURES):
            write_image(folder / "img" / f"{index + 1:08d}.jpg", picture)
        write_text(folder / "groundtruth.txt", rows(1))
        write_text(folder / "full_occlusion.txt", ",".join("0" * FRAMES))
        write_text(folder / "out_of_view.txt", ",".join("0" * FRAMES))
    return f"lasot:{root}"


def trackingnet(root: Path) -> str:
    for index, picture in enumerate(PICTURES):
        write_image(root / "TRAIN_0/frames/abc_0" / f"{index}.jpg", picture)
    write_text(root / "TRAIN_0/anno/abc_0.txt", rows(0))
    (root / "TEST/anno").mkdir(parents=True)
    return f"trackingnet:{root}"


def voc_xml(boxes: np.ndarray, tracks: bool) -> str:
    objects = "".join(
        "<object>"
        + (f"<trackid>{number}</trackid>" if tracks else "")
        + f"<name>n0{number}</name><bndbox><xmax>{x + w - 1:g}</xmax><xmin>{x:g}</xmin>"
        f"<ymax>{y + h - 1:g}</ymax><ymin>{y:g}</ymin></bndbox><occluded>0</occluded></object>"
        for number, (x, y, w, h) in enumerate(boxes)
    )
    size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>"
    return f"<annotation><folder>a</folder>{size}{objects}</annotation>"


def imagenet_vid(root: Path) -> str:
    place = "VID/train/ILSVRC2015_VID_train_0000/ILSVRC2015_train_00000000"
    for index, picture in enumerate(PICTURES):
        data = root / "ILSVRC2015/Data" / place / f"{index:06d}.JPEG"
        write_image(data.with_suffix(".jpg"), picture).rename(data)
        anno = root / "ILSVRC2015/Annotations" / place / f"{index:06d}.xml"
        write_text(anno, voc_xml(BOXES[index : index + 1], tracks=True))
    return f"imagenet-vid:{root}"


def imagenet_det(root: Path) -> str:
    for index, picture in enumerate(PICTURES):
        place = f"DET/train/ILSVRC2014_train_000{index}/ILSVRC2014_train_{index:08d}"
        data = root / "Data" / f"{place}.JPEG"
        write_image(data.with_suffix(".jpg"), picture).rename(data)
        anno = root / "Annotations" / f"{place}.xml"
        write_text(anno, voc_xml(BOXES[index : index + 1], tracks=False))
    return f"imagenet-det:{root}"


def youtube_bb(root: Path) -> str:
    lines = []
    for index, picture in enumerate(PICTURES):
        x, y, w, h = BOXES[index] / [WIDTH, HEIGHT, WIDTH, HEIGHT]
        lines.append(f"AAB6lO-XiKE,{index * 1000},0,person,0,present,{x},{x + w},{y},{y + h}")
        write_image(root / "yt/0" / f"AAB6lO-XiKE+0+0+{index * 1000}.jpg", picture)
    lines.append(f"AAB6lO-XiKE,{FRAMES * 1000},0,person,0,absent,-1,-1,-1,-1")
    write_text(root / "yt_bb_detection_train.csv", "\n".join(lines) + "\n")
    return f"youtube-bb:{root}"


def coco(root: Path) -> str:
    content = {
        "images": [
            {"id": index, "file_name": f"{index:012d}.jpg", "width": WIDTH, "height": HEIGHT}
            for index in range(FRAMES)
        ],
        "annotations": [
            {"id": 100 + index, "image_id": index, "category_id": 3, "bbox": box, "iscrowd": 0}
            for index, box in enumerate(BOXES.tolist())
        ]
        + [{"id": 9, "image_id": 0, "category_id": 3, "bbox": [0, 0, 99, 99], "iscrowd": 1}],
        "categories": [{"id": 3, "name": "square"}],
    }
    for index, picture in enumerate(PICTURES):
        write_image(root / "train2017" / f"{index:012d}.jpg", picture)
    write_text(root / "annotations/instances_train2017.json", json.dumps(content))
    return f"coco:{root}"


def write_palette(path: Path, mask: np.ndarray, depth: int = 8) -> Path:
    """Write object numbers (H, W) as a PNG with a palette, as DAVIS and YouTube-VOS have them."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    height, width = mask.shape
    bits = np.unpackbits(mask.astype(np.uint8)[..., None], axis=2)[..., 8 - depth :]
    packed = np.packbits(bits.reshape(height, -1), axis=1)
    lines = np.hstack([np.zeros((height, 1), np.uint8), packed]).tobytes()
    palette = np.random.default_rng(0).integers(0, 255, (2**depth, 3)).astype(np.uint8)
    palette[: min(3, 2**depth)] = 7  # colors may repeat, numbers do not
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 3, 0, 0, 0))
        + chunk(b"PLTE", palette.tobytes())
        + chunk(b"IDAT", zlib.compress(lines))
        + chunk(b"IEND", b"")
    )
    return path


def mask_of(index: int, number: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    x, y, w, h = BOXES[index].astype(int)
    mask[y : y + h, x : x + w] = number
    mask[0, 0] = 255
    return mask


def davis(root: Path) -> str:
    write_text(root / "ImageSets/2017/train.txt", "bear\n")
    write_text(root / "ImageSets/2017/val.txt", "cows\n")
    for name in ("bear", "cows"):
        for index, picture in enumerate(PICTURES):
            write_image(root / f"JPEGImages/480p/{name}/{index:05d}.jpg", picture)
            mask = root / f"Annotations/480p/{name}/{index:05d}.png"
            write_palette(mask, mask_of(index, 2))
    return f"davis:{root}"


def davis2016(root: Path) -> str:
    """The older layout, with masks of 0 and 255."""
    lines = []
    for index, picture in enumerate(PICTURES):
        image, mask = f"JPEGImages/480p/bear/{index:05d}.jpg", f"Annotations/480p/bear/{index:05d}"
        lines.append(f"/{image} /{mask}.png ")
        write_image(root / image, picture)
        gray = (mask_of(index, 1) == 1).astype(np.uint8) * 255
        write_image(root / f"{mask}.png", np.repeat(gray[..., None], 3, axis=2))
    write_text(root / "ImageSets/480p/train.txt", "\n".join(lines))
    return f"davis:{root}"


def youtube_vos(root: Path) -> str:
    objects = {"3": {"category": "ape", "frames": ["00000"]}}
    meta = {"videos": {"003234408d": {"objects": objects}}}
    write_text(root / "train/meta.json", json.dumps(meta))
    for index, picture in enumerate(PICTURES):
        write_image(root / f"train/JPEGImages/003234408d/{index * 5:05d}.jpg", picture)
        mask = root / f"train/Annotations/003234408d/{index * 5:05d}.png"
        write_palette(mask, mask_of(index, 3))
    return f"youtube-vos:{root}"


TREES = {
    each.__name__: each
    for each in (
        got10k,
        lasot,
        trackingnet,
        imagenet_vid,
        imagenet_det,
        youtube_bb,
        coco,
        davis,
        davis2016,
        youtube_vos,
    )
}
