"""The script that builds a training pool, on small clones made here."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from siamtrack.data.manifest import read_manifest
from siamtrack.tracking.crops import context_side

POOL = Path(__file__).parents[1] / "benchmarks" / "pool"
VOC = """<annotation><size><width>{0}</width><height>{1}</height></size><object><name>dog</name>
<bndbox><xmin>{2}</xmin><ymin>{3}</ymin><xmax>{4}</xmax><ymax>{5}</ymax></bndbox></object>
</annotation>"""


@pytest.fixture(autouse=True)
def _scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(POOL))
    yield
    for name in ("build", "clones", "cutting", "stills", "videos"):
        sys.modules.pop(name, None)


def git(folder, *words):
    author = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    done = subprocess.run(
        ["git", "-C", str(folder), *author, *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def jpeg(width, height, left, top, w, h):
    picture = np.full((height, width, 3), 40, np.uint8)
    picture[top : top + h, left : left + w] = 230
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


@pytest.fixture
def clone(tmp_path):
    """A work tree at a later commit than the pinned one, in which the pictures are gone."""
    work = tmp_path / "clones" / "owner+dogs"
    for folder in ("notes", "images"):
        (work / folder).mkdir(parents=True)
    # whole at full size; whole, smaller; whole at less than half the size; cut out of a large one
    boxes = [
        (200, 150, 90, 60, 40, 30),
        (400, 300, 60, 90, 120, 80),
        (1000, 700, 200, 100, 500, 450),
        (1500, 1000, 1301, 703, 30, 40),
    ]
    for number, (width, height, left, top, w, h) in enumerate(boxes):
        (work / f"images/{number}.jpg").write_bytes(jpeg(width, height, left, top, w, h))
        corners = (left + 1, top + 1, left + w, top + h)
        (work / f"notes/{number}.xml").write_text(VOC.format(width, height, *corners))
    (work / "notes/9.xml").write_text(VOC.format(64, 64, 1, 1, 40, 40))
    (work / "images/9.jpg").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    git(work, "init", "-q")
    git(work, "add", ".")
    git(work, "commit", "-qm", "all")
    commit = git(work, "rev-parse", "HEAD")
    git(work, "rm", "-qr", "images")
    git(work, "commit", "-qm", "too large")
    return tmp_path / "clones", commit, boxes


def test_crops_hold_the_object_where_the_manifest_says(clone, tmp_path):
    from build import build
    from stills import Voc

    clones, commit, boxes = clone
    reader = Voc("notes", "images", first=1)
    build(f"dogs owner/dogs {commit}", reader, clones, tmp_path / "pool")
    entries = read_manifest(tmp_path / "pool" / "dogs.jsonl")
    assert len(entries) == len(boxes)
    for entry, (width, height, _, _, w, h) in zip(entries, boxes, strict=True):
        crop = cv2.imread(entry.image)
        scale = min(1, 128 / context_side(w, h))
        left, top, across, down = entry.box
        assert (across, down) == pytest.approx((w * scale, h * scale), rel=0.02)
        assert crop.shape[1] <= min(width * scale, 5 * 128 + 4) + 1
        assert crop.shape[0] <= min(height * scale, 5 * 128 + 4) + 1
        # the bright rectangle is the object
        found = cv2.boundingRect((crop[..., 0] > 135).astype(np.uint8))
        assert found == pytest.approx((left, top, across, down), abs=1.01)
    whole = Path(entries[0].image).read_bytes()
    assert whole == jpeg(*boxes[0])  # stored again as it was, not coded twice


def test_a_second_run_reads_what_the_first_has_written(clone, tmp_path, capsys):
    from build import build
    from stills import Voc

    clones, commit, _ = clone
    source, out = f"dogs owner/dogs {commit}", tmp_path / "pool"
    first = [entry.track for entry in build(source, Voc("notes", "images"), clones, out)]
    assert "1 files absent" in capsys.readouterr().out  # the pointer without its picture
    again = build(source, Voc("nowhere", "nothing"), tmp_path / "gone", out)
    assert [entry.track for entry in again] == first


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("dogs owner/cats HEAD", "no clone of owner/cats"),
        ("dogs owner/dogs 0123456789", "lacks commit 0123456789"),
        ("dogs owner/dogs HEAD", "nothing usable"),
    ],
)
def test_a_source_that_is_not_there_costs_one_line(clone, tmp_path, capsys, source, reason):
    from build import build
    from stills import Voc

    assert build(source, Voc("notes", "images"), clone[0], tmp_path / "pool") == []
    lines = capsys.readouterr().out.splitlines()
    assert sum(reason in line for line in lines) == 1


def test_objects_of_one_picture_share_a_file_unless_it_would_show_them_too_large(tmp_path):
    from cutting import Picture, Thing, cut

    pixels = np.zeros((300, 400, 3), np.uint8)
    boxes = [(10, 10, 60, 60), (200, 100, 70, 60), (100, 50, 250, 240), (0, 0, 5, 9)]
    things = [Thing(box, str(number)) for number, box in enumerate(boxes)]
    entries = {entry.track: entry for entry in cut(Picture("a/b", pixels, things), tmp_path, "x")}
    assert sorted(entries) == ["x/0", "x/1", "x/2"]  # the last is too small
    assert entries["x/0"].image == entries["x/1"].image != entries["x/2"].image


def test_linking_leaves_out_who_stands_too_close():
    from cutting import Thing
    from videos import linked

    before = [Thing((0, 0, 20, 60), "a"), Thing((100, 0, 20, 60), "b")]
    now = [Thing((2, 1, 20, 60), "c"), Thing((101, 0, 20, 60), "d"), Thing((110, 0, 20, 60), "e")]
    assert [thing.track for thing in linked(before, now)] == ["a", "d", "e"]


def test_the_list_of_sources_names_commits_and_no_source_twice():
    from build import SOURCES

    parts = [source.split() for source, _ in SOURCES]
    assert all(len(part) == 3 and int(part[2], 16) and "/" in part[1] for part in parts)
    assert len({part[0] for part in parts}) == len(parts)
    readme = (POOL / "README.md").read_text(encoding="utf-8")
    assert [part for part in parts if " ".join(part) not in readme.replace(" | ", " ")] == []


def test_manifest_lines_have_the_keys_that_readers_know(clone, tmp_path):
    from build import build
    from stills import Voc

    build(f"dogs owner/dogs {clone[1]}", Voc("notes", "images"), clone[0], tmp_path)
    line = json.loads((tmp_path / "dogs.jsonl").read_text().splitlines()[0])
    assert set(line) == {"image", "box", "track", "frame", "label", "source"}
    assert line["image"] == "dogs/0.jpg"
