"""Frames of every kind become uint8 RGB, and nothing else passes."""

import numpy as np
import pytest

from siamtrack.core.images import as_rgb


@pytest.fixture
def rgb():
    return np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def test_rgb_passes_untouched_and_uncopied(rgb):
    assert as_rgb(rgb) is rgb
    assert np.array_equal(as_rgb(rgb[:, ::-1]), rgb[:, ::-1])
    assert as_rgb(rgb[:, ::-1]).flags.c_contiguous


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1)])
def test_gray_gets_three_equal_channels(rgb, shape):
    gray = rgb[..., 0].reshape(shape)
    out = as_rgb(gray)
    assert out.shape == (5, 7, 3)
    for channel in range(3):
        assert np.array_equal(out[..., channel], rgb[..., 0])


def test_alpha_is_dropped(rgb):
    rgba = np.concatenate([rgb, np.full((5, 7, 1), 9, dtype=np.uint8)], axis=2)
    assert np.array_equal(as_rgb(rgba), rgb)


@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_every_16_bit_value_rounds_to_the_nearest_of_8_bits(order):
    values = np.arange(65536)
    out = as_rgb(values.astype(order).reshape(256, 256))[..., 0].ravel()
    assert np.array_equal(out, np.floor(values / 257 + 0.5))


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_every_8_bit_value_survives_as_a_float(kind):
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(as_rgb((values / 255).astype(kind))[..., 0], values)


@pytest.mark.parametrize("bad", [-0.01, 1.01, 255.0, np.nan, np.inf, 1e300])
def test_floats_outside_0_to_1_are_refused(bad):
    frame = np.full((4, 4), 0.5)
    frame[1, 2] = bad
    with pytest.raises(ValueError, match=r"expected \[0, 1\]"):
        as_rgb(frame)


@pytest.mark.parametrize(
    "shape", [(), (4,), (4, 4, 2), (4, 4, 5), (1, 4, 4, 3), (0, 4, 3), (4, 0), (3, 8, 9)]
)
def test_shapes_that_are_no_picture_are_refused(shape):
    with pytest.raises(ValueError, match="a frame of shape"):
        as_rgb(np.zeros(shape, dtype=np.uint8))


@pytest.mark.parametrize("kind", [np.int16, np.int64, np.uint32, bool, complex, object])
def test_types_of_unknown_range_are_refused(kind):
    with pytest.raises(ValueError, match="a frame of type"):
        as_rgb(np.zeros((4, 4, 3), dtype=kind))


def test_the_result_never_aliases_a_converted_input():
    gray = np.zeros((4, 4), dtype=np.uint8)
    out = as_rgb(gray)
    out[:] = 5
    assert not gray.any()
