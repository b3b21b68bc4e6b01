"""Boxes measured anew: the refiner finds what was drawn, and its box is taken in as told."""

import copy
import pickle
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest

import siamtrack
from siamtrack.core.boxes import iou
from siamtrack.core.settings import RefineSettings
from siamtrack.core.tracks import TrackState
from siamtrack.errors import WeightsError
from siamtrack.packages.card import REFINER, load_model, model_folder, read_card
from siamtrack.packages.write import write_card
from siamtrack.tracking.crops import mean_color
from siamtrack.tracking.refine import Refiner
from siamtrack.tracking.tracker import SiamTracker


def scene(cx=110, cy=75, width=64, height=40):
    """Return a frame with a striped block on soft noise, and its box."""
    rng = np.random.default_rng(3)
    frame = cv2.GaussianBlur(rng.integers(60, 160, (150, 220, 3), dtype=np.uint8), (9, 9), 0)
    left, top = cx - width // 2, cy - height // 2
    frame[top : top + height, left : left + width] = (230, 110, 30)
    frame[top : top + height : 6, left : left + width] = (40, 40, 200)
    return frame, np.array([left, top, width, height], float)


def changed(model, **values):
    card = model.card
    refine = replace(card.tracker.refine, **values)
    return replace(model, card=replace(card, tracker=replace(card.tracker, refine=refine)))


@pytest.fixture(scope="module")
def model():
    return load_model("base")


def test_a_box_that_is_off_is_measured_anew(model):
    frame, truth = scene()
    refiner = Refiner(model.refiner)
    memory = refiner.remember(frame, [truth], [mean_color(frame)])
    later, now = scene(120, 70, 80, 36)
    off = now + np.array([6.0, -4.0, -14.0, 6.0])
    boxes = refiner.sides(later, [off, now], [memory] * 2, [mean_color(later)] * 2)
    assert float(iou(boxes[0], now)) > float(iou(off, now)) + 0.05
    assert float(iou(boxes[1], now)) > 0.85
    # Together as alone
    alone = refiner.sides(later, [off], [memory], [mean_color(later)])
    assert np.allclose(alone[0], boxes[0], atol=0.05)


def test_settings_say_what_becomes_of_a_measured_box(model):
    frames = [scene(110 + 2 * k, 75, 64 + 3 * k, 40)[0] for k in range(6)]
    _, box = scene()

    def followed(**values):
        tracker = SiamTracker(changed(model, **values))
        tracker.init(frames[0], box)
        tracks = [tracker.update(frame) for frame in frames[1:]]
        return tracks, tracker

    plain, _ = followed(weight=0.0, doubt=0.0)
    lite = siamtrack.load("lite")
    lite.init(frames[0], box)
    assert [t.box.tolist() for t in plain] == [lite.update(f).box.tolist() for f in frames[1:]]
    # The search goes on around the tracker's own box
    whole, tracker = followed(weight=1.0, doubt=1.0)
    assert not np.allclose(whole[0].box, plain[0].box)
    assert np.allclose(tracker.target(0).box, plain[-1].box)
    # All of its size fed back, the tracker goes on with what it returned last, around its own place
    fed, tracker = followed(weight=1.0, doubt=1.0, feed=1.0)
    assert fed[0].box.tolist() == whole[0].box.tolist()
    assert np.allclose(tracker.target(0).box[2:], fed[-1].box[2:], atol=0.01)
    assert not np.allclose(tracker.target(0).box[2:], plain[-1].box[2:], atol=0.5)
    # The lower the score, the more of it is measured
    mixed, _ = followed(weight=0.2, doubt=0.8)
    for one, other, both in zip(plain, whole, mixed, strict=True):
        share = 0.8 - 0.6 * one.score
        assert np.allclose(both.box, (1 - share) * one.box + share * other.box)
        assert (both.score, both.state) == (one.score, one.state)


def test_what_was_surely_seen_is_remembered(model):
    frames = [scene(110 + 2 * k, 75, 64 + 3 * k, 40)[0] for k in range(9)]
    _, box = scene()
    tracker = SiamTracker(changed(model, keep=2, every=3, sure=0.2))
    tracker.init(frames[0], box)
    first = tracker.target(0).memory.copy()
    cells = first.shape[1] // 3
    assert np.array_equal(first[:, cells:], np.tile(first[:, :cells], (1, 2, 1)))
    held = []
    for frame in frames[1:]:
        track = tracker.update(frame)
        held.append(tracker.target(0).memory)
        assert track.score >= 0.2  # else the clip shows nothing
    # Frames 3 and 6 came in behind one another, the first stays
    assert np.array_equal(held[1], first)
    third, sixth = held[2], held[5]
    assert np.array_equal(third[:, : 2 * cells], first[:, : 2 * cells])
    assert not np.array_equal(third[:, 2 * cells :], first[:, 2 * cells :])
    assert np.array_equal(sixth[:, :cells], first[:, :cells])
    assert np.array_equal(sixth[:, cells : 2 * cells], third[:, 2 * cells :])
    assert np.array_equal(held[-1], sixth)
    # What is remembered is the box that was returned, not the tracker's own
    expected = Refiner(model.refiner).remember(
        frames[3], [_returned(model, frames, 3)], [tracker.target(0).border]
    )
    assert np.allclose(third[:, 2 * cells :], expected, atol=1e-3)


def _returned(model, frames, last):
    tracker = SiamTracker(changed(model, keep=2, every=3, sure=0.2))
    tracker.init(frames[0], scene()[1])
    return [tracker.update(frame).box for frame in frames[1 : last + 1]][-1]


def test_what_was_doubtful_is_not_remembered(model):
    frame, box = scene()
    tracker = SiamTracker(changed(model, keep=1, every=1, sure=1.0))
    tracker.init(frame, box)
    before = tracker.target(0).memory
    for _ in range(3):
        assert tracker.update(frame).score < 1
    assert tracker.target(0).memory is before


def test_several_targets_are_measured_at_once(model):
    frame, first = scene()
    second = np.array([10.0, 20.0, 40.0, 30.0])
    cv2.circle(frame, (30, 35), 17, (20, 220, 60), cv2.FILLED)
    both, one = SiamTracker(model), SiamTracker(model)
    for box in (first, second):
        both.add(frame, box)
    one.init(frame, second)
    for _ in range(3):
        tracks, alone = both.update_all(frame), one.update(frame)
    assert np.allclose(tracks[1].box, alone.box, atol=0.2)
    assert float(iou(tracks[0].box, first)) > 0.8


def test_copies_and_pickles_go_on_alike(model):
    frame, box = scene()
    tracker = SiamTracker(model)
    tracker.init(frame, box)
    twin, thawed = copy.copy(tracker), pickle.loads(pickle.dumps(tracker))
    later, _ = scene(116, 75, 72, 40)
    expected = tracker.update(later).box
    assert np.array_equal(twin.update(later).box, expected)
    assert np.allclose(thawed.update(later).box, expected)


def test_a_target_that_is_gone_is_held_and_not_measured(model):
    frame, box = scene()
    tracker = SiamTracker(changed(model, weight=1.0, doubt=1.0))
    tracker.init(frame, box)
    noise = np.random.default_rng(0).integers(0, 255, frame.shape, dtype=np.uint8)
    tracks = [tracker.update(noise) for _ in range(30)]
    assert tracks[-1].state is TrackState.LOST
    assert not tracker.target(0).wants_measure
    assert np.array_equal(tracks[-1].box, tracks[-2].box)


def test_a_model_without_a_refiner_says_what_to_do(tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(model_folder("lite"), folder)
    card = read_card(folder)
    write_card(folder, replace(card, tracker=replace(card.tracker, refine=RefineSettings(0.5))))
    frame, box = scene()
    with pytest.raises(WeightsError, match=r"no refiner: .*take refine out"):
        siamtrack.load(folder).init(frame, box)


def test_an_altered_refiner_is_refused(tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(model_folder("base"), folder)
    file = folder / f"{REFINER[1]}.onnx"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(WeightsError, match="altered"):
        siamtrack.load(folder)
    file.unlink()
    with pytest.raises(WeightsError, match="cannot be read"):
        siamtrack.load(folder)


@pytest.mark.parametrize(
    "values",
    [{"weight": 1.5}, {"doubt": -0.1}, {"weight": np.nan}, {"keep": -1}, {"every": 0}],
)
def test_a_share_out_of_range_is_refused(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        RefineSettings(**values)
