"""Annotations and data sets of every format, changed at random: entries, or a `DatasetError`."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamtrack.data import open_dataset
from siamtrack.data.annotations import pack, read_training
from siamtrack.data.manifest import read_manifest
from siamtrack.errors import DatasetError
from tests.data.annotations.own_trees import OWN
from tests.data.annotations.trees import TREES
from tests.data.benchmarks.test_layouts import got10k, lasot, nfs
from tests.data.benchmarks.test_vot_davis import vot
from tests.data.trees import boxes, images, rows, write
from tests.fuzz.harness import CHANGES, case, changed, files_below, fuzz

ENDINGS = (
    ".txt",
    ".xml",
    ".json",
    ".jsonl",
    ".csv",
    ".ini",
    ".label",
    ".yaml",
    ".png",
    ".tag",
    ".value",
    ".tar",
)


def manifest(root):
    line = {"image": "a/b.png", "box": [1.5, 2, 30, 40], "track": "t", "frame": 3, "label": "x"}
    write(root / "manifest.jsonl", "".join(json.dumps(line) + "\n" for _ in range(3)))
    return str(root)


def shards(root):
    pack(read_training(TREES["coco"](root / "images")), root / "out")
    return f"shards:{root / 'out'}"


TRAINING = {**TREES, **OWN, "manifest": manifest, "shards": shards}


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """Return a function that makes each tree once: what to open, and its files."""
    made = {}

    def tree(make):
        if make not in made:
            root = tmp_path_factory.mktemp("tree")
            source = make(root)
            made[make] = source, [(path, path.read_bytes()) for path in files_below(root, ENDINGS)]
        return made[make]

    return tree


def with_changes(files, what, read_all):
    """Read with one of the files damaged, again and again; each is put back afterwards."""

    @fuzz
    @given(which=st.integers(0, len(files) - 1), changes=CHANGES)
    def run(which, changes):
        path, data = files[which]
        path.write_bytes(changed(data, changes))
        try:
            with case(what, DatasetError):
                read_all()
        finally:
            path.write_bytes(data)

    run()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.needs("webdataset")) if name == "shards" else name
        for name in TRAINING
    ],
)
def test_training_data(name, trees):
    source, files = trees(TRAINING[name])
    read = read_manifest if name == "manifest" else read_training

    def read_all():
        for entry in read(source):
            assert np.isfinite(entry.box).all()
            assert min(entry.box[2:]) > 0

    with_changes(files, f"training data, {name}", read_all)


def _folder(root):
    images(root / "img", range(1, 5))
    write(root / "groundtruth.txt", rows(boxes(4)))
    return f"folder:{root}"


def _vot(root):
    folder = vot(root, rows([[10, 20, 18, 22, 16, 30, 8, 28]] * 4), color=True)
    write(folder / "occlusion.tag", "0\n1\n0\n0\n")
    write(folder / "anchor.value", "1\n0\n0\n-1\n")
    return f"vot2018:{root}"


def _masks(root):
    vot(root, "m10,20,4,2,1,2,2,1,2\n" * 4)
    return f"vot2020:{root}"


def _tld(root):
    images(root / "car", range(1, 4), "{:05d}.jpg")
    write(root / "car" / "gt.txt", "10,20,40,60\nNaN,NaN,NaN,NaN\n12,20,42,60\n")
    return f"tld:{root}"


def _tcolor(root):
    images(root / "Ball_ce1" / "img", range(1, 10), "{:04d}.jpg")
    write(root / "Ball_ce1" / "Ball_ce1_gt.txt", rows(boxes(4)))
    write(root / "Ball_ce1" / "Ball_ce1_frames.txt", "3,6\n")
    return f"tcolor128:{root}"


def _uav(root):
    write(root / "anno" / "UAV123" / "bike1.txt", rows(boxes(3)))
    images(root / "data_seq" / "UAV123" / "bike1", range(1, 4), "{:06d}.jpg")
    return f"uav123:{root}"


def _otb_json(root):
    content = {"David": {"gt_rect": boxes(471)}, "Dog": {"gt_rect": boxes(4)}}
    write(root / "otb.json", json.dumps(content))
    return f"otb2013-annotations:{root / 'otb.json'}"


LAYOUTS = {
    "folder": _folder,
    "got10k-val": lambda root: f"got10k-val:{got10k(root)}",
    "lasot": lambda root: lasot(root) and f"lasot:{root}",
    "nfs": lambda root: f"nfs30:{nfs(root, 4)}",
    "vot": _vot,
    "vot-masks": _masks,
    "tld": _tld,
    "tcolor128": _tcolor,
    "uav": _uav,
    "otb-json": _otb_json,
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_evaluation_data(name, trees):
    source, files = trees(LAYOUTS[name])
    assert len(open_dataset(source, partial=True))

    def read_all():
        for sequence in open_dataset(source, partial=True):
            assert not np.isinf(sequence.boxes).any()
            assert len(sequence.boxes) == len(sequence)

    with_changes(files, f"evaluation data, {name}", read_all)
