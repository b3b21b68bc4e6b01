"""A tiny manifest of real images: two videos of moving squares, and stills."""

from __future__ import annotations

import json
from pathlib import Path

import cv2

from tests.helpers import clip, texture


def write_manifest(folder: Path, frames: int = 4) -> Path:
    """Write images and manifest.jsonl; return the folder."""
    (folder / "set").mkdir(parents=True)
    lines = []
    pictures, boxes = clip(frames)
    for index, (picture, box) in enumerate(zip(pictures, boxes, strict=True)):
        cv2.imwrite(str(folder / "set" / f"{index}.png"), picture[..., ::-1])
        lines.append({"image": f"set/{index}.png", "box": list(box), "track": "a", "frame": index})
    for index in range(3):
        cv2.imwrite(str(folder / "set" / f"s{index}.png"), texture(index + 5, 120, 160))
        lines.append({"image": f"set/s{index}.png", "box": [40, 30, 50, 60], "label": "thing"})
    text = "\n".join(json.dumps(line) for line in lines)
    (folder / "manifest.jsonl").write_text(text)
    return folder
