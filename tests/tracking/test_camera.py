"""A camera that shakes, one that follows the target, and one that sees another scene."""

import copy
from dataclasses import replace

import cv2
import numpy as np
import pytest

import siamtrack
from siamtrack.core.boxes import iou
from siamtrack.core.settings import MotionSettings
from siamtrack.tracking.camera import Camera
from siamtrack.tracking.target import Motion
from siamtrack.tracking.tracker import SiamTracker
from tests.helpers import texture

GROUND = texture(1, 420, 560, grain=28) // 2 + 60
TARGET = texture(2, 26, 26, grain=6)
SEEN = (240, 320)


def seen(corner, target):
    """What a camera at `corner` sees of the ground with the target on it, and the target's box."""
    (left, top), (x, y) = corner, target
    ground = GROUND.copy()
    ground[y : y + 26, x : x + 26] = TARGET
    frame = ground[top : top + SEEN[0], left : left + SEEN[1]]
    return np.ascontiguousarray(frame), [x - left, y - top, 26, 26]


def shaken(count=24, size=45):
    """A camera that jumps by more than the target's size, and a target that walks."""
    rng = np.random.default_rng(4)
    corners = np.array([120, 90]) + rng.integers(-size, size, (count, 2))
    corners[0] = (120, 90)
    return [seen(corner, (230 + 2 * n, 190 + n)) for n, corner in enumerate(corners)]


def followed(tracker, clip):
    tracker.init(*clip[0])
    return [float(iou(tracker.update(frame).box, box)) for frame, box in clip[1:]]


@pytest.mark.parametrize("shape", [(720, 1280), (240, 320), (1080, 1920), (97, 131)])
def test_the_shift_of_a_frame_is_found(shape):
    scene = texture(3, shape[0] + 80, shape[1] + 80, grain=max(shape) // 20)
    corners = np.array([(40, 40), (46, 37), (46, 37), (30, 61)])
    views = [scene[top : top + shape[0], left : left + shape[1]] for left, top in corners]
    camera = Camera()
    assert camera.shift(views[0]) is None
    for view, wanted in zip(views[1:], -np.diff(corners, axis=0), strict=True):
        assert camera.shift(view) == pytest.approx(wanted, abs=max(1, max(shape) / 300))


def test_frames_with_nothing_in_common_say_nothing():
    camera = Camera()
    camera.shift(GROUND)
    assert camera.shift(GROUND[:200]) is None
    black = np.zeros_like(GROUND)
    camera.shift(black)
    found = camera.shift(black)
    assert found is None or np.allclose(found, 0)
    noise = np.random.default_rng(0).integers(0, 255, (2, 300, 400, 3)).astype(np.uint8)
    camera.shift(noise[0])
    assert camera.shift(noise[1]) is None
    assert Camera().shift(np.zeros((1, 1, 3), np.uint8)) is None


def test_a_target_is_held_though_the_camera_jumps():
    clip = shaken()
    without = followed(siamtrack.load(threads=1), clip)
    with_it = followed(siamtrack.load(threads=1, moving_camera=True), clip)
    assert np.mean(with_it[3:]) > 0.6
    assert np.mean(with_it) > np.mean(without) + 0.2


def test_a_target_that_the_camera_follows_is_not_carried_away():
    """It stays in the middle of the picture, whatever the ground does behind it."""
    rng = np.random.default_rng(5)
    clip = []
    for corner in np.array([120, 90]) + rng.integers(-40, 40, (20, 2)):
        clip.append(seen(corner, (corner[0] + 150, corner[1] + 100)))
    assert min(followed(siamtrack.load(threads=1, moving_camera=True), clip)) > 0.6


def test_a_camera_that_stands_still_changes_nothing():
    clip = [seen((120, 90), (230 + 3 * n, 190 + n)) for n in range(10)]
    boxes = []
    for moving in (False, True):
        tracker = siamtrack.load(threads=1, moving_camera=moving)
        tracker.init(*clip[0])
        boxes.append([tracker.update(frame).box for frame, _ in clip[1:]])
    np.testing.assert_array_equal(*boxes)


def test_a_setting_of_the_model_asks_for_it_and_a_copy_goes_on():
    model = siamtrack.load(threads=1).model
    card = model.card
    motion = replace(card.tracker.motion, camera=True)
    card = replace(card, tracker=replace(card.tracker, motion=motion))
    clip, tracker = shaken(), SiamTracker(replace(model, card=card))
    tracker.init(*clip[0])
    for frame, _ in clip[1:6]:
        tracker.update(frame)
    fork = copy.deepcopy(tracker)
    for frame, _ in clip[6:]:
        one, two = tracker.update(frame), fork.update(frame)
        assert one.box.tolist() == two.box.tolist()
    assert iou(one.box, clip[-1][1]) > 0.6


def test_a_prior_is_where_the_detector_says():
    clip = shaken(6)
    tracker = siamtrack.load(threads=1, moving_camera=True)
    tracker.init(*clip[0])
    for frame, box in clip[1:]:
        assert iou(tracker.update(frame, prior=box).box, box) > 0.6


BOX = np.array([50.0, 50, 20, 20])


def step(motion, box, shift, own):
    """Carry a box by a shift, then move it from there to where its own step leads from `box`."""
    carried = motion.carried(shift, box)
    motion.moved(moved(box, carried), moved(box, own))
    return carried


def moved(box, by):
    return box + np.array([*by, 0, 0])


def test_the_part_in_the_cameras_motion_is_learned():
    """Half of what the camera does, as something halfway to the horizon."""
    rng, motion = np.random.default_rng(0), Motion(MotionSettings(weight=0.2))
    for shift in rng.normal(0, 20, (60, 2)):
        step(motion, BOX, shift, 0.5 * shift)
    for _ in range(12):  # the camera rests
        step(motion, BOX, np.zeros(2), np.zeros(2))
    shift = np.array([30.0, -20])
    assert step(motion, BOX, shift, np.zeros(2)) == pytest.approx(0.5 * shift, rel=0.15)


def test_what_carries_nothing():
    """Little shakes, unknown ones, the first of all, and one so large that it must be a cut."""
    motion = Motion(MotionSettings(weight=0.2))
    assert motion.carried(np.array([40.0, 0]), BOX).tolist() == [0, 0]
    for shift in np.random.default_rng(0).normal(0, 20, (40, 2)):
        step(motion, BOX, shift, shift)
    for _ in range(12):
        step(motion, BOX, np.zeros(2), np.zeros(2))
    assert np.abs(copy.deepcopy(motion).carried(np.array([30.0, 0]), BOX)).max() > 20
    for shift in ([1.0, 1.0], [300.0, 200.0], None):
        given = None if shift is None else np.array(shift)
        assert copy.deepcopy(motion).carried(given, BOX).tolist() == [0, 0]


def test_it_takes_less_than_a_millisecond_beside_what_a_frame_takes():
    """In proportion, since machines differ: reading 720p once over takes about as long."""
    import time

    frame = cv2.resize(GROUND, (1280, 720))
    camera = Camera()

    def seconds(work):
        times = []
        for _ in range(15):
            begun = time.perf_counter()
            work()
            times.append(time.perf_counter() - begun)
        return min(times)

    gray = seconds(lambda: cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32))
    assert seconds(lambda: camera.shift(frame)) < 3 * gray
