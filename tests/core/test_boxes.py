"""Boxes: conversions that invert each other, overlap against a slow oracle, validation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from siamtrack.core import boxes as bx

whole = st.integers(-50, 50).map(float)
side = st.integers(1, 20).map(float)
small_box = st.tuples(whole, whole, side, side).map(np.array)
position, length = st.floats(-1e4, 1e4), st.floats(0.1, 1e4)
any_box = st.tuples(position, position, length, length).map(np.array)


@pytest.mark.parametrize(
    ("there", "back"),
    [(bx.ltwh_to_ltrb, bx.ltrb_to_ltwh), (bx.ltwh_to_cxcywh, bx.cxcywh_to_ltwh)],
)
@given(boxes=arrays(np.float64, (2, 3, 4), elements=st.floats(-1e6, 1e6)))
def test_conversions_invert_each_other_and_leave_their_input_alone(there, back, boxes):
    before = boxes.copy()
    np.testing.assert_allclose(back(there(boxes)), boxes, atol=1e-8)
    np.testing.assert_array_equal(boxes, before)


def test_conversions_by_hand():
    assert bx.ltwh_to_ltrb([1, 2, 3, 4]).tolist() == [1, 2, 4, 6]
    assert bx.ltrb_to_ltwh([1, 2, 4, 6]).tolist() == [1, 2, 3, 4]
    assert bx.ltwh_to_cxcywh([1, 2, 3, 4]).tolist() == [2.5, 4, 3, 4]
    assert bx.cxcywh_to_ltwh([2.5, 4, 3, 4]).tolist() == [1, 2, 3, 4]
    assert bx.centers([[1, 2, 3, 4]]).tolist() == [[2.5, 4]]


def pixels(box):
    """The set of whole pixels that a box with whole coordinates covers."""
    left, top, w, h = (int(v) for v in box)
    return {(x, y) for x in range(left, left + w) for y in range(top, top + h)}


@given(small_box, small_box)
def test_iou_counts_pixels(a, b):
    p, q = pixels(a), pixels(b)
    assert bx.iou(a, b) == pytest.approx(len(p & q) / len(p | q), abs=1e-12)


@given(any_box, any_box)
def test_iou_is_symmetric_and_between_0_and_1(a, b):
    value = float(bx.iou(a, b))
    assert 0.0 <= value <= 1.0
    assert value == bx.iou(b, a)
    assert bx.iou(a, a) == 1.0


@given(small_box, small_box, st.integers(-30, 30))
def test_iou_and_centre_error_do_not_change_when_both_boxes_move(a, b, by):
    shift = np.array([by, -by, 0, 0])
    assert bx.iou(a + shift, b + shift) == bx.iou(a, b)
    assert bx.center_error(a + shift, b + shift) == bx.center_error(a, b)


def test_iou_of_boxes_without_area_and_with_nan():
    assert bx.iou([0, 0, 0, 5], [0, 0, 0, 5]) == 0
    assert bx.iou([0, 0, -2, 5], [0, 0, 4, 4]) == 0
    assert np.isnan(bx.iou([0, 0, np.nan, 5], [0, 0, 4, 4]))


def test_iou_broadcasts():
    a = np.array([[0, 0, 2, 2], [1, 0, 2, 2], [9, 9, 2, 2]])
    assert bx.iou(a[:, None], a[None]).shape == (3, 3)
    np.testing.assert_allclose(bx.iou(a, [0, 0, 2, 2]), [1, 1 / 3, 0])


@given(any_box, st.integers(1, 500), st.integers(1, 500))
def test_clip_keeps_what_lies_inside(box, width, height):
    left, top, right, bottom = bx.ltwh_to_ltrb(bx.clip(box, width, height))
    assert 0 <= left <= right <= width + 1e-9
    assert 0 <= top <= bottom <= height + 1e-9
    frame = np.array([0, 0, width, height], dtype=float)
    l1, t1, r1, b1 = bx.ltwh_to_ltrb(box)
    overlap = max(0, min(r1, width) - max(l1, 0)) * max(0, min(b1, height) - max(t1, 0))
    assert (right - left) * (bottom - top) == pytest.approx(overlap, rel=1e-6, abs=1e-6)
    np.testing.assert_allclose(bx.clip(frame, width, height), frame)


@pytest.mark.parametrize("wrong", [[1, 2, 3], 5, np.zeros((4, 3))])
def test_wrong_shapes_are_refused(wrong):
    with pytest.raises(ValueError, match=r"shape \(\.\.\., 4\)"):
        bx.iou(wrong, [0, 0, 1, 1])


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((1, 2, 3), "expected four numbers"),
        ("abcd", "expected four numbers"),
        (None, "expected four numbers"),
        ([[1, 2, 3, 4]], "expected four numbers"),
        ((1, 2, np.nan, 4), "must be finite"),
        ((np.inf, 2, 3, 4), "must be finite"),
        ((1, 2, 0, 4), "must be above 0"),
        ((1, 2, 3, -4), "must be above 0"),
        ((64, 2, 3, 4), "outside the frame of 64x48"),
        ((1, 48, 3, 4), "outside the frame"),
        ((-3, 2, 3, 4), "outside the frame"),
        ((1, -4, 3, 4), "outside the frame"),
        ((-1, 2, 65, 4), "larger than the frame of 64x48"),
        ((1, 2, 3, 49), "larger than the frame"),
    ],
)
def test_check_box_refuses_with_a_sentence(box, message):
    with pytest.raises(ValueError, match=message):
        bx.check_box(box, 64, 48)


@pytest.mark.parametrize(
    "box", [(0, 0, 64, 48), (-2, -3, 3, 4), (63.5, 47.5, 10, 10), np.array([1, 2, 3, 4])]
)
def test_check_box_returns_boxes_that_overlap_the_frame(box):
    checked = bx.check_box(box, 64, 48)
    assert checked.dtype == np.float64
    assert checked.tolist() == list(box)
