"""Windows, penalties and peaks."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from siamtrack.tracking.crops import context_side
from siamtrack.tracking.response import (
    best_cell,
    box_at,
    cell_centres,
    change_penalty,
    cosine_window,
)


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
    centres = cell_centres(count, stride, patch)
    assert centres.shape == (count,)
    assert np.allclose(np.diff(centres), stride)
    assert centres.mean() == pytest.approx(patch / 2)


def test_box_at_lies_around_the_centre_of_its_cell():
    distances = np.random.default_rng(0).uniform(0, 40, (4, 3, 5))
    x, y = cell_centres(5, 8, 65), cell_centres(3, 8, 65)
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
    for shared in (cosine_window(5, 7), cell_centres(5, 16, 81)):
        with pytest.raises(ValueError, match="read-only"):
            shared[0] = 1.0
