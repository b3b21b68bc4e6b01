import cv2
import numpy as np
import pytest

from siamtrack.data.cache import image_size, read_image
from siamtrack.errors import ImageError
from tests.helpers import texture


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "bmp"])
@pytest.mark.parametrize("size", [(33, 57), (300, 1)])
def test_size_is_that_of_the_decoded_image(ending, size, tmp_path):
    path = tmp_path / f"a.{ending}"
    cv2.imwrite(str(path), texture(0, *size))
    assert image_size(path) == size[::-1] == read_image(path).shape[1::-1]


def test_progressive_and_gray_jpeg(tmp_path):
    path = str(tmp_path / "a.jpg")
    cv2.imwrite(path, texture(0, 40, 60), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    assert image_size(path) == (60, 40)
    cv2.imwrite(path, texture(0, 40, 60)[..., 0])
    assert image_size(path) == (60, 40)


@pytest.mark.parametrize("size", [(33, 57), (300, 1), (1, 1)])
def test_webp_without_loss_and_with_transparency(size, tmp_path):
    path = tmp_path / "a.webp"
    cv2.imwrite(str(path), texture(0, *size), [cv2.IMWRITE_WEBP_QUALITY, 101])
    assert image_size(path) == size[::-1]
    clear = np.dstack([texture(0, *size), np.full(size, 99, np.uint8)])
    cv2.imwrite(str(path), clear, [cv2.IMWRITE_WEBP_QUALITY, 60])
    assert image_size(path) == size[::-1]


def test_exif_turns_the_picture(tmp_path):
    path = tmp_path / "a.jpg"
    cv2.imwrite(str(path), texture(0, 40, 60))
    data = path.read_bytes()
    tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    exif = b"Exif\0\0" + tiff
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:])
    assert read_image(path).shape == (60, 40, 3)
    assert image_size(path) == (40, 60)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xc0\0\x09\x08", b"\x89PNG\r\n"])
def test_no_image(data, tmp_path):
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(ImageError):
        image_size(tmp_path / "a.jpg")
    with pytest.raises(ImageError, match="missing"):
        image_size(tmp_path / "b.jpg")


@pytest.mark.parametrize("ending", ["jpg", "webp", "png"])
def test_random_bytes_never_crash(ending, tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / f"a.{ending}"
    cv2.imwrite(str(path), texture(0, 40, 60))
    data = np.fromfile(path, np.uint8)
    for _ in range(100):
        broken = data.copy()
        broken[rng.integers(0, min(200, len(data)), 5)] = rng.integers(0, 255, 5)
        broken[: rng.integers(2, len(data))].tofile(path)
        try:
            width, height = image_size(path)
        except ImageError:
            continue
        assert width >= 0 <= height
