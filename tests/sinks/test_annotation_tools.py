"""What the sinks for annotation tools write, read back by our own readers and by hand."""

import xml.etree.ElementTree as ET
import zipfile

import cv2
import numpy as np
import pytest

from siamtrack.core.tracks import Track, TrackState
from siamtrack.data.annotations import Findings
from siamtrack.data.annotations.cvat import read_cvat
from siamtrack.data.annotations.yolo import read_yolo
from siamtrack.sinks import open_sink
from siamtrack.sinks.draw import draw_tracks
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


@pytest.mark.parametrize("format", ["cvat", "yolo"])
def test_nothing_is_overwritten_unasked(format, tmp_path):
    (tmp_path / "a").write_text("precious")
    with pytest.raises(FileExistsError):
        open_sink(tmp_path / "a", format=format)


def test_names_and_colours_are_drawn():
    picture = np.zeros((48, 64, 3), np.uint8)
    plain = draw_tracks(picture, [track(0, 5)])
    named = draw_tracks(picture, [track(0, 5)], labels={0: "car"}, colours={0: (0, 0, 255)})
    assert (named != plain).any()
    assert named[13, 5].tolist() == [0, 0, 255]
    same = draw_tracks(picture, [track(0, 5)], labels={0: "Autó"})
    np.testing.assert_array_equal(same, plain)
