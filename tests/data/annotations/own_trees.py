"""The moving square of `trees`, annotated in the formats of annotation tools."""

from __future__ import annotations

import json
from pathlib import Path

from tests.data.annotations.trees import (
    BOXES,
    FRAMES,
    HEIGHT,
    PICTURES,
    WIDTH,
    write_image,
    write_text,
)


def cvat_video(root: Path, images: bool = True) -> str:
    boxes = "".join(
        f'<box frame="{index}" keyframe="1" outside="0" occluded="0" xtl="{x}" ytl="{y}" '
        f'xbr="{x + w}" ybr="{y + h}" z_order="0"></box>'
        for index, (x, y, w, h) in enumerate(BOXES)
    )
    gone = f'<box frame="{FRAMES}" outside="1" xtl="0" ytl="0" xbr="9" ybr="9"></box>'
    track = f'<track id="0" label="square" source="manual">{boxes}{gone}</track>'
    write_text(
        root / "annotations.xml",
        f'<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version>{track}'
        "</annotations>",
    )
    if images:
        for index, picture in enumerate(PICTURES):
            write_image(root / "images" / f"frame_{index:06d}.PNG", picture)
    return f"cvat:{root}"


def cvat_images(root: Path) -> str:
    images = "".join(
        f'<image id="{index}" name="day/{index}.png" width="{WIDTH}" height="{HEIGHT}">'
        f'<box label="square" xtl="{x}" ytl="{y}" xbr="{x + w}" ybr="{y + h}"></box></image>'
        for index, (x, y, w, h) in enumerate(BOXES)
    )
    write_text(root / "annotations.xml", f"<annotations>{images}</annotations>")
    for index, picture in enumerate(PICTURES):
        write_image(root / "images/day" / f"{index}.png", picture)
    return f"cvat:{root}"


def coco_vid(root: Path, **changes: object) -> str:
    content: dict[str, object] = {
        "categories": [{"id": 1, "name": "square"}],
        "videos": [{"id": 7, "name": "a"}],
        "images": [
            {
                "id": 10 + index,
                "video_id": 7,
                "frame_id": index,
                "file_name": f"a/{index}.png",
                "width": WIDTH,
                "height": HEIGHT,
            }
            for index in range(FRAMES)
        ],
        "annotations": [
            {
                "id": 20 + index,
                "image_id": 10 + index,
                "instance_id": 5,
                "category_id": 1,
                "bbox": box,
            }
            for index, box in enumerate(BOXES.tolist())
        ],
    }
    write_text(root / "all.json", json.dumps(content | changes))
    for index, picture in enumerate(PICTURES):
        write_image(root / "images/a" / f"{index}.png", picture)
    return f"coco-video:{root / 'all.json'}"


def youtube_vis(root: Path) -> str:
    names = [f"a/{index}.png" for index in range(FRAMES + 1)]
    return coco_vid(
        root,
        images=[],
        videos=[{"id": 7, "file_names": names, "width": WIDTH, "height": HEIGHT}],
        annotations=[{"id": 3, "video_id": 7, "category_id": 1, "bboxes": [*BOXES.tolist(), None]}],
    )


def mot(root: Path) -> str:
    lines = [
        f"{index + 1},4,{x + 1},{y + 1},{w},{h},1,1,1.0" for index, (x, y, w, h) in enumerate(BOXES)
    ]
    write_text(root / "gt/gt.txt", "\n".join([*lines, "1,9,1,1,5,5,0,1,1.0"]) + "\n")
    info = f"[Sequence]\nname=a\nimDir=img1\nimWidth={WIDTH}\nimHeight={HEIGHT}\n"
    write_text(root / "seqinfo.ini", info)
    for index, picture in enumerate(PICTURES):
        write_image(root / "img1" / f"{index + 1:06d}.png", picture)
    return f"mot:{root}"


def yolo(root: Path) -> str:
    write_text(root / "data.yaml", "train: images/train\nnames:\n  0: other\n  1: square\n")
    for index, picture in enumerate(PICTURES):
        x, y, w, h = BOXES[index] / [WIDTH, HEIGHT, WIDTH, HEIGHT]
        line = f"1 {x + w / 2} {y + h / 2} {w} {h}\n"
        if index == 1:
            line = f"1 {x} {y} {x + w} {y} {x + w} {y + h} {x} {y + h}\n"
        write_text(root / "labels/train" / f"{index}.txt", line)
        write_image(root / "images/train" / f"{index}.png", picture)
    write_text(root / "labels/val/7.txt", "0 0.5 0.5 0.1 0.1\n")
    return f"yolo:{root}"


OWN = {each.__name__: each for each in (cvat_video, cvat_images, coco_vid, youtube_vis, mot, yolo)}
