import numpy as np
import pytest

from siamtrack.core.tracks import Track, TrackState
from siamtrack.sinks.draw import GRAY, color, draw_tracks

BLANK = np.full((120, 160, 3), 40, np.uint8)


def track(box=(50.0, 40.0, 60.0, 50.0), state=TrackState.TRACKED, id=0):
    return Track(np.array(box), 0.5, state, id)


def painted(picture, paint):
    return (picture == np.array(paint)).all(2)


def test_box_covers_its_pixels_and_the_original_stays():
    before = BLANK.copy()
    picture = draw_tracks(BLANK, [track()])
    np.testing.assert_array_equal(BLANK, before)
    marks = painted(picture, color(0))
    assert marks[40, 50:110].all()
    assert marks[89, 50:110].all()
    assert marks[40:90, 50].all()
    assert marks[40:90, 109].all()
    assert not marks[45:85, 55:105].any()


@pytest.mark.parametrize("state", [TrackState.UNCERTAIN, TrackState.LOST])
def test_dashed_unless_tracked(state):
    paint = GRAY if state is TrackState.LOST else color(2)
    line = painted(draw_tracks(BLANK, [track(state=state, id=2)]), paint)[89, 50:110]
    assert 0.3 < line.mean() < 0.7


def test_neighbors_have_unlike_colours():
    for number in range(20):
        difference = np.abs(np.subtract(color(number), color(number + 1)))
        assert difference.sum() > 100


@pytest.mark.parametrize(
    "box",
    [
        (-30.0, -20.0, 40.0, 40.0),
        (150.0, 110.0, 60.0, 60.0),
        (1e9, 1e9, 5.0, 5.0),
        (-1e12, -1e12, 1e13, 1e13),
        (5.0, 5.0, 0.1, 0.1),
    ],
)
@pytest.mark.parametrize("state", list(TrackState))
def test_boxes_beyond_the_picture(box, state):
    assert draw_tracks(BLANK, [track(box, state)]).shape == BLANK.shape


def test_box_that_is_not_finite_is_left_out():
    picture = draw_tracks(BLANK, [track((np.nan, 0, 5, 5)), track((0, 0, np.inf, 5))])
    np.testing.assert_array_equal(picture, BLANK)


@pytest.mark.parametrize("shape", [(1, 1, 3), (8, 8, 3), (2000, 3000, 3)])
def test_pictures_of_any_size(shape):
    assert draw_tracks(np.zeros(shape, np.uint8), [track()], show_score=False).shape == shape
