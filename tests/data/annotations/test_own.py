"""Annotations of other tools come back from a manifest as they were."""

import numpy as np
import pytest

from siamtrack.core.masks import read_segmentation
from siamtrack.data.annotations import (
    FORMATS,
    TRAINING,
    Findings,
    import_annotations,
    read_training,
)
from siamtrack.data.cache import read_image
from siamtrack.data.manifest import Pool, read_manifest
from siamtrack.errors import DatasetError, UnknownNameError
from tests.data.annotations.own_trees import OWN, coco_vid, cvat_images, cvat_video, mot, yolo
from tests.data.annotations.trees import BOXES, FRAMES, PICTURES, got10k, write_image, write_text
from tests.helpers import write_video

STILLS = {"cvat_images", "yolo"}


@pytest.mark.parametrize("inside", [True, False], ids=["beside", "elsewhere"])
@pytest.mark.parametrize("name", OWN)
def test_round_trip_through_a_manifest(name, inside, tmp_path):
    form, _, source = OWN[name](tmp_path / "own").partition(":")
    done = import_annotations(form, source, tmp_path / ("own" if inside else "out"))
    assert not done.found.summary()
    assert (done.boxes, done.images) == (FRAMES, FRAMES)
    assert done.tracks == (FRAMES if name in STILLS else 1)
    entries = read_manifest(done.manifest)
    np.testing.assert_allclose([entry.box for entry in entries], BOXES, atol=1e-3)
    assert {entry.label for entry in entries} == {"1" if name == "mot" else "square"}
    assert {entry.source for entry in entries} == {"own"}
    for entry, picture in zip(entries, PICTURES, strict=True):
        np.testing.assert_array_equal(read_image(entry.image), picture)
    if name not in STILLS:
        assert [entry.frame for entry in entries] == list(range(FRAMES))
        assert list(Pool(entries).videos) == ["own"]


@pytest.mark.parametrize("name", OWN)
def test_own_formats_can_be_trained_on_directly(name, tmp_path):
    assert len(read_training(OWN[name](tmp_path / "own"))) == FRAMES
    assert set(FORMATS) < set(TRAINING)


@pytest.mark.parametrize("name", ["cvat_video", "mot"])
def test_frames_from_the_annotated_video(name, tmp_path):
    form, _, source = OWN[name](tmp_path / "own").partition(":")
    video = write_video(tmp_path / "clip.mp4", PICTURES)
    done = import_annotations(form, source, tmp_path / "out", video)
    entries = read_manifest(done.manifest)
    assert [entry.image.rpartition("/out/")[2] for entry in entries] == [
        f"clip/{index:06d}.jpg" for index in range(FRAMES)
    ]
    for entry, picture in zip(entries, PICTURES, strict=True):
        assert np.abs(read_image(entry.image).astype(int) - picture).mean() < 12


def test_video_that_is_too_short(tmp_path):
    cvat_video(tmp_path / "own", images=False)
    video = write_video(tmp_path / "clip.mp4", PICTURES[:2])
    done = import_annotations("cvat", tmp_path / "own", tmp_path / "out", video)
    assert done.boxes == 2
    assert done.found.counts == {"missing": FRAMES - 2}


def test_a_folder_of_frames_by_their_order(tmp_path):
    cvat_video(tmp_path / "own", images=False)
    for index, picture in enumerate(PICTURES):
        write_image(tmp_path / "shots" / f"shot{index + 7}.png", picture)
    done = import_annotations("cvat", tmp_path / "own", tmp_path / "out", tmp_path / "shots")
    first = read_manifest(done.manifest)[0]
    assert first.image.endswith("shots/shot7.png")
    np.testing.assert_array_equal(first.box, BOXES[0])


def test_several_mot_sequences(tmp_path):
    for name in "ab":
        mot(tmp_path / "own" / name)
    entries = read_training(f"mot:{tmp_path / 'own'}")
    assert {entry.track for entry in entries} == {"own/a/4", "own/b/4"}


def test_tracks_of_our_own_output_can_be_imported(tmp_path):
    """What `siamtrack track --mot` writes is MOT text."""
    mot(tmp_path / "own")
    lines = [
        f"{i + 1},0,{x + 1:.3f},{y + 1:.3f},{w:.3f},{h:.3f},0.9000,-1,-1,-1"
        for i, (x, y, w, h) in enumerate(BOXES)
    ]
    write_text(tmp_path / "mot.txt", "\n".join(lines) + "\n")
    done = import_annotations("mot", tmp_path / "mot.txt", tmp_path, tmp_path / "own/img1")
    entries = read_manifest(done.manifest)
    np.testing.assert_allclose([entry.box for entry in entries], BOXES)
    assert {entry.label for entry in entries} == {""}


def test_frames_that_may_be_of_another_clip_are_not_taken_for_those_of_a_text_file(tmp_path):
    """Frames go by number, and frames of every clip have the same numbers."""
    line = "1,0,10,10,20,20,1,-1,-1,-1\n"
    write_text(tmp_path / "street.txt", line)
    for clip in "ab":
        write_image(tmp_path / "shots" / clip / "000001.png", PICTURES[0])
    with pytest.raises(DatasetError, match="no images beside the annotations"):
        read_training(f"mot:{tmp_path / 'street.txt'}")
    write_image(tmp_path / "first.png", PICTURES[0])
    with pytest.raises(DatasetError, match=r"has the number of one of its 1 frames; give their"):
        read_training(f"mot:{tmp_path / 'street.txt'}")
    with pytest.raises(DatasetError, match=r"numbered images lie in .*a and in .*b: give"):
        import_annotations("mot", tmp_path / "street.txt", tmp_path / "out", tmp_path / "shots")
    done = import_annotations(
        "mot", tmp_path / "street.txt", tmp_path / "out", tmp_path / "shots" / "b"
    )
    (entry,) = read_manifest(done.manifest)
    assert entry.image.endswith("b/000001.png")
    assert entry.track == f"{tmp_path.name}/street/0"


def test_cvat_shapes(tmp_path):
    cvat_images(tmp_path)
    shapes = (
        '<polygon label="p" points="10.5,20;30,22;12,40"></polygon>'
        '<box label="r" xtl="20" ytl="30" xbr="60" ybr="40" rotation="90"></box>'
        '<box label="bad" xtl="a" ytl="1" xbr="2" ybr="3"></box>'
        '<points label="one" points="5,5"></points><tag label="t"></tag>'
        '<mask label="m" rle="5, 2, 2, 1" left="100" top="50" width="4" height="4"></mask>'
        '<mask label="none" rle="3" left="1" top="1" width="4" height="4"></mask>'
        '<mask label="long" rle="9,9" left="1" top="1" width="4" height="4"></mask>'
        '<mask label="odd" rle="1,x" left="1" top="1" width="4" height="4"></mask>'
    )
    name = '<image id="0" name="0.png" width="256" height="192">'
    gone = '<image id="1" name="gone.png" width="9" height="9"></image>'
    write_text(
        tmp_path / "annotations.xml", f"<annotations>{name}{shapes}</image>{gone}</annotations>"
    )
    found = Findings()
    entries = read_training(f"cvat:{tmp_path}", found)
    boxes = {entry.label: entry.box for entry in entries}
    assert boxes["p"] == (10.5, 20, 19.5, 20)
    np.testing.assert_allclose(boxes["r"], (35, 15, 10, 40))
    # Of the runs, 5 are outside: columns 1 and 2 of the second row, then column 1 of the third
    assert boxes["m"] == (101, 51, 2, 2)
    masks = {e.label: e.mask and read_segmentation(e.mask, 192, 256).full() for e in entries}
    assert np.argwhere(masks["m"]).tolist() == [[51, 101], [51, 102], [52, 101]]
    assert masks["p"][24, 15]
    assert masks["p"].sum() == pytest.approx(177, abs=12)  # half of 19.5, 2 times 1.5, 20
    assert masks["r"] is None
    assert set(boxes) == {"p", "r", "m"}
    assert found.counts == {"unreadable": 3, "no area": 2, "missing": 1}


def test_cvat_masks_in_tracks(tmp_path):
    """As its documentation has them, though CVAT itself keeps masks in images."""
    cvat_video(tmp_path)
    mask = '<mask frame="{}" outside="{}" rle="1,1,2" left="9" top="{}" width="2" height="2"/>'
    places = (0, 0, 5), (1, 0, 6), (2, 1, 6)
    track = f'<track id="0">{"".join(mask.format(*place) for place in places)}</track>'
    sides = "<width>256</width><height>192</height>"
    size = f"<meta><task><original_size>{sides}</original_size></task></meta>"
    for meta in (size, "", size.replace("256", "inf"), size.replace("256", "1e300")):
        write_text(tmp_path / "annotations.xml", f"<annotations>{meta}{track}</annotations>")
        entries = read_training(f"cvat:{tmp_path}")
        assert [(entry.frame, entry.box) for entry in entries] == [
            (0, (10, 5, 1, 1)),
            (1, (10, 6, 1, 1)),
        ]
        known = [entry.mask is not None for entry in entries]
        assert known == [meta == size] * 2
    write_text(tmp_path / "annotations.xml", f"<annotations>{size}{track}</annotations>")
    (_, second) = read_training(f"cvat:{tmp_path}")
    assert np.argwhere(read_segmentation(second.mask, 192, 256).full()).tolist() == [[6, 10]]


def test_cvat_refuses_entities_and_other_xml(tmp_path):
    cvat_images(tmp_path)
    bomb = '<!DOCTYPE a [<!ENTITY b "bb">]><annotations>&b;</annotations>'
    for text, words in (
        (bomb, "document type"),
        ("<a/>", "root 'annotations'"),
        ("<annot", "no usable XML"),
        ("", "no usable XML"),
    ):
        write_text(tmp_path / "annotations.xml", text)
        with pytest.raises(DatasetError, match=words):
            read_training(f"cvat:{tmp_path}")


def test_cvat_empty_track_and_missing_frames(tmp_path):
    cvat_video(tmp_path)
    (tmp_path / "images/frame_000002.PNG").unlink()
    text = (tmp_path / "annotations.xml").read_text()
    empty = '<track id="1" label="x"></track></annotations>'
    write_text(tmp_path / "annotations.xml", text.replace("</annotations>", empty))
    found = Findings()
    assert [entry.frame for entry in read_training(f"cvat:{tmp_path}", found)] == [0, 1, 3]
    assert found.counts == {"missing": 1, "empty": 1}


def test_coco_video_stills_crowds_and_faults(tmp_path):
    box = [60, 70, 40, 40]
    notes = [
        {"id": 1, "image_id": 10, "category_id": 1, "bbox": box},
        {"id": 2, "image_id": 10, "category_id": 1, "bbox": box, "iscrowd": 1},
        {"id": 3, "image_id": 99, "category_id": 1, "bbox": box},
        {"id": 4, "image_id": 11, "category_id": 1, "bbox": [1, 2, 3]},
        {"id": 5, "image_id": 11, "category_id": 1, "bbox": [1, 2, 0, 3]},
    ]
    found = Findings()
    entries = read_training(coco_vid(tmp_path, annotations=notes), found)
    assert [entry.track.rpartition("/")[2] for entry in entries] == ["1"]
    assert found.counts == {"unreadable": 2, "no area": 1}


def test_yolo_faults(tmp_path):
    yolo(tmp_path)
    write_text(tmp_path / "labels/train/0.txt", "1 0.5 0.5\n1 0.5 nan 1 1\n\n1 2.5 0.5 0.1 0.1\n")
    write_text(tmp_path / "labels/train/gone.txt", "1 0.5 0.5 0.1 0.1\n")
    (tmp_path / "images/train/1.png").write_bytes(b"x")
    found = Findings()
    assert len(read_training(f"yolo:{tmp_path}", found)) == FRAMES - 2
    assert found.counts == {"unreadable": 3, "outside": 1, "missing": 1}


@pytest.mark.parametrize("form", ["cvat", "mot", "coco-video"])
def test_annotations_without_images(form, tmp_path):
    mot(tmp_path)
    cvat_video(tmp_path)
    coco_vid(tmp_path)
    for file in [*tmp_path.rglob("*.png"), *tmp_path.rglob("*.PNG")]:
        file.unlink()
    source = tmp_path / "all.json" if form == "coco-video" else tmp_path
    with pytest.raises(DatasetError, match=r"no images beside .*--images"):
        read_training(f"{form}:{source}")


def test_import_does_not_replace_and_wants_known_names(tmp_path):
    source = mot(tmp_path / "own").partition(":")[2]
    import_annotations("mot", source, tmp_path / "a.jsonl")
    with pytest.raises(FileExistsError, match="exists"):
        import_annotations("mot", source, tmp_path / "a.jsonl")
    import_annotations("mot", source, tmp_path / "a.jsonl", overwrite=True)
    with pytest.raises(UnknownNameError, match="did you mean 'mot'"):
        import_annotations("mott", source, tmp_path / "b.jsonl")
    with pytest.raises(UnknownNameError, match="did you mean 'mot'"):
        import_annotations("mott", source, tmp_path / "b.jsonl", tmp_path)
    with pytest.raises(DatasetError, match="no such folder or video"):
        import_annotations("mot", source, tmp_path / "b.jsonl", tmp_path / "gone")
    with pytest.raises(DatasetError, match="no images in this folder"):
        import_annotations("mot", source, tmp_path / "b.jsonl", tmp_path / "own/gt")
    assert not (tmp_path / "b.jsonl").exists()


def test_public_sets_can_be_written_as_a_manifest(tmp_path):
    got10k(tmp_path / "got")
    done = import_annotations("got10k", tmp_path / "got", tmp_path / "got")
    assert read_manifest(done.manifest) == read_training(f"got10k:{tmp_path / 'got'}")
    with pytest.raises(ValueError, match="leave images out"):
        import_annotations("got10k", tmp_path / "got", tmp_path / "b", tmp_path)
