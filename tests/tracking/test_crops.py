"""The crop against a slow bilinear oracle, and its exact cases."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from siamtrack.core import images
from siamtrack.tracking import crops
from siamtrack.tracking.crops import (
    Window,
    context_side,
    cut,
    is_inside,
    mean_color,
    square_window,
    whole_window,
)


def noise(rows, columns, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (rows, columns, 3), dtype=np.uint8)


def value(frame, row, column, border):
    rows, columns = frame.shape[:2]
    inside = 0 <= row < rows and 0 <= column < columns
    return frame[row, column].astype(float) if inside else np.asarray(border, dtype=float)


def slow_cut(frame, window, border):
    """Bilinear crop, pixel by pixel: the definition."""
    left, top = window.cx - window.width / 2, window.cy - window.height / 2
    whole = all(x.is_integer() for x in (left, top, window.width, window.height))
    patch = np.empty((window.size, window.size, 3))
    for v in range(window.size):
        for u in range(window.size):
            x = window.cx - window.width / 2 + (u + 0.5) * window.width / window.size - 0.5
            y = window.cy - window.height / 2 + (v + 0.5) * window.height / window.size - 0.5
            if whole:  # no pixel outside has a say
                x = min(max(x, left), left + window.width - 1)
                y = min(max(y, top), top + window.height - 1)
            i, j = math.floor(x), math.floor(y)
            fx, fy = x - i, y - j
            upper = (1 - fx) * value(frame, j, i, border) + fx * value(frame, j, i + 1, border)
            lower = (1 - fx) * value(frame, j + 1, i, border) + fx * value(
                frame, j + 1, i + 1, border
            )
            patch[v, u] = (1 - fy) * upper + fy * lower
    return patch


@pytest.mark.parametrize("place", [(15.3, 10.8), (0.0, 0.0), (31.0, 22.4), (-3.0, 12.0)])
@pytest.mark.parametrize("sides", [(12.2, 12.2), (9.3, 14.1), (30.5, 21.7)])
def test_cut_agrees_with_the_oracle(place, sides):
    frame, border = noise(24, 32), (10, 200, 60)
    window = Window(*place, *sides, 16)
    error = np.abs(cut(frame, window, border) - slow_cut(frame, window, border))
    # OpenCV 4 rounds the position to 1/32 pixel; from OpenCV 5 on only the result is rounded
    assert error.max() <= (0.51 if int(cv2.__version__.split(".")[0]) >= 5 else 9)


@given(
    cx=st.floats(-20, 50), cy=st.floats(-20, 40), side=st.floats(0.2, 31), size=st.integers(16, 40)
)
def test_windows_of_whole_pixels_lie_close_by_and_are_cut_as_the_oracle_says(cx, cy, side, size):
    frame, border = noise(24, 32), (10, 200, 60)
    window = whole_window(cx, cy, side, size)
    assert abs(window.width - side) <= max(0.5, 1 - side)
    # the last digit of the center is rounded
    assert max(abs(window.cx - cx), abs(window.cy - cy)) <= 0.5 + 1e-12
    assert (window.cx - window.width / 2).is_integer()
    if window.width < 2 * size:  # otherwise blocks of pixels are averaged first
        error = np.abs(cut(frame, window, border) - slow_cut(frame, window, border))
        assert error.max() <= 1.01


def test_the_identity_crop_returns_the_very_pixels():
    frame = noise(20, 20)
    assert np.array_equal(cut(frame, square_window(10, 10, 20, 20)), frame)


@given(x=st.integers(-10, 30), y=st.integers(-10, 30), seed=st.integers(0, 9))
def test_a_shift_by_whole_pixels_is_exact(x, y, seed):
    frame, border = noise(18, 22, seed), (1, 2, 3)
    padded = np.full((78, 82, 3), border, dtype=np.uint8)
    padded[30:48, 30:52] = frame
    patch = cut(frame, square_window(x + 4, y + 4, 8, 8), border)
    assert np.array_equal(patch, padded[30 + y : 38 + y, 30 + x : 38 + x])


@pytest.mark.parametrize("factor", [2, 3, 4, 7])
def test_whole_factors_average_blocks_so_that_nothing_aliases(factor):
    frame = noise(8 * factor, 8 * factor)
    patch = cut(frame, square_window(4 * factor, 4 * factor, 8 * factor, 8))
    blocks = frame.reshape(8, factor, 8, factor, 3).mean(axis=(1, 3))
    assert np.abs(patch - blocks).max() <= 1


def test_a_fine_checkerboard_turns_gray_instead_of_black_or_white():
    board = (np.indices((400, 400)).sum(0) % 2 * 255).astype(np.uint8)
    frame = np.repeat(board[..., None], 3, axis=2)
    patch = cut(frame, square_window(200.0, 200.0, 390.0, 40)).astype(int)
    assert np.abs(patch[2:-2, 2:-2] - 127.5).max() < 12


@pytest.mark.parametrize("side", [6.0, 90.0])
@pytest.mark.parametrize("place", [(-300, 5), (300, 5), (5, -300), (5, 300), (300, 300)])
def test_a_window_outside_the_frame_shows_only_the_border(side, place):
    patch = cut(noise(20, 24), square_window(*place, side, 16), (7, 8, 9))
    assert np.array_equal(patch, np.broadcast_to([7, 8, 9], (16, 16, 3)))


@pytest.mark.parametrize("side", [16.0, 160.0])
def test_the_frame_keeps_its_place_in_a_window_larger_than_it(side):
    frame = np.full((8, 8, 3), 250, dtype=np.uint8)
    patch = cut(frame, square_window(4, 4, side, 160))[..., 0].astype(int)
    scale = 160 / side
    inside = round(8 * scale)
    rows = np.flatnonzero(patch[80] > 125)
    assert len(rows) == pytest.approx(inside, abs=1)
    assert rows.mean() == pytest.approx(79.5, abs=0.51)


def test_a_border_patch_shows_through_beyond_the_frame():
    frame, border = noise(10, 10), noise(16, 16, seed=1)
    patch = cut(frame, square_window(2, 2, 16, 16), border)
    assert np.array_equal(patch[6:, 6:], frame)
    assert np.array_equal(patch[:5], border[:5])
    assert np.array_equal(border, noise(16, 16, seed=1))


@given(
    place=st.tuples(st.floats(-90, 130), st.floats(-90, 130)),
    sides=st.tuples(st.floats(0.5, 63), st.floats(0.5, 63)),
    rows=st.integers(1, 40),
    cols=st.integers(1, 40),
)
def test_a_fourth_channel_changes_no_pixel(place, sides, rows, cols):
    frame, window = noise(rows, cols), Window(*place, *sides, 32)
    left, top = place[0] - sides[0] / 2, place[1] - sides[1] / 2
    # windows of whole pixels show these alone, which another test looks at
    assume(not all(edge == int(edge) for edge in (left, top, *sides)))
    # as `cut` writes it: the inverse of the scale, to the last digit
    step_x, step_y = 1 / (32 / sides[0]), 1 / (32 / sides[1])
    matrix = np.array(
        [[step_x, 0, left + 0.5 * step_x - 0.5], [0, step_y, top + 0.5 * step_y - 0.5]]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    expected = cv2.warpAffine(frame, matrix, (32, 32), flags=flags, borderValue=(9, 8, 7))
    assert np.array_equal(cut(frame, window, (9, 8, 7)), expected)


@given(
    place=st.tuples(st.floats(-90, 130), st.floats(-90, 130)),
    sides=st.tuples(st.floats(20, 300), st.floats(20, 300)),
    first=st.tuples(st.integers(0, 150), st.integers(0, 150)),
    extent=st.tuples(st.integers(1, 150), st.integers(1, 150)),
    shows_through=st.booleans(),
)
def test_a_part_of_a_patch_is_that_of_the_whole(place, sides, first, extent, shows_through):
    frame, window = noise(120, 90), Window(*place, *sides, 150)
    part = tuple(slice(a, min(a + n, 150)) for a, n in zip(first, extent, strict=True))
    border = noise(150, 150, seed=1) if shows_through else (9, 8, 7)
    whole = cut(frame, window, border)
    assert np.array_equal(cut(frame, window, border, part=part)[part], whole[part])


@given(
    place=st.tuples(st.floats(20, 280), st.floats(20, 180)),
    sides=st.tuples(st.floats(1, 250), st.floats(1, 180)),
    size=st.sampled_from((16, 40)),
)
def test_a_window_inside_a_frame_shows_nothing_beyond(place, sides, size):
    frame, window = noise(200, 300), Window(*place, *sides, size)
    assume(is_inside(window, frame))
    black = cut(frame, window, (0, 0, 0))
    assert np.array_equal(cut(frame, window, (255, 255, 255)), black)
    patches = [cut(frame, window, np.full((size, size, 3), level, np.uint8)) for level in (0, 255)]
    assert np.array_equal(*patches)


def test_frames_too_large_for_a_fourth_channel_give_the_same_pixels(monkeypatch):
    frame, window = noise(40, 50), Window(30.4, 21.7, 33.1, 35.2, 32)
    expected = cut(frame, window, (9, 8, 7))
    monkeypatch.setattr(crops, "LARGEST", 0)
    assert np.array_equal(cut(frame, window, (9, 8, 7)), expected)


def test_cut_writes_into_an_array_given():
    frame, window = noise(20, 24), square_window(9.3, 11.1, 17.5, 16)
    many = np.zeros((3, 16, 16, 3), np.uint8)
    assert cut(frame, window, (1, 2, 3), out=many[1]).base is many
    assert np.array_equal(many[1], cut(frame, window, (1, 2, 3)))
    assert not many[[0, 2]].any()
    border = noise(16, 16)
    cut(frame, window, border, out=many[2])
    assert np.array_equal(many[2], cut(frame, window, border))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((16, 16, 4), np.uint8),
        np.zeros((16, 16, 3), np.float32),
        np.zeros((16, 32, 3), np.uint8)[:, ::2],
    ],
)
def test_arrays_that_cannot_take_the_patch_are_refused(wrong):
    with pytest.raises(ValueError, match="give a contiguous uint8 array"):
        cut(noise(10, 10), square_window(5, 5, 16, 16), out=wrong)


@pytest.mark.parametrize("shape", [(), (4,), (8, 8, 3), (16, 16)])
def test_borders_of_a_wrong_shape_are_refused(shape):
    with pytest.raises(ValueError, match="a border of shape"):
        cut(noise(10, 10), square_window(5, 5, 16, 16), np.zeros(shape))


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (8, 8), (1, 3000), (3000, 2)])
@pytest.mark.parametrize("side", [0.4, 5.0, 5000.0])
def test_odd_frames_and_windows_give_a_patch(rows, columns, side):
    patch = cut(
        np.full((rows, columns, 3), 50, dtype=np.uint8), square_window(1, 1, side, 32), 3 * (50,)
    )
    assert patch.shape == (32, 32, 3)
    assert (patch == 50).all()


def test_cut_does_not_change_the_frame():
    frame = noise(30, 30)
    cut(frame, square_window(15, 15, 90, 20))
    assert np.array_equal(frame, noise(30, 30))


number = st.floats(-500, 500)
length = st.floats(0.5, 500)


@given(
    window=st.builds(Window, number, number, length, length, st.integers(8, 300)),
    box=st.tuples(number, number, length, length),
)
def test_to_patch_and_to_frame_invert_each_other(window, box):
    np.testing.assert_allclose(window.to_frame(window.to_patch(box)), box, rtol=1e-9, atol=1e-7)
    np.testing.assert_allclose(
        window.to_patch([window.cx, window.cy, window.width, window.height]),
        [window.size / 2, window.size / 2, window.size, window.size],
        atol=1e-6,
    )


@given(
    st.builds(Window, *[st.floats(-2000, 2000)] * 2, *[st.floats(1, 2000)] * 2, st.just(257)),
    st.lists(st.floats(-3000, 3000), min_size=4, max_size=4),
)
def test_one_box_in_plain_numbers_is_mapped_as_an_array_is(window, box):
    """The update of one target takes the plain numbers, learning the array: they must not part."""
    assert [*window.sides_in_patch(*box)] == window.to_patch(box).tolist()
    assert [*window.sides_in_frame(*box)] == window.to_frame(box).tolist()


@given(st.integers(0, 30), st.integers(0, 30), st.integers(2, 9), st.integers(2, 9))
def test_a_box_in_the_frame_and_its_place_in_the_patch_show_the_same(left, top, w, h):
    frame = np.zeros((40, 40, 3), dtype=np.uint8)
    frame[top : top + h, left : left + w] = 255
    window = square_window(18.0, 22.0, 80.0, 160)
    ys, xs = np.nonzero(cut(frame, window)[..., 0] > 127)
    seen_left, seen_top, seen_w, seen_h = window.to_patch([left, top, w, h])
    in_frame_w, in_frame_h = min(seen_w, 2 * (40 - left)), min(seen_h, 2 * (40 - top))
    assert xs.min() == pytest.approx(seen_left, abs=1)
    assert ys.min() == pytest.approx(seen_top, abs=1)
    assert xs.max() + 1 == pytest.approx(seen_left + in_frame_w, abs=1)
    assert ys.max() + 1 == pytest.approx(seen_top + in_frame_h, abs=1)


@given(length, length, st.floats(0, 2))
def test_context_side(width, height, context):
    side = context_side(width, height, context)
    assert side == pytest.approx(context_side(height, width, context))
    assert side >= math.sqrt(width * height) * (1 - 1e-12)
    assert context_side(3 * width, 3 * height, context) == pytest.approx(3 * side)


def test_context_side_by_hand():
    assert context_side(10, 30, 0.5) == pytest.approx(math.sqrt(30 * 50))
    assert context_side(10, 30, 0.0) == pytest.approx(math.sqrt(300))


def test_mean_color():
    frame = noise(9, 11)
    np.testing.assert_allclose(mean_color(frame), frame.reshape(-1, 3).mean(0))


def test_there_is_one_image_type():
    assert crops.Image is images.Image
