import cv2
import numpy as np
import pytest

from siamtrack.core.boxes import iou
from siamtrack.data import augment
from tests.helpers import texture


@pytest.fixture
def picture():
    return texture(4, 100, 120)


def extent(mask):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    left, top = columns[0], rows[0]
    return np.array([left, top, columns[-1] + 1 - left, rows[-1] + 1 - top], dtype=float)


@pytest.mark.parametrize("seed", range(12))
def test_warped_box_is_that_of_the_warped_ellipse(seed):
    box = np.array([80.0, 100.0, 70.0, 44.0])
    image = np.zeros((257, 257, 3), np.uint8)
    centre = (round((box[0] + box[2] / 2 - 0.5) * 16), round((box[1] + box[3] / 2 - 0.5) * 16))
    axes = (round(box[2] / 2 * 16), round(box[3] / 2 * 16))
    cv2.ellipse(image, centre, axes, 0, 0, 360, (255, 255, 255), -1, shift=4)
    warped, found = augment.warp(image, box, np.random.default_rng(seed))
    assert warped.shape == image.shape
    assert iou(found, extent(warped[..., 0] > 127)) > 0.8
    np.testing.assert_allclose(found[:2] + found[2:] / 2, box[:2] + box[2:] / 2)


def test_warps_differ_and_are_repeatable(picture):
    box = np.array([40.0, 30.0, 30.0, 40.0])
    first = augment.warp(picture, box, np.random.default_rng(1))
    again = augment.warp(picture, box, np.random.default_rng(1))
    other = augment.warp(picture, box, np.random.default_rng(2))
    np.testing.assert_array_equal(first[0], again[0])
    assert (first[0] != other[0]).any()


def test_gray_has_equal_channels(picture):
    plain = augment.gray(picture)
    np.testing.assert_array_equal(plain[..., 0], plain[..., 1])
    np.testing.assert_array_equal(plain[..., 0], plain[..., 2])


@pytest.mark.parametrize("change", [augment.color, augment.blur, augment.low_resolution])
def test_changes_keep_shape_type_and_most_of_the_picture(change, picture):
    for seed in range(8):
        changed = change(picture, np.random.default_rng(seed))
        assert changed.shape == picture.shape
        assert changed.dtype == np.uint8
        alike = np.corrcoef(changed.ravel(), picture.ravel())[0, 1]
        assert alike > 0.5


def test_blur_and_low_resolution_lose_detail(picture):
    def detail(image):
        return np.abs(np.diff(image.astype(float), axis=1)).mean()

    for change in (augment.blur, augment.low_resolution):
        assert detail(change(picture, np.random.default_rng(5))) < detail(picture)


def test_noise_is_normal_and_clipped(picture):
    off = {"color": 0.0, "blur": 0.0, "low_resolution": 0.0}
    noisy = augment.appearance(picture, np.random.default_rng(5), noise=1.0, **off)
    rng = np.random.default_rng(5)
    rng.random(4)  # what may be applied
    deviation = rng.uniform(2, 10)
    expected = np.clip(picture + rng.normal(0, deviation, picture.shape), 0, 255)
    assert np.array_equal(noisy, expected.astype(np.uint8))
