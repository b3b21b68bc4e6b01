"""A look-alike beside a steady target does not catch it; a target that jumps is let jump."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamtrack.core.settings import MotionSettings, TrackerSettings
from siamtrack.packages.card import model_folder, read_card
from siamtrack.runtimes.base import Response
from siamtrack.tracking.crops import square_window
from siamtrack.tracking.decode import BoxDecoder, ResponseDecoder
from siamtrack.tracking.target import Motion

SETTINGS = MotionSettings(weight=0.3)
START = np.array([100.0, 80.0, 30.0, 40.0])


def walked(steps, settings=SETTINGS):
    """Return the motion of a target that took these steps, and its last box."""
    motion, box = Motion(settings), START
    for step in steps:
        now = box + np.array([*step, 0, 0])
        motion.moved(box, now)
        box = now
    return motion, box


def choice(near, far, motion, window=0.1):
    """Return the x at which a target is found that has two peaks, one of them 48 pixels right."""
    card = replace(
        read_card(model_folder("lite")),
        tracker=TrackerSettings(window=window, penalty=0.0, motion=motion.settings),
    )
    cells, size = 17, card.search
    score = np.full((1, cells, cells), 0.01, np.float32)
    score[0, 8, 8], score[0, 8, 8 + 48 // card.stride] = near, far
    distances = np.broadcast_to(
        np.array([15, 20, 15, 20], np.float32)[None, :, None, None], (1, 4, cells, cells)
    )
    center = START[:2] + START[2:] / 2
    views = [square_window(*center, size, size)]  # one pixel of the patch is one of the frame
    response = Response(score, distances, np.zeros(1, np.float32), None)
    found = BoxDecoder(card).decode(START, views, response, motion.expected())
    return found.box[0] + found.box[2] / 2 - center[0]


def test_a_response_map_is_read_where_a_steady_target_is_expected():
    card = replace(
        read_card(model_folder("ciresnet22-slim")),
        tracker=TrackerSettings(window=0.1, motion=MotionSettings(weight=0.5)),
    )
    maps = np.zeros((1, 17, 17), np.float32)
    maps[0, 8, 8], maps[0, 8, 14] = 4.0, 5.0  # the look-alike is 48 pixels right
    views = [square_window(*(START[:2] + START[2:] / 2), card.search, card.search)]
    response = Response(maps, None, None, None)

    def found(motion):
        read = ResponseDecoder(card).decode(START, views, response, motion.expected())
        return read.box[0] - START[0]

    steady, shaken = walked([(1, 0), (0, 1)] * 5)[0], walked([(48, 0), (-48, 0)] * 5)[0]
    assert found(walked([])[0]) == pytest.approx(48, abs=1)
    assert found(steady) == pytest.approx(0, abs=1)
    assert found(shaken) == pytest.approx(48, abs=1)


def test_a_look_alike_beside_a_steady_target_does_not_catch_it():
    steady, _ = walked([(1, 0), (0, 1)] * 5)
    assert choice(0.7, 0.9, walked([])[0]) == pytest.approx(48, abs=1)  # nothing known yet
    assert choice(0.7, 0.9, steady) == pytest.approx(0, abs=1)
    # where only the far one looks like the target, it has jumped there
    assert choice(0.1, 0.9, steady) == pytest.approx(48, abs=1)


def test_a_restless_target_may_jump():
    shaken, _ = walked([(48, 0), (-48, 0)] * 5)
    assert choice(0.7, 0.9, shaken) == pytest.approx(48, abs=1)


def test_a_runner_is_expected_ahead():
    runner, _ = walked([(12, -5)] * 15)
    assert runner.expected().shift == pytest.approx([0.8 * 12, 0.8 * -5], rel=0.01)
    assert runner.expected().spread == SETTINGS.spread
    runner.lost()
    assert runner.expected().shift.tolist() == [0, 0]


def test_nothing_is_expected_where_it_is_off_or_unknown():
    assert walked([(1, 0)] * 9, MotionSettings())[0].expected() is None
    assert walked([(1, 0)] * 2)[0].expected() is None


@given(st.lists(st.tuples(*[st.floats(-1e4, 1e4)] * 2), max_size=30))
def test_whatever_the_steps_the_likelihood_is_one(steps):
    expected = walked(steps)[0].expected()
    if expected is not None:
        found = expected.likelihood(35.0, 17, 16.0)
        assert np.isfinite(found).all()
        assert 0 <= found.min() <= found.max() <= 1
