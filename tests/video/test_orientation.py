"""The display matrix against its definition: every pixel goes where the matrix sends it."""

import itertools

import numpy as np
import pytest

from siamtrack.video.decode import upright

QUARTERS = [
    (a, b, c, d)
    for a, b, c, d in itertools.product((-1, 0, 1), repeat=4)
    if abs(a * d - b * c) == 1 and abs(a) + abs(b) == 1 and abs(c) + abs(d) == 1
]


def matrix(a, b, c, d, scale=1 << 16):
    values = [a * scale, b * scale, 0, c * scale, d * scale, 0, 0, 0, 1 << 30]
    return np.rint(values).astype(np.int32).tobytes()


def slow(image, a, b, c, d):
    """Send the centre of every pixel through the matrix, then move the picture back into place."""
    places = {
        (a * x + c * y, b * x + d * y): image[y, x]
        for y in range(image.shape[0])
        for x in range(image.shape[1])
    }
    xs, ys = sorted({x for x, _ in places}), sorted({y for _, y in places})
    return np.array([[places[x, y] for x in xs] for y in ys])


@pytest.mark.parametrize("numbers", QUARTERS)
def test_all_eight_quarter_turns_and_mirrorings(numbers):
    image = np.random.default_rng(0).integers(0, 256, (3, 5, 3), dtype=np.uint8)
    out = upright(image, matrix(*numbers))
    assert np.array_equal(out, slow(image, *numbers))
    assert out.flags.c_contiguous


def test_there_are_eight():
    assert len(QUARTERS) == 8


def test_no_matrix_means_no_change():
    image = np.zeros((3, 5, 3), dtype=np.uint8)
    assert upright(image, None) is image


@pytest.mark.parametrize(("degrees", "turns"), [(10, 0), (80, 1), (170, 2), (-100, 3)])
def test_other_angles_go_to_the_nearest_quarter(degrees, turns):
    image = np.random.default_rng(0).integers(0, 256, (3, 5, 3), dtype=np.uint8)
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    assert np.array_equal(upright(image, matrix(cos, -sin, sin, cos)), np.rot90(image, turns))
