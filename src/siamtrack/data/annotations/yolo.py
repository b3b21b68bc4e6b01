"""YOLO folders: `yolo:PATH`.

    PATH/data.yaml                          optional: `names`; or classes.txt, obj.names
    PATH/images/train/a.jpg ...             or PATH/train/images/a.jpg
    PATH/labels/train/a.txt ...             or PATH/train/labels/a.txt

A line is a class and the center x, center y, width and height as shares of the image; or a class
and the corners x, y, ... of a polygon, whose box is taken. Where there are parts called `train`
or `train2017`, only these are read. Objects are stills, since YOLO has no tracks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

from siamtrack.core.files import text_of
from siamtrack.data.annotations.user_formats import Pictures, user_format, user_name
from siamtrack.data.cache import image_size
from siamtrack.data.layout import Entries
from siamtrack.data.manifest import Entry
from siamtrack.data.sources import Findings
from siamtrack.errors import DatasetError, ImageError

Box = tuple[float, float, float, float]


@user_format("yolo")
def read_yolo(path: Path, found: Findings, images: Pictures | None = None) -> Iterator[Entry]:
    """Yield the objects of a YOLO data set."""
    labels = sorted(item for item in path.rglob("labels") if item.is_dir())
    files = [file for folder in labels for file in sorted(folder.rglob("*.txt"))]
    parts = [file for file in files if _is_train(file.relative_to(path).parts)]
    if not files:
        raise DatasetError(
            f"{path}: expected labels/*.txt and images/* (or train/labels, train/images) here, as "
            "YOLO has them; unpack a zip first"
        )
    names = _names(path)
    known: dict[Path, Pictures] = {}
    entries = Entries(user_name(path), found)
    for file in parts or files:
        image = _image(file, path, known, images)
        if image is None:
            found.add("missing", f"image of {file}")
            continue
        yield from _objects(file, image, names, path, entries)


def _is_train(parts: tuple[str, ...]) -> bool:
    """Whether a path goes through a folder such as `train` or `train2017`."""
    return any(part.startswith("train") for part in parts[:-1])


def _objects(
    file: Path, image: str, names: dict[int, str], root: Path, entries: Entries
) -> Iterator[Entry]:
    try:
        lines = text_of(file).split("\n")
        size = image_size(image) if any(line.strip() for line in lines) else (1, 1)
    except (OSError, UnicodeDecodeError, ImageError) as error:
        entries.found.add("unreadable", f"{file}: {error}")
        return
    stem = file.relative_to(root).with_suffix("").as_posix()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        parsed = _line(line)
        if parsed is None:
            entries.found.add("unreadable", f"{file}:{number}: {line.strip()[:60]!r}")
            continue
        kind, (left, top, width, height) = parsed
        box = (left * size[0], top * size[1], width * size[0], height * size[1])
        label = names.get(kind, str(kind))
        yield from entries.still(f"{stem}/{number}", box, image, label, size)


def _line(line: str) -> tuple[int, Box] | None:
    """Return class and ltwh as shares of the image."""
    try:
        kind, *values = line.split()
        numbers = [float(value) for value in values]
        number = int(float(kind))
    except (ValueError, OverflowError):
        return None
    if not all(map(math.isfinite, numbers)):
        return None
    if len(numbers) in (4, 5):  # a fifth is a confidence or a track number
        cx, cy, width, height = numbers[:4]
        return number, (cx - width / 2, cy - height / 2, width, height)
    if len(numbers) >= 6 and len(numbers) % 2 == 0:
        x, y = numbers[::2], numbers[1::2]
        return number, (min(x), min(y), max(x) - min(x), max(y) - min(y))
    return None


def _image(
    file: Path, root: Path, known: dict[Path, Pictures], images: Pictures | None
) -> str | None:
    """Return the image of a label file: the same path with `images` for `labels`."""
    parts = list(file.relative_to(root).parts)
    place = len(parts) - 1 - parts[::-1].index("labels")
    folder = root.joinpath(*parts[:place], "images", *parts[place + 1 : -1])
    if images is not None:
        pictures = images
    else:
        if folder not in known:
            known[folder] = Pictures(folder)
        pictures = known[folder]
    return pictures.stem(file.stem)


def _names(path: Path) -> dict[int, str]:
    """Return the class names; of YAML, only the two forms in which `names` is written are read."""
    for file in (path / "classes.txt", path / "obj.names"):
        if file.is_file():
            lines = text_of(file).split("\n")
            return {number: line.strip() for number, line in enumerate(lines) if line.strip()}
    for file in (path / "data.yaml", path / "dataset.yaml", path / "data.yml"):
        if file.is_file():
            return yaml_names(text_of(file))
    return {}


def yaml_names(text: str) -> dict[int, str]:
    r"""Return `names` of a data.yaml: a list in brackets, a list of dashes, or numbered lines.

    Example:
        >>> yaml_names("nc: 2\nnames: ['cat', dog]")
        {0: 'cat', 1: 'dog'}
        >>> yaml_names("names:\n  0: cat\n  2: dog\npath: x")
        {0: 'cat', 2: 'dog'}
        >>> yaml_names("names:\n- cat\n- dog")
        {0: 'cat', 1: 'dog'}
    """
    match = re.search(r"^names\s*:[ \t]*(.*)$", text, re.MULTILINE)
    if match is None:
        return {}
    if match[1].startswith(("[", "{")):
        inside = re.match(r"[\[{](.*?)[\]}]", text[match.start(1) :], re.DOTALL)
        items = [item.strip() for item in inside[1].split(",")] if inside else []
    else:
        below = re.match(r"(?:\s*\n(?:[ \t]*-|[ \t]+)[^\n]*)*", text[match.end(1) :])
        items = [line.strip() for line in (below[0] if below else "").split("\n")]
    names: dict[int, str] = {}
    for item in items:
        numbered = re.match(r"(\d+)\s*:\s*(.*)", item)
        name = (numbered[2] if numbered else item.removeprefix("-")).strip().strip("'\"")
        if name:
            names[int(numbered[1]) if numbered else len(names)] = name
    return names
