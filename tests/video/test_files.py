"""Video files: real encodes, turned, cut, damaged and forged ones."""

import logging
import struct
import wave
import weakref

import av
import cv2
import numpy as np
import pytest

from siamtrack.errors import VideoError
from siamtrack.video import open_video

from .conftest import encode, number_of, picture


def numbers(video):
    return [number_of(frame.image) for frame in video]


def read_until_error(video):
    """Frames before the error, and its text."""
    taken = []
    with pytest.raises(VideoError) as caught:
        taken.extend(video)
    return [number_of(frame.image) for frame in taken], str(caught.value)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "libx264"),
        ("a.mov", "mpeg4"),
        ("a.mkv", "libx264"),
        ("a.webm", "libvpx"),
        ("a.avi", "mpeg4"),
        ("a.ts", "libx264"),
        ("a.mjpeg", "mjpeg"),
    ],
)
def test_every_frame_arrives_in_order(tmp_path, name, codec):
    with open_video(encode(tmp_path / name, codec=codec)) as video:
        frames = list(video)
        assert [number_of(frame.image) for frame in frames] == list(range(20))
        assert [frame.index for frame in frames] == list(range(20))
        assert {(frame.image.shape, frame.image.dtype.name) for frame in frames} == {
            ((48, 64, 3), "uint8")
        }
        assert video.size == (64, 48)
        assert not video.live
        assert video.frames_total in (20, None)


def test_rate_times_and_colours(clip):
    video = open_video(str(clip))
    frames = list(video)
    assert video.fps == 10
    assert video.frames_total == 20
    assert [frame.time for frame in frames] == pytest.approx([i / 10 for i in range(20)])
    error = np.abs(frames[0].image[2:10, 2:12].astype(int) - [230, 20, 20])
    assert error.max() < 12


def test_times_of_a_variable_rate_start_at_zero(tmp_path):
    path = encode(tmp_path / "vfr.mkv", 4, times=[50, 60, 100, 250])
    assert [f.time for f in open_video(path)] == pytest.approx([0, 0.1, 0.5, 2.0], abs=2e-3)


@pytest.mark.parametrize(
    ("start", "end", "stride"), [(0, None, 1), (3, None, 1), (0, 7, 1), (5, 18, 4), (19, 99, 3)]
)
def test_start_end_and_stride_choose_exactly(clip, start, end, stride):
    expected = list(range(20))[start:end:stride]
    video = open_video(clip, start=start, end=end, stride=stride)
    frames = list(video)
    assert [frame.index for frame in frames] == expected
    assert [number_of(frame.image) for frame in frames] == expected
    assert [frame.time for frame in frames] == pytest.approx([i / 10 for i in expected])
    assert video.frames_total == len(expected)


def test_a_file_can_be_iterated_twice_even_after_a_break(clip):
    with open_video(clip) as video:
        for frame in video:
            if frame.index == 4:
                break
        assert numbers(video) == list(range(20))
        assert numbers(video) == list(range(20))


def test_a_start_behind_the_end_is_an_error(clip):
    with pytest.raises(VideoError, match="has no frame 20: it ended before"):
        list(open_video(clip, start=20))


def test_frames_that_were_given_out_are_not_kept(clip):
    alive, most = [], 0
    for frame in open_video(clip):
        alive.append(weakref.ref(frame.image))
        del frame
        most = max(most, sum(each() is not None for each in alive))
    assert len(alive) == 20
    assert most <= 2


@pytest.mark.parametrize("name", ["with space.mp4", "ümlaut-Ω.mp4", "file:a.mp4", "100%d.mp4"])
def test_odd_names(tmp_path, monkeypatch, clip, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(clip.read_bytes())
    assert len(list(open_video(name))) == 20


def turned(path, source, a, b, c, d):
    """Write the display matrix of a phone into the track header of an MP4 file."""
    data = bytearray(source.read_bytes())
    place = data.index(b"tkhd") + 4 + 40
    numbers = (a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    data[place : place + 36] = struct.pack(">9i", *numbers)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("matrix", "turns"), [((0, 1, -1, 0), 3), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 1)]
)
def test_rotated_phone_videos_stand_upright_as_in_opencv(tmp_path, clip, matrix, turns):
    path = turned(tmp_path / "phone.mp4", clip, *matrix)
    video = open_video(path)
    frame = next(iter(video)).image
    plain = next(iter(open_video(clip))).image
    assert np.array_equal(frame, np.rot90(plain, turns))
    assert video.size == (frame.shape[1], frame.shape[0])
    good, other = cv2.VideoCapture(str(path)).read()
    assert good
    assert other.shape == frame.shape
    assert np.abs(other[..., ::-1].astype(int) - frame).max() <= 3
    assert numbers(open_video(path)) == list(range(20))


def test_mirrored_videos_are_mirrored_back(tmp_path, clip):
    path = turned(tmp_path / "mirror.mp4", clip, -1, 0, 0, 1)
    plain = next(iter(open_video(clip))).image
    assert np.array_equal(next(iter(open_video(path))).image, plain[:, ::-1])


@pytest.mark.parametrize(
    ("ending", "share"), [("mp4", 0.55), ("mp4", 0.8), ("mp4", 0.97), ("mkv", 0.2), ("mkv", 0.8)]
)
def test_a_truncated_video_gives_its_frames_then_says_what_is_missing(
    tmp_path, clip, share, ending
):
    whole = clip if ending == "mp4" else encode(tmp_path / "whole.mkv")
    data = whole.read_bytes()
    start = data.index(b"mdat") if ending == "mp4" else len(data) // 2
    cut = start + int((len(data) - start) * share)
    path = tmp_path / f"cut.{ending}"
    path.write_bytes(data[:cut])
    video = open_video(path)
    taken, text = read_until_error(video)
    assert taken == list(range(len(taken)))
    assert 0 < len(taken) < 20
    assert "is truncated" in text
    assert f"{len(taken)} frames could be read" in text
    if ending == "mp4":
        assert f"{len(data) - cut} of {len(data)} bytes are missing" in text


def test_a_truncated_video_is_fine_up_to_an_end_before_the_cut(tmp_path, clip):
    data = clip.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: int(len(data) * 0.9)])
    assert numbers(open_video(tmp_path / "cut.mp4", end=3)) == [0, 1, 2]


def test_a_video_cut_before_its_index_names_the_missing_bytes(tmp_path):
    data = encode(tmp_path / "whole.mp4").read_bytes()
    assert data.index(b"mdat") < data.index(b"moov")
    path = tmp_path / "cut.mp4"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(VideoError, match=r"not a video that can be read \(\d+ of \d+ bytes"):
        open_video(path)


def test_a_video_cut_before_its_first_frame(tmp_path, clip):
    data = clip.read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(data[: data.index(b"mdat") + 20])
    with pytest.raises(VideoError, match="no frame of its h264 video can be decoded"):
        open_video(path)


def test_damage_in_the_middle_ends_the_frames_with_an_error(tmp_path):
    path = encode(tmp_path / "a.mp4", codec_options={"bf": "0"})
    data = bytearray(path.read_bytes())
    sizes = struct.unpack_from(">20I", data, data.index(b"stsz") + 16)
    start = data.index(b"mdat") + 4 + sum(sizes[:10])
    data[start : start + sizes[10]] = b"\xff" * sizes[10]
    path.write_bytes(data)
    taken, text = read_until_error(open_video(path))
    assert taken == list(range(10))
    assert "is damaged or broke off: 10 frames could be read" in text
    assert "end before that frame" in text


def test_a_damaged_last_frame_costs_no_other_frame(tmp_path, clip):
    data = bytearray(clip.read_bytes())
    samples = data.index(b"stsz") + 12  # the number of samples; their sizes follow
    assert struct.unpack_from(">I", data, samples) == (20,)
    struct.pack_into(">I", data, samples + 4 * 20, 1)  # one byte is left of the last one
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    taken, text = read_until_error(open_video(path))
    assert taken == list(range(19))
    assert "is damaged or broke off: 19 frames could be read" in text


def test_headers_that_state_too_many_frames_are_reported(tmp_path, caplog):
    data = bytearray(encode(tmp_path / "a.avi", codec="mpeg4").read_bytes())
    place = data.index(b"strh") + 40  # the length of the stream in frames
    assert struct.unpack_from("<I", data, place) == (20,)
    struct.pack_into("<I", data, place, 25)
    path = tmp_path / "fewer.avi"
    path.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        assert numbers(open_video(path)) == list(range(20))
    assert "20 of 25 frames could be read" in caplog.text


def test_an_avi_from_a_pipe_has_no_end_that_could_be_missing(tmp_path):
    class Pipe:
        def __init__(self):
            self.data = b""

        def write(self, data):
            self.data += bytes(data)
            return len(data)

        def writable(self):
            return True

    pipe = Pipe()
    encode(pipe, kind="avi", codec="mpeg4")
    path = tmp_path / "pipe.avi"
    path.write_bytes(pipe.data)
    video = open_video(path)
    assert numbers(video) == list(range(20))
    assert video.frames_total is None


def test_frames_may_change_their_size(tmp_path):
    data = encode(tmp_path / "a.ts", 6).read_bytes()
    data += encode(tmp_path / "b.ts", 6, size=(96, 80), first=6).read_bytes()
    (tmp_path / "both.ts").write_bytes(data)
    frames = list(open_video(tmp_path / "both.ts"))
    assert [number_of(frame.image) for frame in frames] == list(range(12))
    assert frames[0].image.shape == (48, 64, 3)
    assert frames[-1].image.shape == (80, 96, 3)


@pytest.mark.parametrize("size", [(8, 8), (2, 2), (4096, 16)])
def test_extreme_sizes(tmp_path, size):
    path = encode(tmp_path / "a.mp4", 2, size=size, codec="mpeg4")
    assert open_video(path).size == size
    assert len(list(open_video(path))) == 2


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("text.mp4", b"This is a text, not a video.\n" * 40, "is not a video that can be read"),
        ("notes.txt", b"This is a text.\n", "is not a video|no video stream"),
        ("empty.mp4", b"", "the file is empty"),
        ("zeros.mp4", bytes(4000), "is not a video that can be read"),
        ("noise.mp4", np.random.default_rng(0).bytes(4000), "is not a video that can be read"),
        ("page.html", b"<html><body>404</body></html>", "is not a video that can be read"),
        ("a.srt", b"1\n00:00:00,000 --> 00:00:01,000\nHi\n", "has no video stream"),
    ],
)
def test_files_that_are_no_video_are_named(tmp_path, name, data, message):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(VideoError, match=message) as caught:
        open_video(path)
    assert str(path) in str(caught.value)
    assert "give" in str(caught.value)


def test_sound_alone_is_no_video(tmp_path):
    with wave.open(str(tmp_path / "a.wav"), "w") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(8000))
    with pytest.raises(VideoError, match="has no video stream"):
        open_video(tmp_path / "a.wav")


def test_an_absurd_rate_counts_as_unknown(tmp_path):
    path = tmp_path / "fast.mkv"
    encode(path, 5, rate=90000)
    with av.open(str(path)) as container:
        assert float(container.streams.video[0].average_rate) > 1000
    assert open_video(path).fps is None


def test_the_picture_of_the_test_is_read_back():
    assert [number_of(picture(number, 64, 48)) for number in range(20)] == list(range(20))
