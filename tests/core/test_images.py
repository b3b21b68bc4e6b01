"""One reader of images with one rule, whoever asks; odd images and odd files."""

import io
import os

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from siamtrack import open_video
from siamtrack.core.files import bytes_of
from siamtrack.core.images import as_rgb, image_files
from siamtrack.data.annotations.user_formats import Pictures
from siamtrack.data.benchmarks.small import open_folder
from siamtrack.data.cache import image_size
from siamtrack.data.cache import read_image as read_training_image
from siamtrack.data.sequence import read_image as read_frame
from siamtrack.errors import DatasetError, VideoError
from siamtrack.studio.library import _has_images
from siamtrack.tracking.follow import read_boxes
from siamtrack.video.images import read_image as read_video_image

pytestmark = pytest.mark.needs("PIL")

READERS = [read_frame, read_training_image, read_video_image]
RNG = np.random.default_rng(0)
COLORS = cv2.resize(RNG.integers(0, 255, (6, 8, 3), dtype=np.uint8), (64, 48))
ALPHA = RNG.integers(0, 255, (48, 64), dtype=np.uint8)


def saved(path, picture, **options):
    picture.save(path, **options)
    return path


@pytest.mark.parametrize("mode", ["P", "CMYK", "HSV", "YCbCr", "RGBX", "RGBA", "RGBa", "PA"])
def test_an_image_of_pillow_is_read_by_its_mode(mode):
    plain = Image.fromarray(COLORS)
    if mode in ("RGBa", "PA"):
        plain = plain.convert("RGBA")
    picture = plain.quantize(64) if mode == "P" else plain.convert(mode)
    wanted = np.asarray(picture.convert("RGB"))
    np.testing.assert_array_equal(as_rgb(picture), wanted)
    assert np.abs(as_rgb(picture).astype(int) - COLORS).mean() < 20


def test_lab_is_read_as_colors():
    lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    picture = ImageCms.profileToProfile(Image.fromarray(COLORS), rgb, lab, outputMode="LAB")
    assert np.abs(as_rgb(picture).astype(int) - COLORS).mean() < 12


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16", "I;16B", "I"])
def test_gray_images_of_pillow(mode):
    gray = np.asarray(Image.fromarray(COLORS).convert("L"))
    if mode.startswith("I"):
        order = ">u2" if mode == "I;16B" else "<u2"
        wide = (gray.astype(np.uint16) * 257).astype(order)
        picture = Image.frombytes("I;16B" if mode == "I;16B" else "I;16", (64, 48), wide.tobytes())
        picture = picture.convert("I") if mode == "I" else picture
    else:
        picture = Image.fromarray(gray).convert(mode)
    found = as_rgb(picture)
    wanted = np.asarray(picture.convert("L")) if mode == "1" else gray
    np.testing.assert_array_equal(found, np.repeat(wanted[..., None], 3, axis=2))


@pytest.mark.parametrize(
    "frame",
    [
        np.ma.masked_array(COLORS, COLORS > 9),
        np.ma.masked_array(COLORS),
        COLORS.astype(complex),
        (COLORS[..., 0] / 255).astype(np.complex64),
        Image.fromarray(np.full((9, 9), -7, np.int32)),
        Image.fromarray(np.full((9, 9), 1 << 20, np.int32)),
    ],
    ids=["masked", "no mask", "complex", "gray complex", "negative I", "wide I"],
)
def test_what_is_no_picture_is_refused(frame):
    with pytest.raises(ValueError, match=r"masked|complex|mode I"):
        as_rgb(frame)


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__module__)
@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate"])
def test_alpha_darkens_no_tiff(read, compression, tmp_path):
    picture = Image.fromarray(np.dstack([COLORS, ALPHA]))
    png = saved(tmp_path / "a.png", picture)
    tiff = saved(tmp_path / "a.tiff", picture, compression=compression)
    np.testing.assert_array_equal(read(tiff), read(png))
    np.testing.assert_array_equal(read(tiff), COLORS)


def test_the_readers_agree_on_every_kind_of_file(tmp_path):
    plain = Image.fromarray(COLORS)
    wide = (COLORS.astype(np.uint16) * 257)[..., ::-1]
    files = [
        saved(tmp_path / "palette.png", plain.quantize(32)),
        saved(tmp_path / "cmyk.jpg", plain.convert("CMYK")),
        saved(tmp_path / "gray.jpg", plain.convert("L")),
        saved(tmp_path / "cmyk.tif", plain.convert("CMYK")),
        saved(tmp_path / "palette.bmp", plain.quantize(32)),
        saved(tmp_path / "a.webp", plain),
    ]
    turned = plain.getexif()
    turned[274] = 6
    files.append(saved(tmp_path / "turned.jpg", plain, exif=turned))
    cv2.imwrite(str(tmp_path / "wide.png"), wide)
    files.append(tmp_path / "wide.png")
    for file in files:
        one, *others = (read(file) for read in READERS)
        assert one.shape == ((64, 48, 3) if file.name == "turned.jpg" else (48, 64, 3))
        for other in others:
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__module__)
def test_a_jpeg_without_its_end_is_refused_everywhere(read, tmp_path):
    data = io.BytesIO()
    Image.fromarray(COLORS).save(data, "JPEG")
    path = tmp_path / "cut.jpg"
    path.write_bytes(data.getvalue()[: len(data.getvalue()) * 2 // 3])
    with pytest.raises((DatasetError, VideoError), match="cut short"):
        read(path)


def test_what_macos_leaves_beside_images_is_no_frame(tmp_path):
    """Archives made there hold ._0003.jpg for 0003.jpg: a few bytes that are no image."""
    for number in range(1, 5):
        cv2.imwrite(str(tmp_path / f"{number:04d}.jpg"), COLORS)
        (tmp_path / f"._{number:04d}.jpg").write_bytes(b"\0\5\x16\7 and so on")
    (tmp_path / "boxes.txt").write_text("1,1,9,9\n" * 4)
    names = [path.name for path in image_files(tmp_path.iterdir())]
    assert names == ["0001.jpg", "0002.jpg", "0003.jpg", "0004.jpg"]
    (sequence,) = open_folder(tmp_path)
    assert [path.name for path in sequence.frames.files] == names
    assert [path.name for path in Pictures(tmp_path).files] == names
    with open_video(tmp_path) as video:
        assert len(list(video)) == 4
    for path in tmp_path.glob("0*.jpg"):
        path.unlink()
    assert not _has_images(tmp_path)


@pytest.fixture
def pipe(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    path = tmp_path / "x.png"
    os.mkfifo(path)
    return path


@pytest.mark.parametrize("read", [*READERS, image_size], ids=lambda read: read.__module__)
def test_a_pipe_that_is_called_like_an_image_is_refused(read, pipe):
    with pytest.raises((DatasetError, VideoError), match="no ordinary file"):
        read(pipe)


def test_a_pipe_among_the_frames_is_refused(pipe):
    for source in (pipe, pipe.parent):
        with pytest.raises(VideoError, match="no ordinary file"):
            open_video(source)


def test_a_pipe_that_is_called_like_a_video_is_refused(pipe):
    with pytest.raises(VideoError, match="no ordinary file"):
        open_video(pipe.rename(pipe.with_suffix(".mp4")))


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no /dev/zero here")  # noqa: PTH110
def test_a_device_without_end_is_no_file_of_boxes():
    from pathlib import Path

    with pytest.raises(DatasetError, match="no ordinary file"):
        read_boxes(Path("/dev/zero"), 0)


def test_a_file_of_boxes_has_a_largest_size(tmp_path):
    path = tmp_path / "boxes.txt"
    with path.open("wb") as file:
        file.truncate(1 << 29)  # a hole: nothing is written
    with pytest.raises(DatasetError, match="has more than"):
        read_boxes(path, 0)


def test_a_file_that_is_large_enough_is_read_whole(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(range(256)) * 5000)
    assert bytes_of(path) == path.read_bytes()
    with pytest.raises(OSError, match="has more than 9 bytes"):
        bytes_of(path, 9)
