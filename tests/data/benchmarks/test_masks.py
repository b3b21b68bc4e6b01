import numpy as np
import pytest

from siamtrack.data.benchmarks.davis import mask_boxes, read_mask
from siamtrack.errors import ImageError
from tests.data.annotations.trees import write_image, write_palette


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_object_numbers_of_a_palette(depth, tmp_path):
    mask = np.random.default_rng(0).integers(0, 2**depth, (13, 22)).astype(np.uint8)
    np.testing.assert_array_equal(read_mask(write_palette(tmp_path / "a.png", mask, depth)), mask)


def test_gray_masks(tmp_path):
    mask = np.zeros((9, 8, 3), np.uint8)
    mask[2:4, 1:3] = 255
    assert mask_boxes(read_mask(write_image(tmp_path / "a.png", mask))) == {1: (1, 2, 2, 2)}
    mask[5, 5] = 3
    assert mask_boxes(read_mask(write_image(tmp_path / "b.png", mask))) == {3: (5, 5, 1, 1)}


def test_colors_of_the_palette_of_voc(tmp_path):
    """Some copies of DAVIS have masks that were decoded and saved again."""
    mask = np.zeros((9, 8, 3), np.uint8)
    mask[2:4, 1:3], mask[6, 2:5] = (128, 0, 0), (128, 128, 0)
    assert mask_boxes(read_mask(write_image(tmp_path / "a.png", mask))) == {
        1: (1, 2, 2, 2),
        3: (2, 6, 3, 1),
    }


def test_boxes_against_a_slow_oracle():
    rng = np.random.default_rng(1)
    for _ in range(20):
        mask = rng.choice([0, 0, 0, 0, 1, 7, 254, 255], (6, 9)).astype(np.uint8)
        slow = {}
        for number in {*mask.ravel().tolist()} - {0, 255}:
            y, x = np.nonzero(mask == number)
            slow[number] = (x.min(), y.min(), x.max() - x.min() + 1, y.max() - y.min() + 1)
        assert mask_boxes(mask) == slow


@pytest.mark.parametrize("data", [b"", b"no mask", b"\x89PNG\r\n\x1a\n" + b"\x03" * 40])
def test_no_mask(data, tmp_path):
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ImageError, match="no readable mask"):
        read_mask(tmp_path / "a.png")
    with pytest.raises(ImageError, match="missing"):
        read_mask(tmp_path / "b.png")
