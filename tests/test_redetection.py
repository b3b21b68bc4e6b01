import numpy as np
import pytest

import siamtrack
from siamtrack.boxes import iou
from siamtrack.crops import square_window
from siamtrack.redetection import extra_windows, grid_centres
from siamtrack.tracks import TrackState
from tests.helpers import texture

LAST = np.array([40.0, 30.0, 20.0, 20.0])


@pytest.mark.parametrize(
    ("side", "width", "height"), [(50.0, 300, 200), (64.0, 64, 64), (500.0, 300, 200), (7.3, 40, 9)]
)
def test_windows_of_the_grid_cover_the_frame(side, width, height):
    centres = grid_centres(LAST, side, width, height)
    for x, y in np.random.default_rng(0).uniform([0, 0], [width, height], (300, 2)):
        assert (np.abs(centres - [x, y]).max(1) <= side / 2 + 1e-9).any()
    far = np.hypot(*(centres - [50.0, 40.0]).T)
    assert (np.diff(far) >= 0).all()


def test_every_place_has_its_turn_and_the_cost_is_bounded():
    near = square_window(50.0, 40.0, 60.0, 257)
    places = {tuple(place) for place in grid_centres(LAST, 60.0, 320, 240)}
    seen = set()
    for turn in range(40):
        windows = extra_windows(near, LAST, (240, 320), turn, 3)
        assert 1 <= len(windows) <= 3
        assert {window.width for window in windows} == {60.0}
        seen |= {(window.cx, window.cy) for window in windows}
    assert seen == places


def moved(place, size=(480, 640)):
    """A picture with a textured target at `place` (left, top), or without it."""
    picture = texture(1, *size, grain=40) // 3 + 60
    if place is not None:
        x, y = place
        picture[y : y + 40, x : x + 40] = texture(2, 40, 40)
    return picture


def test_finds_a_target_again_that_returns_elsewhere_only_if_asked():
    start, back = (60, 70), (540, 380)
    results = {}
    for redetect in (False, True):
        tracker = siamtrack.load(threads=1, redetect=redetect)
        tracker.init(moved(start), (*start, 40, 40))
        gone = [tracker.update(moved(None)) for _ in range(8)]
        assert gone[-1].state is TrackState.LOST
        for _ in range(40):
            track = tracker.update(moved(back))
        results[redetect] = iou(track.box, np.array([*back, 40.0, 40.0]))
    assert results[False] < 0.1
    assert results[True] > 0.5
