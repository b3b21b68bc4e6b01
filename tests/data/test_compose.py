import numpy as np
import pytest

from siamtrack.core.boxes import iou
from siamtrack.data.compose import hides, lay_over, piece, soft_mask
from siamtrack.tracking.crops import Window, cut
from tests.helpers import texture


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
