from dataclasses import replace

import numpy as np
import pytest

import siamtrack
from siamtrack.core.boxes import iou
from siamtrack.core.settings import OnlineSettings
from siamtrack.core.tracks import TrackState
from siamtrack.errors import NotInitialisedError, WeightsError
from siamtrack.tracking.online import OnlineClassifier
from tests.helpers import clip


@pytest.fixture(scope="module")
def tracker():
    return siamtrack.load(threads=1)


@pytest.fixture
def frames():
    return clip(20)


def test_follows_a_moving_square(tracker, frames):
    pictures, boxes = frames
    first = tracker.init(pictures[0], boxes[0])
    assert first.state is TrackState.TRACKED
    tracks = [tracker.update(picture) for picture in pictures[1:]]
    overlaps = iou(np.array([track.box for track in tracks]), boxes[1:])
    assert overlaps.mean() > 0.6
    assert np.mean([track.score for track in tracks]) > 0.5
    assert {track.id for track in tracks} == {0}


def test_many_targets_in_a_batch_are_those_one_by_one(tracker, frames):
    pictures, boxes = frames
    others = [boxes[0], np.array([20.0, 20.0, 30.0, 50.0]), np.array([150.0, 90.0, 60.0, 30.0])]
    alone = []
    for box in others:
        tracker.init(pictures[0], box)
        alone.append([tracker.update(picture).box for picture in pictures[1:6]])
    tracker.clear()
    for box in others:
        tracker.add(pictures[0], box)
    together = [tracker.update_all(picture) for picture in pictures[1:6]]
    for number in range(3):
        boxes_together = [tracks[number].box for tracks in together]
        np.testing.assert_allclose(boxes_together, alone[number], atol=0.05)


def test_targets_come_go_and_start_again(tracker, frames):
    pictures, boxes = frames
    tracker.init(pictures[0], boxes[0])
    assert tracker.add(pictures[1], (20, 20, 30, 30)).id == 1
    assert tracker.add(pictures[1], (90, 20, 30, 30), id=7).id == 7
    assert [track.id for track in tracker.update_all(pictures[2])] == [0, 1, 7]
    with pytest.raises(ValueError, match="3 targets: use update_all"):
        tracker.update(pictures[2])
    tracker.remove(1)
    assert tracker.ids == [0, 7]
    assert tracker.add(pictures[2], (10, 10, 30, 30)).id == 8
    again = tracker.add(pictures[2], boxes[2], id=0)
    np.testing.assert_array_equal(again.box, boxes[2])
    assert tracker.ids == [0, 7, 8]
    with pytest.raises(ValueError, match="no target has the id 1; known: 0, 7, 8"):
        tracker.remove(1)


def test_prior_moves_the_search(tracker, frames):
    pictures, boxes = frames
    far = np.array([180.0, 10.0, 40.0, 40.0])
    tracker.init(pictures[0], boxes[0])
    tracker.update_all(pictures[1], {0: far})
    astray = tracker.update(pictures[2], prior=far).box
    back = tracker.update(pictures[3], prior=boxes[3] + [3, -3, 0, 0]).box
    assert iou(astray, boxes[2]) < 0.3
    assert iou(back, boxes[3]) > 0.5


def test_bad_prior_leaves_the_targets(tracker, frames):
    pictures, boxes = frames
    tracker.init(pictures[0], boxes[0])
    expected = tracker.update(pictures[1]).box
    tracker.init(pictures[0], boxes[0])
    with pytest.raises(ValueError, match="must be finite"):
        tracker.update(pictures[1], prior=(np.nan, 0, 10, 10))
    with pytest.raises(ValueError, match="no target has the id 3"):
        tracker.update_all(pictures[1], {0: (1, 1, 5, 5), 3: (0, 0, 10, 10)})
    np.testing.assert_array_equal(tracker.update(pictures[1]).box, expected)


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((10, 10, 0, 5), "width and height must be above 0"),
        ((10, 10, 5, -5), "width and height must be above 0"),
        ((np.nan, 10, 5, 5), "must be finite"),
        ((10, np.inf, 5, 5), "must be finite"),
        ((300, 10, 5, 5), "lies outside the frame of 256x192"),
        ((-50, 10, 50, 5), "lies outside the frame"),
        ((-100, -100, 1000, 1000), "larger than the frame of 256x192"),
        ((1, 2, 3), "four numbers"),
        ("box", "four numbers"),
    ],
)
def test_bad_boxes(tracker, frames, box, words):
    with pytest.raises(ValueError, match=words):
        tracker.init(frames[0][0], box)


def test_update_before_init():
    with pytest.raises(NotInitialisedError, match=r"call init\(frame, box\) first"):
        siamtrack.load(threads=1).update(np.zeros((20, 20, 3), np.uint8))


def test_frames_that_change_size(tracker, frames):
    pictures, boxes = frames
    tracker.init(pictures[0], boxes[0])
    with pytest.raises(ValueError, match=r"256x100 pixels: target 0 was started in .* 256x192"):
        tracker.update(pictures[1][:100])
    assert tracker.update(pictures[1]).state is TrackState.TRACKED


@pytest.mark.parametrize("kind", ["gray", "rgba", "uint16", "float"])
def test_other_kinds_of_frames(tracker, frames, kind):
    pictures, boxes = frames
    make = {
        "gray": lambda p: p.mean(-1).astype(np.uint8),
        "rgba": lambda p: np.dstack([p, np.full(p.shape[:2], 255, np.uint8)]),
        "uint16": lambda p: p.astype(np.uint16) * 257,
        "float": lambda p: p / 255.0,
    }[kind]
    tracker.init(make(pictures[0]), boxes[0])
    track = tracker.update(make(pictures[1]))
    assert iou(track.box, boxes[1]) > 0.5


@pytest.mark.parametrize("shape", [(8, 8), (1, 1), (4320, 7680)])
def test_tiny_and_huge_frames(tracker, shape):
    picture = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    tracker.init(picture, (0, 0, shape[1], shape[0]))
    for _ in range(3):
        track = tracker.update(picture)
        assert np.isfinite(track.box).all()
        assert (track.box[2:] > 0).all()


def test_target_that_leaves_is_lost_without_nan(tracker, frames):
    pictures, boxes = frames
    tracker.init(pictures[0], boxes[0])
    empty = np.full_like(pictures[0], 90)
    tracks = [tracker.update(empty) for _ in range(10)]
    assert all(np.isfinite(track.box).all() for track in tracks)
    assert tracks[-1].state is TrackState.LOST


@pytest.mark.parametrize("which", ["score", "distances", "presence", "features"])
def test_no_nan_ever_comes_out(tracker, frames, which):
    pictures, boxes = frames

    class Broken:
        def embed(self, template, size):
            return tracker.model.runtime.embed(template, size)

        def respond(self, kernel, search):
            good = tracker.model.runtime.respond(kernel, search)
            if not self.started:
                return good
            return replace(good, **{which: np.full_like(getattr(good, which), np.nan)})

        started = False

    runtime = Broken()
    broken = siamtrack.SiamTracker(replace(tracker.model, runtime=runtime))
    broken.init(pictures[0], boxes[0])
    runtime.started = True
    track = broken.update(pictures[1])
    assert np.isfinite(track.box).all()
    if which != "features":
        assert track.score == 0.0
        assert track.state is TrackState.LOST
    runtime.started = False
    assert broken.update(pictures[2]).score > 0.0  # one broken response spoils nothing after it


def test_online_classifier_learns_for_each_target_apart(tracker, frames):
    pictures, boxes = frames
    online = OnlineSettings(weight=0.5)
    card = replace(tracker.model.card, tracker=replace(tracker.model.card.tracker, online=online))
    learning = siamtrack.SiamTracker(replace(tracker.model, card=card))
    alone = [learning.init(pictures[0], boxes[0])] + [learning.update(p) for p in pictures[1:8]]
    assert iou(np.array([track.box for track in alone]), boxes[:8]).mean() > 0.6
    learning.init(pictures[0], boxes[0])
    learning.add(pictures[0], (150, 90, 60, 30))
    both = [learning.update_all(picture)[0].box for picture in pictures[1:8]]
    np.testing.assert_allclose(both, [track.box for track in alone[1:]], atol=0.05)


def test_learns_from_every_nth_frame(tracker, frames, monkeypatch):
    pictures, boxes = frames
    settings = replace(
        tracker.model.card.tracker,
        online=OnlineSettings(weight=0.5, learn_from=0.0, every=3),
        presence=replace(tracker.model.card.tracker.presence, lost_below=0.0),
    )
    model = replace(tracker.model, card=replace(tracker.model.card, tracker=settings))
    learning = siamtrack.SiamTracker(model)
    learning.init(pictures[0], boxes[0])
    calls, learn = [], OnlineClassifier.learn
    monkeypatch.setattr(
        OnlineClassifier, "learn", lambda self, *given: calls.append(given) or learn(self, *given)
    )
    counts = []
    for picture in pictures[1:8]:
        learning.update(picture)
        counts.append(len(calls))
    assert counts == [1, 1, 1, 2, 2, 2, 3]


def test_model_without_features_cannot_learn_online(tracker, frames):
    class Plain:
        def embed(self, template, size):
            return tracker.model.runtime.embed(template, size)

        def respond(self, kernel, search):
            return replace(tracker.model.runtime.respond(kernel, search), features=None)

    settings = replace(tracker.model.card.tracker, online=OnlineSettings(weight=0.3))
    card = replace(tracker.model.card, tracker=settings)
    model = replace(tracker.model, card=card, runtime=Plain())
    with pytest.raises(WeightsError, match="gives no features to learn from"):
        siamtrack.SiamTracker(model).init(frames[0][0], frames[1][0])
    off = replace(tracker.model.card.tracker, online=OnlineSettings())
    quiet = siamtrack.SiamTracker(replace(model, card=replace(card, tracker=off)))
    quiet.init(frames[0][0], frames[1][0])
    assert np.isfinite(quiet.update(frames[0][1]).box).all()


def test_boxes_given_out_are_copies(tracker, frames):
    pictures, boxes = frames
    tracker.init(pictures[0], boxes[0]).box[:] = -1
    tracker.update(pictures[1]).box[:] = np.nan
    assert np.isfinite(tracker.update(pictures[2]).box).all()


@pytest.mark.parametrize("redetect", [False, True])
def test_the_model_is_the_one_given(tracker, redetect):
    model = tracker.model
    assert model.card.tracker.size_floor > 0
    assert siamtrack.SiamTracker(model, redetect=redetect).model is model
