import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from siamtrack.core.settings import TrackerSettings
from siamtrack.errors import UnknownNameError
from siamtrack.packages.card import Card, Model
from siamtrack.runtimes.base import Response
from siamtrack.tracking.crops import context_side, square_window
from siamtrack.tracking.decode import (
    DECODERS,
    BoxDecoder,
    Decoder,
    Detection,
    ResponseDecoder,
    best_cell,
    box_at,
    cell_centers,
    change_penalty,
    cosine_window,
    extra_windows,
    grid_centers,
)
from siamtrack.tracking.tracker import SiamTracker
from tests.helpers import clip


def card(kind, **settings):
    tracker = TrackerSettings(**settings)
    return Card("t", "", kind, template=127, search=255, stride=8, sha256={}, tracker=tracker)


def box_response(row, column, distances):
    score = np.zeros((1, 25, 25), np.float32)
    score[0, row, column] = 1
    return Response(
        score,
        np.broadcast_to(np.float32(distances)[:, None, None], (4, 25, 25))[None],
        np.float32([2.0]),
    )


def test_box_at_the_best_cell():
    last = np.array([100.0, 50.0, 64.0, 64.0])
    window = square_window(132, 82, 255.0, 255)
    decoder = BoxDecoder(card("box", window=0.0, penalty=0.0, size_rate=1.0))
    found = decoder.decode(last, [window], box_response(12, 15, (30, 20, 34, 44)))
    # cell (12, 15) lies 24 px right of the middle; left 30 and right 34 make 64, top 20, bottom 44
    np.testing.assert_allclose(found.box, [132 + 24 - 30, 82 - 20, 64, 64], atol=1e-9)
    assert found.presence == 2.0


def test_size_follows_no_slower_than_the_floor_where_the_score_is_low():
    last = np.array([100.0, 50.0, 64.0, 64.0])
    response = box_response(12, 12, (64, 64, 64, 64))
    response = replace(response, score=response.score * np.float32(0.1))
    sides = []
    for floor, redetect in ((0.0, False), (0.4, False), (0.4, True)):
        settings = card("box", window=0.0, penalty=0.0, size_rate=0.5, size_floor=floor)
        decoder = BoxDecoder(settings, redetect=redetect)
        sides.append(decoder.decode(last, [square_window(132, 82, 255.0, 255)], response).box[2])
    slow, fast = 64 + 0.5 * 0.1 * 64, 64 + 0.5 * 0.4 * 64
    np.testing.assert_allclose(sides, [slow, fast, slow], rtol=1e-6)


def test_size_follows_slowly():
    last = np.array([100.0, 50.0, 64.0, 64.0])
    window = square_window(132, 82, 255.0, 255)
    decoder = BoxDecoder(card("box", window=0.0, penalty=0.0, size_rate=0.25))
    found = decoder.decode(last, [window], box_response(12, 12, (64, 64, 64, 64)))
    np.testing.assert_allclose(found.box[2:], [80, 80])
    np.testing.assert_allclose(found.box[:2] + found.box[2:] / 2, [132, 82])


def pyramid(maps):
    last = np.array([100.0, 50.0, 40.0, 20.0])
    windows = [square_window(120, 60, 127.5 * 1.05**k, 255) for k in (-1, 0, 1)]
    settings = {"window": 0.0, "penalty": 0.97, "size_rate": 0.5, "up": 16}
    return ResponseDecoder(card("response", **settings)).decode(last, windows, Response(maps))


def test_pyramid_displacement():
    y, x = np.mgrid[:17, :17]
    bump = np.exp(-((x - 10) ** 2 + (y - 6) ** 2) / 4).astype(np.float32)
    found = pyramid(np.stack([0.5 * bump, bump, 0.5 * bump]))
    centre = found.box[:2] + found.box[2:] / 2
    # two cells of stride 8, seen at half scale
    np.testing.assert_allclose(centre, [120 + 8, 60 - 8], atol=0.3)
    np.testing.assert_allclose(found.box[2:], [40, 20])


def test_pyramid_takes_a_scale_that_wins_clearly_only():
    y, x = np.mgrid[:17, :17]
    bump = np.exp(-((x - 8) ** 2 + (y - 8) ** 2) / 4).astype(np.float32)
    slightly = pyramid(np.stack([0.9 * bump, bump, 1.02 * bump]))
    clearly = pyramid(np.stack([0.9 * bump, bump, 1.2 * bump]))
    np.testing.assert_allclose(slightly.box[2:], [40, 20])
    np.testing.assert_allclose(clearly.box[2:], np.array([40, 20]) * 1.025)


def test_penalty_holds_where_all_responses_are_negative():
    y, x = np.mgrid[:17, :17]
    bump = np.exp(-((x - 8) ** 2 + (y - 8) ** 2) / 4).astype(np.float32)
    slightly = pyramid(np.stack([bump - 4, bump - 4, bump - 3.99]))
    clearly = pyramid(np.stack([bump - 4, bump - 4, bump - 3.5]))
    np.testing.assert_allclose(slightly.box[2:], [40, 20])
    np.testing.assert_allclose(clearly.box[2:], np.array([40, 20]) * 1.025)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_no_box_from_a_response_that_is_not_finite(bad):
    maps = np.zeros((3, 17, 17), np.float32)
    maps[1, 3, 3] = bad
    assert pyramid(maps) is None
    response = box_response(3, 3, (1, 1, 1, 1))
    response.score[0, 0, 0] = bad
    window = square_window(10, 10, 255.0, 255)
    assert BoxDecoder(card("box")).decode(np.ones(4), [window], response) is None


class CountingRuntime:
    """SiamFC's side of a runtime: notes how many windows it gets; the target stays."""

    def __init__(self):
        self.windows = []

    def embed(self, template, size):
        return np.zeros((len(template), 1, 1, 1), np.float32)

    def respond(self, kernel, search):
        self.windows.append(len(search))
        score = np.zeros((len(search), 5, 5), np.float32)
        score[:, 2, 2] = 1
        return Response(score)


@pytest.mark.parametrize(("every", "windows"), [(1, [3, 3, 3, 3]), (3, [3, 1, 1, 3])])
def test_other_scales_in_every_nth_frame(every, windows):
    runtime = CountingRuntime()
    tracker = SiamTracker(Model(card("response", scale_every=every), runtime))
    pictures, boxes = clip(5)
    tracker.init(pictures[0], boxes[0])
    for picture in pictures[1:]:
        tracker.update(picture)
    assert runtime.windows == windows


def test_no_scale_every():
    with pytest.raises(ValueError, match="scale_every 0: expected a whole number from 1"):
        TrackerSettings(scale_every=0)


def test_a_response_that_overflows_between_its_cells_finds_nothing():
    score = np.zeros((1, 17, 17), np.float32)
    score[0, 8, 8:10] = 3e38  # the cubic curve between the two rises above float32
    windows = [square_window(50, 50, 255.0, 255)]
    settings = {"window": 0.0, "up": 16, "scales": 1}
    last = np.array([40.0, 40.0, 20.0, 20.0])
    decoder = ResponseDecoder(card("response", **settings))
    assert decoder.decode(last, windows, Response(score)) is None


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (5, 5), (17, 17), (4, 7)])
def test_the_window_is_a_product_of_raised_cosines(rows, columns):
    window = cosine_window(rows, columns)
    for row in range(rows):
        for column in range(columns):
            y = 0.5 - 0.5 * math.cos(2 * math.pi * (row + 1) / (rows + 1))
            x = 0.5 - 0.5 * math.cos(2 * math.pi * (column + 1) / (columns + 1))
            assert window[row, column] == pytest.approx(x * y, abs=1e-6)
    assert window.dtype == np.float32
    assert window.min() > 0


def test_the_window_is_symmetric_with_its_peak_in_the_middle():
    window = cosine_window(17, 9)
    assert np.allclose(window, window[::-1])
    assert np.allclose(window, window[:, ::-1])
    assert np.unravel_index(window.argmax(), window.shape) == (8, 4)
    assert window.max() == pytest.approx(1.0)


@given(st.integers(1, 40), st.integers(1, 32), st.integers(8, 300))
def test_cells_are_evenly_spaced_and_centred(count, stride, patch):
    centres = cell_centers(count, stride, patch)
    assert centres.shape == (count,)
    assert np.allclose(np.diff(centres), stride)
    assert centres.mean() == pytest.approx(patch / 2)


def test_box_at_lies_around_the_centre_of_its_cell():
    distances = np.random.default_rng(0).uniform(0, 40, (4, 3, 5))
    x, y = cell_centers(5, 8, 65), cell_centers(3, 8, 65)
    for row in range(3):
        for column in range(5):
            left, top, right, bottom = distances[:, row, column]
            expected = [x[column] - left, y[row] - top, left + right, top + bottom]
            assert box_at(distances, row, column, 8, 65).tolist() == pytest.approx(expected)


def penalty_oracle(box, width, height, strength):
    change = []
    for new, old in [
        (context_side(box[2], box[3]), context_side(width, height)),
        (box[2] / box[3], width / height),
    ]:
        change.append(max(new / old, old / new))
    return math.exp(-strength * (change[0] * change[1] - 1))


length = st.floats(1, 300)


@given(length, length, length, length, st.floats(0, 1))
def test_penalty_agrees_with_the_formula(w, h, width, height, strength):
    value = float(change_penalty(np.float64(w), np.float64(h), width, height, strength))
    assert value == pytest.approx(penalty_oracle([3, 4, w, h], width, height, strength), rel=1e-9)
    assert 0 <= value <= 1
    same = change_penalty(np.float64(width), np.float64(height), width, height, strength)
    assert same == pytest.approx(1.0)


def test_growing_and_shrinking_are_disfavoured_alike_and_empty_boxes_stay_finite():
    sides = np.array([20.0, 5.0, 10.0, 0.0])
    twice, half, same, empty = change_penalty(sides, sides, 10, 10, 0.2)
    assert twice == pytest.approx(half)
    assert same == 1.0
    assert 0 <= empty < twice < same


@given(
    arrays(np.float32, (4, 6), elements=st.floats(-50, 50, width=32)),
    st.floats(0, 1),
)
def test_best_cell_is_the_peak_of_the_mixture(scores, influence):
    window = cosine_window(4, 6)
    row, column = best_cell(scores, window, influence)
    mixed = (1 - influence) * scores.astype(float) + influence * window
    assert mixed[row, column] == pytest.approx(mixed.max(), abs=1e-4)


@pytest.mark.parametrize("influence", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("level", [-100.0, 0.0, 5.0])
def test_a_score_that_is_not_finite_never_wins(influence, bad, level):
    scores = np.full((3, 3), level, dtype=np.float32)
    scores[1, 1] = bad
    assert best_cell(scores, cosine_window(3, 3), influence) != (1, 1)


def test_no_finite_score_still_gives_a_cell():
    row, column = best_cell(np.full((3, 4), np.nan), cosine_window(3, 4), 0.3)
    assert 0 <= row < 3
    assert 0 <= column < 4


def test_what_many_share_cannot_be_changed():
    assert cosine_window(5, 7) is cosine_window(5, 7)
    for shared in (cosine_window(5, 7), cell_centers(5, 16, 81)):
        with pytest.raises(ValueError, match="read-only"):
            shared[0] = 1.0


LAST = np.array([40.0, 30.0, 20.0, 20.0])


@pytest.mark.parametrize(
    ("side", "width", "height"), [(50.0, 300, 200), (64.0, 64, 64), (500.0, 300, 200), (7.3, 40, 9)]
)
def test_windows_of_the_grid_cover_the_frame(side, width, height):
    centers = grid_centers(LAST, side, width, height)
    for x, y in np.random.default_rng(0).uniform([0, 0], [width, height], (300, 2)):
        assert (np.abs(centers - [x, y]).max(1) <= side / 2 + 1e-9).any()
    far = np.hypot(*(centers - [50.0, 40.0]).T)
    assert (np.diff(far) >= 0).all()


def test_every_place_has_its_turn_and_the_cost_is_bounded():
    near = square_window(50.0, 40.0, 60.0, 257)
    places = {tuple(place) for place in grid_centers(LAST, 60.0, 320, 240)}
    seen = set()
    for turn in range(40):
        windows = extra_windows(near, LAST, (240, 320), turn, 3)
        assert 1 <= len(windows) <= 3
        assert {window.width for window in windows} == {60.0}
        seen |= {(window.cx, window.cy) for window in windows}
    assert seen == places


class Middle(Decoder):
    """A decoder of a kind of somebody's own: the target is where it was."""

    def windows(self, last, shape, frames, lost_for):
        return [square_window(*self.search_square(last), self.card.search)]

    def decode(self, last, windows, response, expected=None):
        return Detection(last, presence=float(response.score.max()))


def test_a_kind_of_ones_own(monkeypatch):
    model = Model(card("middle"), CountingRuntime())
    with pytest.raises(UnknownNameError, match="unknown kind of model 'middle'"):
        SiamTracker(model)
    monkeypatch.setitem(DECODERS._items, "middle", Middle)
    tracker, (pictures, boxes) = SiamTracker(model), clip(3)
    tracker.init(pictures[0], boxes[0])
    np.testing.assert_array_equal(tracker.update(pictures[1]).box, boxes[0])
    assert model.runtime.windows == [1]
