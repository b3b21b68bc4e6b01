"""Masks of tracks: asked for, they are those of the network; not asked for, they cost nothing."""

import copy
import pickle
import shutil

import cv2
import numpy as np
import pytest

import siamtrack
from siamtrack.core.boxes import iou
from siamtrack.errors import WeightsError
from siamtrack.tracking.crops import cut, spread
from siamtrack.tracking.outline import CARD, GRAPH, PACKAGED, load_outliner, outline_window
from tests.helpers import clip


def scene(cx=100, cy=70):
    """Return a frame with an orange ellipse on gray noise, its mask and its box."""
    rng = np.random.default_rng(1)
    frame = cv2.GaussianBlur(rng.integers(60, 160, (150, 220, 3), dtype=np.uint8), (9, 9), 0)
    mask = np.zeros(frame.shape[:2], np.uint8)
    cv2.ellipse(mask, (cx, cy), (38, 24), 20, 0, 360, 1, cv2.FILLED)
    frame[mask != 0] = (240, 120, 20)
    return frame, mask != 0, cv2.boundingRect(mask)


def test_what_is_plain_to_see_is_outlined():
    frame, truth, box = scene()
    mask = load_outliner().outline(frame, [box])[0]
    full = mask.full()
    assert full.shape == truth.shape
    assert (full & truth).sum() / (full | truth).sum() > 0.75
    assert float(iou(np.array(mask.box), np.array(box))) > 0.7


def test_many_boxes_are_as_each_alone():
    frame, _, box = scene()
    outliner = load_outliner()
    boxes = [box, (-30, -20, 60, 50), (200, 140, 300, 300), (40, 40, 3, 90)]
    together = outliner.outline(frame, boxes)
    for one, mask in zip(boxes, together, strict=True):
        alone = outliner.outline(frame, [one])[0]
        assert (mask.full() != alone.full()).mean() < 1e-3
        assert mask.shape == frame.shape[:2]
    assert outliner.outline(frame, []) == []
    for bad in ((np.nan, 0, 5, 5), (3, 3, 0, 5), (3, 3, 5, -1), (900, 900, 10, 10)):
        assert outliner.outline(frame, [bad])[0].area == 0


def test_fine_masks_follow_the_colors_of_the_frame():
    """Of a large target, whose map is coarse beside the frame."""
    frame, truth, box = scene()
    frame = cv2.resize(frame, None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST)
    truth = cv2.resize(truth.astype(np.uint8), None, fx=4, fy=4, interpolation=0) != 0
    box = [4 * side for side in box]
    found = {}
    for fine in (False, True):
        outliner = load_outliner(fine=fine)
        full = outliner.outline(frame, [box])[0].full()
        found[fine] = (full & truth).sum() / (full | truth).sum()
        again = pickle.loads(pickle.dumps(outliner))
        assert again.fine == fine
        assert (again.outline(frame, [box])[0].full() == full).all()
    assert found[True] > found[False]
    assert found[True] > 0.97


def test_fine_masks_of_odd_boxes():
    frame, _, box = scene()
    outliner = load_outliner(fine=True)
    boxes = [box, (-30, -20, 60, 50), (200, 140, 300, 300), (40, 40, 3, 90)]
    for one, mask in zip(boxes, outliner.outline(frame, boxes), strict=True):
        assert (mask.full() != outliner.outline(frame, [one])[0].full()).mean() < 1e-3
    for bad in ((np.nan, 0, 5, 5), (3, 3, 0, 5), (900, 900, 10, 10), (-90, -90, 10, 10)):
        assert outliner.outline(frame, [bad])[0].area == 0
    flat = np.full((60, 80, 3), 7, np.uint8)  # without any edge there is nothing to divide by
    assert outliner.outline(flat, [(20, 20, 20, 20)])[0].shape == (60, 80)


def test_fine_masks_are_asked_for_by_name():
    assert siamtrack.load(masks="fine").outliner.fine
    assert not siamtrack.load(masks=True).outliner.fine


def test_tracks_have_masks_only_where_asked():
    frames, boxes = clip(4)
    plain, asked = siamtrack.load(), siamtrack.load(masks=True)
    assert plain.outliner is None
    first = asked.init(frames[0], boxes[0])
    assert first.mask.shape == frames[0].shape[:2]
    assert plain.init(frames[0], boxes[0]).mask is None
    for frame in frames[1:]:
        without, track = plain.update(frame), asked.update(frame)
        assert (without.mask, without.rotated) == (None, None)
        assert np.allclose(without.box, track.box)
        if track.mask.area:
            assert track.rotated.corners.shape == (4, 2)
    found = [track.mask for _, track in siamtrack.track(frames, boxes[0], masks=True)]
    assert all(mask is not None for mask in found)
    # A tracker that was given stays as it is
    one = [track.mask for _, track in siamtrack.track(frames, boxes[0], tracker=plain, masks=True)]
    assert all(mask is not None for mask in one)
    assert plain.outliner is None


def test_lost_targets_have_no_mask():
    frame, _, box = scene()
    tracker = siamtrack.load(masks=True)
    tracker.init(frame, box)
    noise = np.random.default_rng(0).integers(0, 255, frame.shape, dtype=np.uint8)
    tracks = [tracker.update(noise) for _ in range(40)]
    lost = [track for track in tracks if track.state is siamtrack.TrackState.LOST]
    assert lost
    assert {track.mask for track in lost} == {None}


def test_copies_and_pickles_find_the_same():
    frame, _, box = scene()
    tracker = siamtrack.load(masks=True)
    want = tracker.init(frame, box).mask.full()
    for again in (copy.copy, lambda each: pickle.loads(pickle.dumps(each))):
        other = again(tracker)
        assert (other.update(frame).mask.full() == tracker.update(frame).mask.full()).all()
    assert copy.deepcopy(tracker.outliner) is tracker.outliner
    assert (tracker.init(frame, box).mask.full() == want).all()


def test_damaged_weights_are_refused(tmp_path):
    with pytest.raises(WeightsError, match=f"expected {CARD} and {GRAPH}"):
        load_outliner(tmp_path)
    shutil.copytree(PACKAGED, tmp_path / "mask")
    graph = tmp_path / "mask" / GRAPH
    data = bytearray(graph.read_bytes())
    data[len(data) // 2] ^= 1
    graph.write_bytes(bytes(data))
    with pytest.raises(WeightsError, match="altered or damaged"):
        load_outliner(tmp_path / "mask")
    assert PACKAGED.joinpath(GRAPH).stat().st_size < 1.6e6


def test_spread_is_the_inverse_of_cut():
    rows, columns = np.mgrid[:90, :120].astype(np.float32)
    frame = np.repeat((rows + columns)[..., None], 3, axis=2).astype(np.uint8)
    for box in ((30.3, 20.7, 40.0, 30.0), (-8, 60, 50, 60), (3, 3, 80, 12)):
        window, _ = outline_window(box)
        patch = cut(frame, window)[..., 0].astype(np.float32)
        values, (left, top) = spread(patch, window, frame.shape[:2])
        truth = frame[top : top + values.shape[0], left : left + values.shape[1], 0]
        inner = (slice(3, -3), slice(3, -3))
        assert np.abs(values[inner] - truth[inner]).max() < 3
    outside, _ = outline_window((500, 500, 10, 10))
    assert spread(patch, outside, (90, 120))[0].size == 0
