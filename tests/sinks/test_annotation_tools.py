"""What the sinks for annotation tools write, read back by our own readers and by hand."""

import csv
import json
import math
import xml.etree.ElementTree as ET
import zipfile

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamtrack.core.boxes import ltwh_to_ltrb
from siamtrack.core.tracks import Track, TrackState
from siamtrack.data.annotations import Findings
from siamtrack.data.annotations.cvat import read_cvat
from siamtrack.data.annotations.mot import read_mot
from siamtrack.data.annotations.yolo import read_yolo
from siamtrack.sinks import key_frames, open_sink
from siamtrack.sinks.cvat import DECIMALS, interpolated
from siamtrack.sinks.draw import GRAY, draw_tracks
from siamtrack.video import Frame

FRAMES = 6


def track(number, left, state=TrackState.TRACKED):
    return Track(np.array([left, 8.0, 20.5, 10.25]), 0.9, state, number)


def write(path, format=None):
    """Target 0 is lost in frames 2 and 3; target 1 leaves the frame on the right."""
    picture = np.zeros((48, 64, 3), np.uint8)
    with open_sink(path, format=format) as sink:
        sink.labels.update({0: 'a "b" & <c>', 1: "dog"})
        for index in range(FRAMES):
            state = TrackState.LOST if index in (2, 3) else TrackState.TRACKED
            sink.write(
                Frame(index, None, picture), [track(0, index, state), track(1, 12.0 * index)]
            )


def pictures(folder):
    folder.mkdir(parents=True)
    for index in range(FRAMES):
        cv2.imwrite(str(folder / f"frame_{index:06d}.png"), np.zeros((48, 64, 3), np.uint8))


def test_cvat_is_read_back(tmp_path):
    write(tmp_path / "annotations.xml", "cvat")
    pictures(tmp_path / "images")
    entries = list(read_cvat(tmp_path, Findings()))
    first = [entry for entry in entries if entry.label == 'a "b" & <c>']
    assert [entry.frame for entry in first] == [0, 1, 4, 5]
    np.testing.assert_allclose(first[2].box, [4, 8, 20.5, 10.25], atol=0.01)


def test_cvat_marks_where_a_target_is_outside(tmp_path):
    write(tmp_path / "a.xml")
    node = next(ET.parse(tmp_path / "a.xml").getroot().iter("track"))
    assert [(box.get("frame"), box.get("outside")) for box in node] == [
        ("0", "0"),
        ("1", "0"),
        ("2", "1"),
        ("4", "0"),
        ("5", "0"),
    ]


def test_yolo_is_read_back(tmp_path):
    write(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        file.extractall(tmp_path / "yolo")
    pictures(tmp_path / "yolo" / "images" / "train")
    entries = list(read_yolo(tmp_path / "yolo", Findings()))
    dogs = [entry for entry in entries if entry.label == "dog"]
    assert len(dogs) == FRAMES
    np.testing.assert_allclose(dogs[1].box, [12, 8, 20.5, 10.25], atol=0.01)
    np.testing.assert_allclose(dogs[5].box, [60, 8, 4, 10.25], atol=0.01)  # cut at the frame
    assert sum(entry.label != "dog" for entry in entries) == 4


def test_yolo_with_images_is_a_whole_data_set(tmp_path):
    """Without frames whose target is lost: they would be taught as empty."""
    red = np.full((48, 64, 3), (200, 30, 30), np.uint8)
    with open_sink(tmp_path / "a.zip", classes={0: "dog"}, images=True) as sink:
        for index in range(4):
            state = TrackState.LOST if index == 2 else TrackState.UNCERTAIN
            box = np.array([10.0 + index, 8.0, 20.0, 10.0])
            sink.write(Frame(index, None, red), [Track(box, 0.5, state)])
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        assert file.testzip() is None
        file.extractall(tmp_path / "yolo")
    entries = list(read_yolo(tmp_path / "yolo", Findings()))
    assert [entry.box[0] for entry in entries] == pytest.approx([10.0, 11.0, 13.0], abs=0.01)
    images = sorted((tmp_path / "yolo" / "images" / "train").iterdir())
    assert [each.stem[-1] for each in images] == ["0", "1", "3"]
    for each in images:
        np.testing.assert_allclose(cv2.imread(str(each))[..., ::-1], red, atol=4)


@pytest.mark.parametrize("format", ["cvat", "yolo"])
def test_nothing_is_overwritten_unasked(format, tmp_path):
    (tmp_path / "a").write_text("precious")
    with pytest.raises(FileExistsError):
        open_sink(tmp_path / "a", format=format)


def test_names_and_colours_are_drawn():
    picture = np.zeros((48, 64, 3), np.uint8)
    plain = draw_tracks(picture, [track(0, 5)])
    named = draw_tracks(picture, [track(0, 5)], labels={0: "car"}, colors={0: (0, 0, 255)})
    assert (named != plain).any()
    assert named[13, 5].tolist() == [0, 0, 255]
    same = draw_tracks(picture, [track(0, 5)], labels={0: "Autó"})
    np.testing.assert_array_equal(same, plain)


def classified(path, format=None, **options):
    """Two people with names and a car without one."""
    names, classes = {0: "Anna, née B", 1: "Bo"}, {0: "person", 1: "person", 2: "car"}
    options = {"names": names, "classes": classes} | options
    with open_sink(path, format=format, **options) as sink:
        for index in range(3):
            picture = np.zeros((48, 64, 3), np.uint8)
            sink.write(Frame(index, None, picture), [track(number, index) for number in range(3)])
    return path


def test_coco_has_a_category_for_each_class_and_names_as_attributes(tmp_path):
    content = json.loads(classified(tmp_path / "a.json").read_text())
    names = {each["id"]: each["name"] for each in content["categories"]}
    first = content["annotations"][:3]
    assert [names[row["category_id"]] for row in first] == ["person", "person", "car"]
    assert [row.get("attributes") for row in first] == [
        {"name": "Anna, née B"},
        {"name": "Bo"},
        None,
    ]


def test_cvat_has_labels_for_classes_and_an_attribute_for_names(tmp_path):
    root = ET.parse(classified(tmp_path / "a.xml")).getroot()
    assert [node.get("label") for node in root.iter("track")] == ["person", "person", "car"]
    labels = {node.findtext("name"): node.find(".//input_type") for node in root.iter("label")}
    assert set(labels) == {"person", "car"}
    assert labels["person"].text == "text"
    assert labels["car"] is None
    boxes = root.find("track").findall("box")
    assert [box.findtext("attribute") for box in boxes] == ["Anna, née B"] * 3


def test_yolo_mot_and_tables_carry_classes(tmp_path):
    with zipfile.ZipFile(classified(tmp_path / "a.zip")) as file:
        assert '0: "person"\n  1: "car"' in file.read("data.yaml").decode()
        lines = file.read("labels/train/frame_000000.txt").decode().splitlines()
    assert [line[0] for line in lines] == ["0", "0", "1"]
    rows = classified(tmp_path / "m.txt", "mot").read_text().splitlines()
    assert [row.split(",")[7:] for row in rows[:3]] == [["1", "1"], ["1", "1"], ["2", "1"]]
    assert (tmp_path / "m_labels.txt").read_text() == "person\ncar\n"
    with classified(tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [(row["name"], row["class"]) for row in table[:3]] == [
        ("Anna, née B", "person"),
        ("Bo", "person"),
        ("", "car"),
    ]
    lines = classified(tmp_path / "a.jsonl").read_text().splitlines()
    assert [json.loads(line).get("class") for line in lines[:3]] == ["person", "person", "car"]
    assert "name" not in json.loads(lines[2])


def test_classes_of_mot_are_read_back_by_name(tmp_path):
    classified(tmp_path / "m.txt", "mot")
    pictures(tmp_path / "images")
    for file in (tmp_path / "images").iterdir():  # MOT counts from 1
        file.rename(file.with_name(f"{int(file.stem[-6:]) + 1:06d}.png"))
    assert [entry.label for entry in read_mot(tmp_path / "m.txt", Findings())][::3] == [
        "person",
        "person",
        "car",
    ]


def test_numbers_of_classes_follow_the_order_given(tmp_path):
    """A project's classes keep their numbers, also those that no target of a file has."""
    with open_sink(tmp_path / "a.zip", classes={0: "car", 1: "bus"}) as sink:
        sink.categories += ["person", "car"]
        sink.write(Frame(0, None, np.zeros((48, 64, 3), np.uint8)), [track(0, 1), track(1, 2)])
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        assert '0: "person"\n  1: "car"\n  2: "bus"' in file.read("data.yaml").decode()
        assert file.read("labels/train/frame_000000.txt").decode()[0] == "1"


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3, 1.0, 8.0]), st.integers(1, 60))
def test_lines_between_key_frames_stay_within_the_error(seed, error, count):
    random = np.random.default_rng(seed)
    frames = np.cumsum(random.integers(1, 4, count))
    boxes = np.cumsum(random.normal(0, 1, (count, 4)), axis=0) + np.array([100, 100, 400, 300])
    keep = random.random(count) < 0.05
    keys = key_frames(frames, boxes, error, keep)
    assert keys[keep].all()
    drawn = interpolated(frames, boxes, keys)
    off = np.abs(drawn - ltwh_to_ltrb(boxes)).max()
    assert off <= max(error, 0.5 * 10.0**-DECIMALS) + 1e-6


def test_steady_motion_needs_two_key_frames_and_a_turn_a_third():
    frames, x = np.arange(101), 3.0 * np.abs(np.arange(101) - 50)
    boxes = np.stack([x, x, np.full(101, 20.0), np.full(101, 20.0)], axis=1)
    assert np.flatnonzero(key_frames(frames, boxes, 0.5)).tolist() == [0, 50, 100]
    assert key_frames(frames, boxes, 0.0).sum() == 3  # two decimals hold these exactly
    assert key_frames([], [], 1.0).tolist() == []
    assert key_frames([7], [[0, 0, 1, 1]], 1.0).tolist() == [True]
    for error in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="expected pixels"):
            key_frames(frames, boxes, error)


def test_cvat_with_key_frames_still_says_where_a_target_is_in_every_frame(tmp_path):
    """CVAT keeps boxes with keyframe="1" and draws the others itself; other readers take all."""
    with open_sink(tmp_path / "a.xml", keyframes=0.5) as sink:
        sink.keys[0] = {7}
        for index in range(20):
            state = TrackState.LOST if index in (11, 12) else TrackState.TRACKED
            picture = np.zeros((48, 64, 3), np.uint8)
            sink.write(Frame(index, None, picture), [track(0, 1.5 * index, state)])
    node = next(ET.parse(tmp_path / "a.xml").getroot().iter("track"))
    rows = [(int(box.get("frame")), box.get("keyframe"), box.get("outside")) for box in node]
    assert [frame for frame, key, _ in rows if key == "1"] == [0, 7, 10, 11, 13, 19]
    assert [frame for frame, _, outside in rows if outside == "1"] == [11]
    assert [frame for frame, _, outside in rows if outside == "0"] == [*range(11), *range(13, 20)]
    assert [float(box.get("xtl")) for box in node][:4] == [0, 1.5, 3, 4.5]


@pytest.mark.parametrize(("width", "says_the_state"), [(600, True), (40, False)])
def test_labels_say_name_and_state_or_the_name_alone_where_there_is_no_room(width, says_the_state):
    picture = np.zeros((100, width, 3), np.uint8)
    lost, tracked = (
        draw_tracks(picture, [track(0, 5, state)], labels={0: "Anna"}, colors={0: GRAY})
        for state in (TrackState.LOST, TrackState.TRACKED)
    )
    different = (lost != tracked).any(2)
    different[8:18, 5:26] = False  # the box itself is dashed
    assert different.any() == says_the_state


def test_labels_say_the_class_where_there_is_no_name():
    picture = np.zeros((200, 600, 3), np.uint8)
    classed = draw_tracks(picture, [track(0, 5)], classes={0: "car"})
    assert (classed != draw_tracks(picture, [track(0, 5)])).any()
