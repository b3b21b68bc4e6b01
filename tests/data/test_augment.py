import cv2
import numpy as np
import pytest

from siamtrack.core.boxes import iou
from siamtrack.data import augment
from siamtrack.data.augment import hides, lay_over, piece, soft_mask
from siamtrack.tracking.crops import Window, cut
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


def test_low_resolution_is_close_to_the_mean_over_areas():
    picture = texture(4, 257, 257)
    for seed in range(12):
        factor = np.random.default_rng(seed).uniform(2, 4)
        small = cv2.resize(picture, (int(257 / factor),) * 2, interpolation=cv2.INTER_AREA)
        expected = cv2.resize(small, (257, 257))
        found = augment.low_resolution(picture, np.random.default_rng(seed))
        assert np.abs(found.astype(float) - expected).mean() < 2


@pytest.mark.parametrize("seed", range(20))
def test_blur_keeps_the_mean_and_the_place(seed):
    picture = np.full((61, 61, 3), 20, np.uint8)
    picture[28:33, 28:33] = 240
    blurred = augment.blur(picture, np.random.default_rng(seed)).astype(float)
    assert blurred.mean() == pytest.approx(picture.mean(), abs=0.6)
    above = (blurred[..., 0] - 20).clip(0)
    for axis in (0, 1):  # a line of an even number of pixels has its middle between two
        middle = (above.sum(1 - axis) * np.arange(61)).sum() / above.sum()
        assert middle == pytest.approx(30, abs=0.6)


def test_color_is_a_gain_of_each_channel_and_one_offset(picture):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        gain = 1 + rng.uniform(-0.3, 0.3)
        channel = gain * (1 + rng.uniform(-0.3, 0.3, 3) / 2)
        offset = rng.uniform(-0.3, 0.3) * 80 + (1 - gain) * picture.mean() * 0.5
        expected = np.clip(picture * channel + offset, 0, 255)
        found = augment.color(picture, np.random.default_rng(seed))
        assert np.abs(found - expected).max() <= 1


def noise(picture, seed):
    off = {"color": 0.0, "blur": 0.0, "low_resolution": 0.0}
    noisy = augment.appearance(picture, np.random.default_rng(seed), noise=1.0, **off)
    rng = np.random.default_rng(seed)
    rng.random(4)  # what may be applied
    return noisy, rng.uniform(2, 10)


def test_noise_is_normal_and_clipped(picture):
    gray = np.full((257, 257, 3), 128, np.uint8)
    for seed in range(8):
        noisy, deviation = noise(gray, seed)
        away = (noisy.astype(float) - 128) / deviation
        assert away.mean() == pytest.approx(0, abs=0.01)
        # rounding to levels adds a twelfth of a level's square
        assert away.var() == pytest.approx(1 + 1 / 12 / deviation**2, rel=0.02)
        assert (away**4).mean() == pytest.approx(3, rel=0.06)
        assert 3.5 < np.abs(away).max() < 4 + 1 / deviation
        # neither rows, columns nor channels know of each other
        for axis in range(3):
            first, second = (np.delete(away, end, axis).ravel() for end in (0, -1))
            assert abs(np.corrcoef(first, second)[0, 1]) < 0.02
    dark, _ = noise(np.zeros_like(picture), 1)
    assert (dark == 0).mean() > 0.5
    assert dark.max() < 50


def test_noise_differs_between_samples_and_not_between_draws():
    gray = np.full((129, 129, 3), 128, np.uint8)
    (one, _), (again, _), (other, _) = (noise(gray, seed) for seed in (3, 3, 4))
    assert np.array_equal(one, again)
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.02


def test_noise_of_large_pictures():
    large = np.full((1024, 1024, 3), 128, np.uint8)
    noisy, deviation = noise(large, 2)
    assert noisy.std() == pytest.approx(deviation, rel=0.02)


@pytest.fixture
def frame():
    return texture(3, 120, 160)


@pytest.mark.parametrize("box", [(20, 30, 40, 40), (10, 10, 100, 100), (0, 0, 120, 120)])
def test_a_piece_is_what_an_exact_cut_shows(frame, box):
    left, top, width, height = box
    window = Window(left + width / 2, top + height / 2, width, height, 50)
    expected = cut(frame, window, (0, 0, 0)).astype(float)
    found = piece(frame, box, (50, 50))
    inner = np.s_[2:-2, 2:-2]
    assert np.abs(found[inner] - expected[inner]).mean() < 3
    # and it stands where it should: one pixel off is worse
    for axis in (0, 1):
        moved = np.roll(found, 1, axis)
        assert np.abs(moved[inner] - expected[inner]).mean() > 3


def test_beyond_the_frame_is_black_and_the_rest_in_its_place(frame):
    inside = piece(frame, (100, 70, 60, 50), (60, 50))
    assert np.array_equal(inside, frame[70:120, 100:160])
    beyond = piece(frame, (130, 100, 60, 50), (60, 50))
    assert np.array_equal(beyond[:20, :30], frame[100:, 130:])
    assert not beyond[20:].any()
    assert not beyond[:, 30:].any()
    before = piece(frame, (-30, -20, 60, 50), (120, 100))
    assert not before[:40].any()
    assert not before[:, :60].any()
    assert before[40:, 60:].any()


@pytest.mark.parametrize(
    "box",
    [(500, 0, 20, 20), (0, -90, 20, 20), (-20, 0, 20, 5), (160, 0, 9, 9), (159.7, 3, 0.1, 0.1)],
)
@pytest.mark.parametrize("size", [(7, 5), (1, 1)])
def test_pieces_outside_or_smaller_than_a_pixel(frame, box, size):
    assert piece(frame, box, size).shape == (size[1], size[0], 3)


def test_large_pieces_do_not_alias():
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 200
    assert np.abs(piece(stripes, (0, 0, 400, 400), (50, 50)).astype(int) - 100).max() <= 1


def test_masks_cover_the_box_and_little_more():
    box = np.array([30.0, 40.0, 50.0, 30.0])
    for seed in range(20):
        mask, place = soft_mask(129, box, np.random.default_rng(seed))
        whole = np.zeros((129, 129), np.uint8)
        whole[place] = mask
        assert whole[55, 55] == 255
        # nothing of the mask lies at the edges of its place
        assert not mask[[0, -1]].any()
        assert not mask[:, [0, -1]].any()
        rows, columns = np.nonzero(whole.any(1))[0], np.nonzero(whole.any(0))[0]
        extent = [columns[0], rows[0], len(columns), len(rows)]
        assert iou(np.array(extent, float), box) > 0.4
    assert not soft_mask(129, np.array([300.0, 0, 9, 9]), np.random.default_rng(0))[0].size


def test_pictures_are_mixed_as_the_mask_says():
    rng = np.random.default_rng(0)
    under, over = rng.integers(0, 256, (2, 20, 30, 3), dtype=np.uint8)
    mask = rng.integers(0, 256, (20, 30), dtype=np.uint8)
    mask[:5], mask[5:10] = 0, 255
    share = mask[..., None] / 255
    expected = over * share + under * (1 - share)
    found = np.pad(under, ((1, 1), (2, 2), (0, 0)))
    lay_over(found[1:-1, 2:-2], over, mask)
    assert np.abs(found[1:-1, 2:-2] - expected).max() <= 1
    assert np.array_equal(found[1:6, 2:-2], under[:5])
    assert np.array_equal(found[6:11, 2:-2], over[5:10])
    assert not found[[0, -1]].any()


def test_what_hides():
    box = np.array([10.0, 10.0, 20.0, 20.0])
    assert hides(box, box)
    assert not hides(box, np.array([35.0, 10.0, 20.0, 20.0]))
    assert hides(box, np.array([0.0, 0.0, 200.0, 200.0]))  # a small IoU, but all of it
    assert not hides(box, np.array([28.0, 28.0, 20.0, 20.0]))
