"""Targets that cross, hide and come back among the detections of everything that moves."""

import json

import numpy as np
import pytest

import siamtrack
from siamtrack.cli.main import main
from siamtrack.core.boxes import iou
from siamtrack.core.tracks import TrackState
from siamtrack.errors import DatasetError
from siamtrack.tracking.detections import read_detections
from siamtrack.tracking.identities import Identities, IdentitySettings
from tests.helpers import clip, texture, write_video


@pytest.fixture
def tracker():
    return siamtrack.load(threads=1)


def crossing(frames=40, hidden=(14, 26), other=7):
    """Frames, boxes of target and passer-by, and detections: the target is hidden for a while."""
    ground = texture(1, 120, 200, grain=40) // 3 + 60
    target, passer = texture(2, 36, 24, 8), texture(other, 36, 24, 8)
    pictures, boxes, found = [], [], []
    for index in range(frames):
        picture = ground.copy()
        left, right = 30 + 3 * index, 150 - 3 * index
        gone = hidden[0] <= index < hidden[1]
        if not gone:
            picture[40:76, left : left + 24] = target
        picture[42:78, right : right + 24] = passer
        pictures.append(picture)
        boxes.append(([left, 40, 24, 36], [right, 42, 24, 36]))
        found.append([box for box, seen in zip(boxes[-1], (not gone, True), strict=True) if seen])
    return pictures, np.array(boxes, float), found


def test_a_target_that_hides_is_lost_and_comes_back(tracker):
    """Its box does not pass to the other one that covers its place meanwhile."""
    pictures, boxes, found = crossing()
    keeper = Identities(tracker)
    keeper.add(pictures[0], boxes[0, 0])
    states = []
    for index in range(1, len(pictures)):
        (track,) = keeper.update(pictures[index], found[index])
        states.append(track.state)
        if track.state is not TrackState.LOST:
            assert iou(track.box, boxes[index, 0]) > iou(track.box, boxes[index, 1])
    assert TrackState.LOST in states[14:26]
    assert states[-1] is not TrackState.LOST
    assert keeper.ids == [0]


def test_detections_correct_place_and_size(tracker):
    pictures, boxes = clip(6)
    keeper = Identities(tracker)
    keeper.add(pictures[0], boxes[0])
    for picture, box in zip(pictures[1:], boxes[1:], strict=True):
        grown = box + np.array([-2, -2, 4, 4])
        (track,) = keeper.update(picture, [grown])
        assert track.box.tolist() == grown.tolist()
    assert len(keeper.new) == 0


def test_what_belongs_to_no_target_is_new(tracker):
    pictures, boxes = clip(3)
    keeper = Identities(tracker)
    keeper.add(pictures[0], boxes[0])
    keeper.update(pictures[1], [boxes[1], [5, 5, 20, 20]])
    assert keeper.new.tolist() == [[5, 5, 20, 20]]
    keeper.update(pictures[2])  # the detector did not run
    for nothing in ([], np.empty((0, 4))):  # it ran, and saw nothing
        (track,) = keeper.update(pictures[2], nothing)
        assert track.state is not TrackState.LOST
        assert keeper.new.shape == (0, 4)
    assert keeper.ids == [0]


@pytest.mark.parametrize(
    "boxes", [[[1, 2, 3]], [[1, 2, 0, 4]], [[1, 2, np.nan, 4]]], ids=["shape", "flat", "nan"]
)
def test_bad_detections_are_refused(tracker, boxes):
    pictures, there = clip(2)
    keeper = Identities(tracker)
    keeper.add(pictures[0], there[0])
    with pytest.raises(ValueError, match="boxes"):
        keeper.update(pictures[1], boxes)


def test_any_model_and_only_new_trackers():
    plain = siamtrack.load("ciresnet22-slim", threads=1)
    pictures, boxes = clip(3)
    keeper = Identities(plain)
    keeper.add(pictures[0], boxes[0])
    (track,) = keeper.update(pictures[1], [boxes[1]])
    assert track.box.tolist() == boxes[1].tolist()
    with pytest.raises(ValueError, match="has targets already"):
        Identities(plain)
    with pytest.raises(ValueError, match="like"):
        IdentitySettings(like=2)


def test_twins_are_not_exchanged(tracker):
    """What cannot be told apart stays lost, and `add` says which it is."""
    pictures, boxes, found = crossing(other=2)
    keeper = Identities(tracker)
    keeper.add(pictures[0], boxes[0, 0])
    for index in range(1, len(pictures)):
        (track,) = keeper.update(pictures[index], found[index])
        if index >= 26:
            assert track.state is TrackState.LOST
    assert keeper.ids == [0]
    keeper.add(pictures[-1], boxes[-1, 0], 0)
    (track,) = keeper.update(pictures[-1], found[-1])
    assert track.state is not TrackState.LOST


def test_files_of_detections(tmp_path):
    lines = tmp_path / "d.jsonl"
    rows = [
        {"frame": 3, "boxes": [[1, 2, 3, 4], [5, 6, 7, 8]], "scores": [0.9, 0.2]},
        {"frame": 4, "boxes": []},
    ]
    lines.write_text("\n".join(map(json.dumps, rows)))
    found = read_detections(lines, least=0.5)
    assert found[3].tolist() == [[1, 2, 3, 4]]
    assert found[4].shape == (0, 4)
    text = tmp_path / "d.txt"
    text.write_text("1,-1,11,21,30,40,0.9,-1,-1,-1\n2,-1,12,22,30,40,-1,-1,-1,-1\n")
    assert {k: v.tolist() for k, v in read_detections(text, least=0.5).items()} == {
        0: [[10, 20, 30, 40]],
        1: [[11, 21, 30, 40]],
    }


@pytest.mark.parametrize(
    "line",
    ["[1]", "{", '{"frame": -1, "boxes": []}', '{"frame": 0, "boxes": [[1, 2, 3, 0]]}', "{}"],
)
def test_bad_files_of_detections_are_named_with_their_line(tmp_path, line):
    path = tmp_path / "d.jsonl"
    path.write_text('{"frame": 0, "boxes": [[1, 2, 3, 4]]}\n' + line)
    with pytest.raises(DatasetError, match=r"d.jsonl, line 2"):
        read_detections(path)


def test_the_command_takes_detections(tmp_path):
    pictures, boxes, found = crossing()
    write_video(tmp_path / "v.mp4", np.stack(pictures))
    rows = [json.dumps({"frame": i, "boxes": each}) for i, each in enumerate(found)]
    (tmp_path / "d.jsonl").write_text("\n".join(rows))
    words = ["track", str(tmp_path / "v.mp4"), "--box", *map(str, boxes[0, 0]), "--quiet"]
    more = ["--detections", str(tmp_path / "d.jsonl"), "--out", str(tmp_path / "t.csv")]
    with pytest.raises(SystemExit) as stop:
        main([*words, *more, "--threads", "1"])
    assert stop.value.code == 0
    assert "lost" in (tmp_path / "t.csv").read_text()


def twin_enters(frames=44, left=10):
    """A target goes out of sight for good; later one that looks the same enters at the left."""
    ground = texture(1, 120, 320, grain=40) // 3 + 60
    target, passer = texture(2, 36, 24, 8), texture(7, 36, 24, 8)
    pictures, found = [], []
    for index in range(frames):
        picture, seen = ground.copy(), []
        if index < 14:
            seen.append(([240 + index, 40, 24, 36], target))
        if index >= 18:
            seen.append(([left + index - 18, 42, 24, 36], target))
        seen.append(([200, 42, 24, 36], passer))
        for (x, y, width, height), sprite in seen:
            picture[y : y + height, x : x + width] = sprite
        pictures.append(picture)
        found.append([box for box, _ in seen])
    return pictures, found


@pytest.mark.parametrize(("left", "taken"), [(10, False), (236, True)])
def test_one_that_appears_too_far_away_is_another(tracker, left, taken):
    pictures, found = twin_enters(left=left)
    keeper = Identities(tracker)
    keeper.add(pictures[0], found[0][0])
    tracks = [keeper.update(*each)[0] for each in zip(pictures[1:], found[1:], strict=True)]
    there = [track.state is not TrackState.LOST for track in tracks[17:]]  # from frame 18 on
    assert any(there) == taken
    if taken:  # not at once, but after three frames in which it looked like the target
        assert not any(there[:2])
        assert there[-1]
