"""Folders, globs and arrays."""

import weakref

import cv2
import numpy as np
import pytest

from siamtrack.core.images import IMAGE_SUFFIXES, image_files
from siamtrack.errors import VideoError
from siamtrack.video import open_video
from siamtrack.video.images import read_image


def picture(number, size=(12, 10)):
    return np.full((size[1], size[0], 3), (number, 100, 200), dtype=np.uint8)


def save(path, rgb, *parameters):
    good, data = cv2.imencode(path.suffix, rgb if rgb.ndim == 2 else rgb[..., ::-1], parameters)
    assert good
    path.write_bytes(data.tobytes())
    return path


@pytest.fixture
def folder(tmp_path):
    for number in range(12):
        save(tmp_path / f"img{number}.png", picture(number))
    return tmp_path


def numbers(video):
    return [int(frame.image[0, 0, 0]) for frame in video]


def test_a_folder_is_read_in_natural_order(folder):
    (folder / "notes.txt").write_text("no image")
    (folder / "sub").mkdir()
    with open_video(folder) as video:
        frames = list(video)
    assert [int(frame.image[0, 0, 0]) for frame in frames] == list(range(12))
    assert [frame.index for frame in frames] == list(range(12))
    assert frames[0].image[0, 0].tolist() == [0, 100, 200]
    assert {frame.time for frame in frames} == {None}
    assert (video.frames_total, video.size, video.fps, video.live) == (12, (12, 10), None, False)


def test_natural_order(tmp_path):
    names = ["a1.png", "a2.png", "a10.png", "A11.png", "b01.png", "b1.png", "b002.png", "b.png"]
    for name in names:
        (tmp_path / name).touch()
    assert [path.name for path in image_files(tmp_path.iterdir())] == names


@pytest.mark.parametrize(
    ("start", "end", "stride"), [(0, None, 1), (4, None, 3), (2, 9, 2), (11, None, 1), (0, 99, 5)]
)
def test_start_end_and_stride_choose_exactly(folder, start, end, stride):
    expected = list(range(12))[start:end:stride]
    video = open_video(folder, start=start, end=end, stride=stride)
    assert video.frames_total == len(expected)
    frames = list(video)
    assert [frame.index for frame in frames] == expected
    assert [int(frame.image[0, 0, 0]) for frame in frames] == expected
    assert numbers(video) == expected  # once more


def test_a_glob_takes_what_matches_in_natural_order(folder):
    assert numbers(open_video(str(folder / "img1*.png"))) == [1, 10, 11]
    assert numbers(open_video(folder / "img[0-3].*")) == [0, 1, 2, 3]


def test_a_recursive_glob(folder):
    (folder / "sub").mkdir()
    save(folder / "sub" / "img50.png", picture(50))
    assert 50 in numbers(open_video(str(folder / "**" / "*.png")))


def test_a_single_image_is_one_frame(folder):
    assert numbers(open_video(folder / "img7.png")) == [7]


def test_a_file_whose_name_looks_like_a_glob(tmp_path):
    save(tmp_path / "a[1].png", picture(5))
    assert numbers(open_video(tmp_path / "a[1].png")) == [5]


def test_hidden_files_are_left_out(folder):
    (folder / "._img3.png").write_bytes(b"resource fork")
    assert len(list(open_video(folder))) == 12


@pytest.mark.parametrize("damage", ["text", "empty", "cut", "folder", "gone"])
def test_an_unreadable_image_in_the_middle_comes_after_those_before_it(folder, damage):
    bad = folder / "img6.png"
    data = bad.read_bytes()
    video = open_video(folder)
    bad.unlink()
    if damage == "folder":
        bad.mkdir()
    elif damage != "gone":
        bad.write_bytes({"text": b"hello", "empty": b"", "cut": data[: len(data) // 2]}[damage])
    taken = []
    with pytest.raises(VideoError, match=r"img6\.png") as caught:
        taken.extend(video)
    assert [int(frame.image[0, 0, 0]) for frame in taken] == list(range(6))
    assert "remove it or replace it" in str(caught.value)
    if damage != "gone":  # outside the chosen span it does not matter
        assert numbers(open_video(folder, start=7)) == [7, 8, 9, 10, 11]


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("ending", [".jpg", ".png", ".bmp", ".webp", ".tif"])
def test_cut_images_are_refused_whatever_their_format(tmp_path, ending, share):
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    path = save(tmp_path / f"a{ending}", noise)
    assert read_image(path).shape == (60, 80, 3)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(VideoError, match=r"damaged or not an image|cut short"):
        read_image(path)


def test_a_jpeg_with_a_preview_inside_is_cut_if_only_the_preview_ends(tmp_path, monkeypatch):
    good, preview = cv2.imencode(".jpg", picture(9))
    assert good
    segment = b"\xff\xe1" + (len(preview) + 2).to_bytes(2, "big") + preview.tobytes()
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    path = save(tmp_path / "a.jpg", noise)
    whole = path.read_bytes()
    with_preview = whole[:2] + segment + whole[2:]
    # OpenCV 4 fills what is missing with gray instead of refusing: stand in for it
    monkeypatch.setattr(cv2, "imdecode", lambda data, flags: noise)
    path.write_bytes(with_preview)
    assert read_image(path).shape == (60, 80, 3)
    path.write_bytes(with_preview + b"trailer \xff\xda of a phone")
    assert read_image(path).shape == (60, 80, 3)
    path.write_bytes(with_preview[:-200])
    with pytest.raises(VideoError, match=r"damaged|cut short"):
        read_image(path)


@pytest.mark.parametrize("ending", sorted(IMAGE_SUFFIXES))
def test_every_ending_is_read_in_any_case(tmp_path, ending):
    save(tmp_path / f"a{ending}", picture(50))
    (tmp_path / f"a{ending}").rename(tmp_path / f"a{ending.upper()}")
    (frame,) = open_video(tmp_path)
    assert np.abs(frame.image.astype(int) - picture(50)).max() <= 4


@pytest.mark.parametrize("kind", ["gray", "gray16", "rgb16", "rgba", "float gray", "float"])
def test_depths_and_channels(tmp_path, kind):
    rgb = np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    path = tmp_path / ("a.tiff" if "float" in kind else "a.png")
    expected = np.repeat(rgb[..., :1], 3, axis=2) if "gray" in kind else rgb
    if kind == "rgba":
        bgra = np.concatenate([rgb[..., ::-1], np.full((9, 11, 1), 77, np.uint8)], axis=2)
        assert cv2.imwrite(str(path), bgra)
    else:
        given = rgb[..., 0] if "gray" in kind else rgb
        if "16" in kind:
            given = given.astype(np.uint16) * 257
        if "float" in kind:
            given = (given / 255).astype(np.float32)
        plain = [cv2.IMWRITE_TIFF_COMPRESSION, 1] if "float" in kind else []  # OpenCV 4: with loss
        assert cv2.imwrite(str(path), given if given.ndim == 2 else given[..., ::-1], plain)
    assert np.array_equal(read_image(path), expected)


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32])
def test_depths_without_a_known_range_are_refused_with_the_name(tmp_path, kind):
    assert cv2.imwrite(str(tmp_path / "a.tiff"), np.full((4, 5), 77, dtype=kind))
    with pytest.raises(VideoError, match=r"a\.tiff"):
        read_image(tmp_path / "a.tiff")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(tmp_path, orientation):
    image = np.zeros((16, 32, 3), dtype=np.uint8)
    image[:8, :16] = 255
    path = save(tmp_path / "a.jpg", image)
    tiff = b"II*\x00\x08\x00\x00\x00" + (1).to_bytes(2, "little")
    tiff += (0x112).to_bytes(2, "little") + (3).to_bytes(2, "little") + (1).to_bytes(4, "little")
    tiff += orientation.to_bytes(4, "little") + bytes(4)
    exif = b"Exif\x00\x00" + tiff
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:])
    mirrored = image[:, ::-1] if orientation in (2, 4, 5, 7) else image
    turns = {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: 3, 7: 3, 8: 1}[orientation]
    expected = np.rot90(mirrored, turns)
    seen = read_image(path)
    assert seen.shape == expected.shape
    assert np.abs(seen.astype(int) - expected).max() < 30


def test_an_empty_folder_and_a_glob_without_matches(tmp_path):
    with pytest.raises(VideoError, match=r"holds no images: expected files ending in \.bmp"):
        open_video(tmp_path)
    with pytest.raises(VideoError, match="no image matches"):
        open_video(str(tmp_path / "*.png"))


def test_frames_that_were_given_out_are_not_kept(folder):
    alive, most = [], 0
    for frame in open_video(folder):
        alive.append(weakref.ref(frame.image))
        del frame
        most = max(most, sum(each() is not None for each in alive))
    assert most <= 2


def test_arrays_of_any_kind_are_frames():
    gray16 = np.full((4, 6), 257 * 9, dtype=np.uint16)
    frames = list(open_video([picture(3), gray16, picture(5).astype(float) / 255]))
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [3, 9, 5]
    assert numbers(open_video(np.stack([picture(n) for n in range(6)]), start=1, stride=2)) == [
        1,
        3,
        5,
    ]


def test_a_generator_is_taken_lazily_and_counted_from_its_start():
    taken = []

    def frames():
        for number in range(100):
            taken.append(number)
            yield picture(number)

    video = open_video(frames(), start=2, end=8, stride=3)
    assert taken == []
    assert [(f.index, int(f.image[0, 0, 0])) for f in video] == [(2, 2), (5, 5)]
    assert max(taken) < 9
    assert video.frames_total is None


def test_a_bad_array_is_named_by_its_number():
    video = open_video([picture(0), picture(1), np.zeros((3, 20, 30), dtype=np.uint8)])
    with pytest.raises(ValueError, match=r"frame 2 of iterable of type list: .*channels come"):
        list(video)


@pytest.mark.parametrize("shape", [(5, 6, 3), (5, 6, 4), (5, 6), (7,)])
def test_one_picture_is_not_taken_for_a_film(shape):
    with pytest.raises(ValueError, match="is one picture"):
        open_video(np.zeros(shape, dtype=np.uint8))


def test_an_empty_iterable_is_an_error():
    with pytest.raises(VideoError, match="gives no frame"):
        list(open_video([]))
