import cv2
import numpy as np
import pytest

from siamtrack.data.sequence import ImageFrames, NoFrames, read_image
from siamtrack.errors import DatasetError


def test_images_are_rgb_and_paths_may_have_any_characters(tmp_path):
    folder = tmp_path / "bílder ☂ 図"
    folder.mkdir()
    picture = np.zeros((3, 5, 3), np.uint8)
    picture[..., 0] = 200  # red
    data = cv2.imencode(".png", picture[..., ::-1])[1]
    (folder / "á.png").write_bytes(data.tobytes())
    frame = read_image(folder / "á.png")
    assert (frame == picture).all()
    assert frame.dtype == np.uint8


def test_gray_images_get_three_channels(tmp_path):
    cv2.imwrite(str(tmp_path / "g.png"), np.full((3, 5), 7, np.uint8))
    assert read_image(tmp_path / "g.png").tolist() == np.full((3, 5, 3), 7).tolist()


@pytest.mark.parametrize("content", [b"", b"no image", b"\xff\xd8\xff\xe0 cut"])
def test_damaged_images_are_named(content, tmp_path):
    (tmp_path / "x.jpg").write_bytes(content)
    with pytest.raises(DatasetError, match=r"x\.jpg: (damaged or not an image|cut short)"):
        read_image(tmp_path / "x.jpg")


def test_missing_images(tmp_path):
    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((3, 5, 3), np.uint8))
    frames = ImageFrames([tmp_path / "0.png", tmp_path / "1.png"])
    assert frames.missing() == (tmp_path / "1.png",)
    assert len(frames) == 2
    with pytest.raises(DatasetError, match=r"1\.png: the frame is missing"):
        list(frames)


def test_no_frames():
    frames = NoFrames(3)
    assert (len(frames), frames.missing(), frames.files) == (3, (), ())
    for read in (lambda: frames[0], lambda: list(frames)):
        with pytest.raises(DatasetError, match="annotations without frames"):
            read()
