"""Each public layout is read from a small tree of its form."""

import logging
from pathlib import Path

import numpy as np
import pytest

from siamtrack.data.annotations import TRAINING, Findings, read_all, read_training
from siamtrack.data.benchmarks.lasot import TEST_SEQUENCES
from siamtrack.data.cache import read_image
from siamtrack.data.manifest import Pool
from siamtrack.errors import DatasetError, UnknownNameError
from tests.data.annotations.trees import BOXES, FRAMES, TREES, got10k, lasot, write_text

STILLS = {"imagenet_det", "coco"}


@pytest.mark.parametrize("name", TREES)
def test_boxes_images_and_tracks(name, tmp_path):
    found = Findings()
    entries = read_training(TREES[name](tmp_path), found)
    assert not found.summary()
    first = [entry for entry in entries if name in STILLS or entry.track == entries[0].track]
    np.testing.assert_allclose([entry.box for entry in first], BOXES, atol=1e-9)
    assert len({entry.image for entry in first}) == FRAMES
    for entry in first:
        left, top, width, height = map(int, entry.box)
        inside = read_image(entry.image)[top : top + height, left : left + width]
        assert inside.std() > 15, "the box is not on the square"
    frames = [entry.frame for entry in first]
    if name in STILLS:
        assert frames == [0] * FRAMES
        assert len({entry.track for entry in entries}) == FRAMES
    else:
        assert (np.diff(frames) > 0).all()
    assert {entry.source for entry in entries} <= set(TRAINING)
    assert all(entry.track.startswith(f"{entry.source}/") for entry in entries)
    assert len(Pool(entries)) == len(entries)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("got10k", "knot"),
        ("lasot", "airplane"),
        ("coco", "square"),
        ("youtube_bb", "person"),
        ("youtube_vos", "ape"),
        ("imagenet_vid", "n00"),
    ],
)
def test_labels(name, label, tmp_path):
    assert {entry.label for entry in read_training(TREES[name](tmp_path))} == {label}


@pytest.mark.parametrize("name", sorted(set(TRAINING) - {"shards"}))
def test_wrong_layout_says_what_was_expected_where(name, tmp_path):
    with pytest.raises(DatasetError, match=r"expected|Give the folder") as error:
        read_training(f"{name}:{tmp_path}")
    assert str(tmp_path) in str(error.value)
    with pytest.raises(DatasetError, match="no such folder or file"):
        read_training(f"{name}:{tmp_path / 'nowhere'}")


def test_unknown_name_and_plain_path(tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'got10k'"):
        read_training("got-10k:/data")
    with pytest.raises(DatasetError, match="no such manifest"):
        read_training(tmp_path)
    with pytest.raises(DatasetError, match="no such manifest"):
        read_training(r"C:\data\mine")


def test_got10k_leaves_out_what_cannot_be_used(tmp_path, caplog):
    got10k(tmp_path, sequences=5)
    train = tmp_path / "train"
    one, two, three, four = (train / f"GOT-10k_Train_{n:06d}" for n in range(1, 5))
    write_text(one / "absence.label", "0\n1\n0\n0\n")
    write_text(one / "cover.label", "8\n8\n0\n3\n")
    write_text(two / "groundtruth.txt", "1,2,0,5\n900,5,9,9\n-30,1,20,20\n61,71,40,40\n")
    write_text(three / "groundtruth.txt", "a,b\n")
    write_text(four / "groundtruth.txt", "nan,nan,nan,nan\n" * 4)
    write_text(train / "list.txt", (train / "list.txt").read_text() + "GOT-10k_Train_000099\n")
    found = Findings()
    with caplog.at_level(logging.WARNING):
        entries = read_training(f"got10k:{tmp_path}", found)
    by_track = {}
    for entry in entries:
        by_track.setdefault(Path(entry.image).parent.name[-1], []).append(entry.frame)
    assert by_track == {"1": [0, 3], "2": [3], "5": [0, 1, 2, 3]}
    assert found.counts == {"missing": 1, "unreadable": 1, "empty": 1, "no area": 1, "outside": 2}
    assert "GOT-10k_Train_000099" in found.names["missing"][0]
    assert "line 1" in found.names["unreadable"][0]
    assert found.names["empty"] == ["GOT-10k_Train_000004"]
    assert "00000002.jpg" in found.names["outside"][0]
    assert "left out" in caplog.text


def test_labels_that_do_not_fit_leave_the_sequence_out(tmp_path):
    """Nobody knows in which frames its target is absent."""
    got10k(tmp_path, sequences=3)
    write_text(tmp_path / "train/GOT-10k_Train_000001/absence.label", "0\n" * (FRAMES - 1))
    write_text(tmp_path / "train/GOT-10k_Train_000002/cover.label", "8\nx\n8\n8\n")
    found = Findings()
    entries = read_training(f"got10k:{tmp_path}", found)
    assert {entry.track for entry in entries} == {"got10k/GOT-10k_Train_000003"}
    assert found.counts == {"unreadable": 2}
    assert f"{FRAMES - 1} labels for {FRAMES} frames" in found.names["unreadable"][0]


def test_got10k_names(tmp_path):
    got10k(tmp_path, sequences=1)
    train = tmp_path / "train"
    (train / "list.txt").unlink()
    (train / "GOT-10k_Train_000001").rename(train / "mine")
    assert read_training(f"got10k:{tmp_path}")[0].track == "got10k/mine"
    (train / "mine").rename(train / "GOT-10k_Val_000001")
    with pytest.raises(DatasetError, match="val or test part, which are for evaluation"):
        read_training(f"got10k:{train}")


def test_nothing_usable_is_an_error(tmp_path):
    got10k(tmp_path, sequences=1)
    write_text(tmp_path / "train/GOT-10k_Train_000001/cover.label", "0 0 0 0")
    with pytest.raises(DatasetError, match=r"no usable object here; left out: 1 empty"):
        read_training(f"got10k:{tmp_path}")


def test_lasot_test_part_is_refused(tmp_path):
    assert len(TEST_SEQUENCES) == 280
    entries = read_training(lasot(tmp_path / "a"))
    assert {entry.track for entry in entries} == {"lasot/airplane-2"}
    with pytest.raises(DatasetError, match="test part of LaSOT"):
        read_training(lasot(tmp_path / "b", ("airplane-1", "drone-2")))


def test_lasot_without_class_folders(tmp_path):
    lasot(tmp_path)
    assert len(read_training(f"lasot:{tmp_path / 'airplane'}")) == FRAMES


def test_davis_val_is_not_read(tmp_path):
    entries = read_training(TREES["davis"](tmp_path))
    assert {entry.track for entry in entries} == {"davis/bear/2"}
    (tmp_path / "ImageSets/2017/train.txt").unlink()
    with pytest.raises(DatasetError, match="val videos are not for training"):
        read_training(f"davis:{tmp_path}")


def test_unreadable_masks_are_left_out(tmp_path):
    source = TREES["youtube_vos"](tmp_path)
    (tmp_path / "train/Annotations/003234408d/00005.png").write_bytes(b"no mask")
    found = Findings()
    assert [entry.frame for entry in read_training(source, found)] == [0, 10, 15]
    assert found.counts == {"unreadable": 1}


def test_youtube_bb_without_some_frames(tmp_path):
    source = TREES["youtube_bb"](tmp_path)
    (tmp_path / "yt/0/AAB6lO-XiKE+0+0+1000.jpg").unlink()
    found = Findings()
    assert [entry.frame for entry in read_training(source, found)] == [0, 60, 90]
    assert found.names["missing"] == ["frame of AAB6lO-XiKE at 1000 ms"]
    write_text(tmp_path / "yt_bb_detection_train.csv", "a,b,c\n")
    with pytest.raises(DatasetError, match="line 1: expected ten columns"):
        read_training(source)


@pytest.mark.parametrize("text", ["{", "[]", '{"images": []}', '{"annotations": [], "images": 3}'])
def test_coco_of_another_form(text, tmp_path):
    source = TREES["coco"](tmp_path)
    write_text(tmp_path / "annotations/instances_train2017.json", text)
    with pytest.raises(DatasetError, match=r"instances_train2017\.json"):
        read_training(source)


def test_coco_annotation_without_image(tmp_path):
    source = TREES["coco"](tmp_path)
    file = tmp_path / "annotations/instances_train2017.json"
    write_text(file, file.read_text().replace('"image_id": 1', '"image_id": 77'))
    found = Findings()
    assert len(read_training(source, found)) == FRAMES - 1
    assert found.counts == {"unreadable": 1}


def test_every_second_box(tmp_path):
    source = got10k(tmp_path).replace(":", "/2:", 1)
    assert [entry.frame for entry in read_training(source)] == [0, 2, 0, 2]
    with pytest.raises(ValueError, match="every 0th"):
        read_training(f"got10k/0:{tmp_path}")


def test_tracks_of_two_sets_stay_apart(tmp_path):
    sources = [got10k(tmp_path / name, sequences=1) for name in "ab"]
    pool = Pool(read_all(sources))
    assert [len(members) for members in pool.by_track.values()] == [FRAMES, FRAMES]


ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><annotation>&b;</annotation>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><annotation>&a;</annotation>'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("text", [ENTITIES, OUTSIDE])
def test_xml_with_entities_is_refused(text, encoding, tmp_path):
    source = TREES["imagenet_vid"](tmp_path)
    file = next(tmp_path.rglob("000001.xml"))
    file.write_bytes(f'<?xml version="1.0" encoding="{encoding}"?>{text}'.encode(encoding))
    found = Findings()
    assert len(read_training(source, found)) == FRAMES - 1
    assert "document type" in found.names["unreadable"][0]
