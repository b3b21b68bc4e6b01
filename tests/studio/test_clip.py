import threading

import av
import cv2
import numpy as np
import pytest

from siamtrack.errors import VideoError
from siamtrack.studio.clip import FolderClip, VideoClip, open_clip
from siamtrack.studio.seek import Decoder, first_stamp, full_stamps, quick_stamps
from siamtrack.video import open_video
from tests.helpers import clip, write_video

COUNT = 60


def encode(path, codec="libx264", times=None, rate=25, **options):
    """Write a clip whose frames all differ, with key frames 12 apart and B-frames."""
    pictures, _ = clip(COUNT, speed=1.0)
    options = {"g": "12", "bf": "2", **options} if codec == "libx264" else options
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if times is not None:
                from fractions import Fraction

                frame.pts, frame.time_base = times[index], Fraction(1, 1000)
                stream.codec_context.time_base = Fraction(1, 1000)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def uneven():
    return np.cumsum([0, *([33, 50, 40] * COUNT)][:COUNT]).tolist()


KINDS = {
    "mp4": lambda folder: encode(folder / "a.mp4"),
    "one-key-frame": lambda folder: encode(folder / "a.mp4", g="999"),
    "open-gop": lambda folder: encode(folder / "a.mp4", **{"x264-params": "open-gop=1:keyint=12"}),
    "mkv": lambda folder: encode(folder / "a.mkv"),
    "uneven-mkv": lambda folder: encode(folder / "a.mkv", times=uneven()),
    "uneven-mp4": lambda folder: encode(folder / "a.mp4", times=uneven()),
    "ts": lambda folder: encode(folder / "a.ts"),
    "avi": lambda folder: encode(folder / "a.avi", codec="mpeg4"),
    "avi-b-frames": lambda folder: encode(folder / "a.avi"),
    "raw-h264": lambda folder: encode(folder / "a.h264"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_in_any_order_is_the_one_that_reading_through_gives(kind, tmp_path):
    path = KINDS[kind](tmp_path)
    with open_video(path) as video:
        right = [frame.image for frame in video]
    found = VideoClip(path)
    assert found.wait(30)
    assert found.total == len(right) == COUNT
    order = np.random.default_rng(0).permutation(COUNT)[:25].tolist()
    for index in [COUNT - 1, 0, 1, 0, *order]:
        np.testing.assert_array_equal(found._read(index), right[index], f"frame {index}")
    read = found.reader()
    for index in range(COUNT - 1, -1, -1):
        np.testing.assert_array_equal(read(index, True), right[index], f"back to {index}")
    for index in (3, 4, 5, 30, 31):
        np.testing.assert_array_equal(read(index, False), right[index])
    found.close()


def test_evenly_spaced_mp4_is_known_at_once(tmp_path):
    path = encode(tmp_path / "a.mp4")
    first = first_stamp(path)
    quick = quick_stamps(path, first)
    np.testing.assert_array_equal(quick, full_stamps(path, first))
    assert VideoClip(path).exact
    assert quick_stamps(encode(tmp_path / "b.mp4", times=uneven()), 0) is None


def test_reading_backwards_needs_little_memory(tmp_path):
    path = encode(tmp_path / "a.mp4", g="999")
    with open_video(path) as video:
        right = [frame.image for frame in video]
    with Decoder(path, full_stamps(path, 0), hold=5 * 256 * 192 * 3 // 2) as decoder:
        for index in range(COUNT - 1, -1, -1):
            np.testing.assert_array_equal(decoder.image(index, backwards=True), right[index])
            assert len(decoder._held) <= 5


def test_frames_that_are_not_there(tmp_path):
    found = VideoClip(encode(tmp_path / "a.mp4"))
    for index in (COUNT, 10**9):
        with pytest.raises(VideoError, match="frames 0 to 59"):
            found.image(index)
    with pytest.raises(VideoError, match="has no frame"):
        found.reader()(COUNT, False)


def test_damaged_file_gives_what_can_be_read(tmp_path):
    path = encode(tmp_path / "a.mkv")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = VideoClip(path)
    assert found.wait(30)
    assert 5 < found.total < COUNT
    assert found.image(3).shape == (192, 256, 3)


def test_folder_of_images(tmp_path):
    pictures, _ = clip(5)
    for index, picture in enumerate(pictures):
        cv2.imwrite(str(tmp_path / f"{index}.png"), picture[..., ::-1])
    found = open_clip(tmp_path)
    assert isinstance(found, FolderClip)
    assert (found.total, found.size, found.exact, found.wait(0)) == (5, (256, 192), True, True)
    np.testing.assert_array_equal(found.image(3), pictures[3])
    np.testing.assert_array_equal(found.reader()(4, True), pictures[4])
    with pytest.raises(VideoError):
        found.image(5)


def test_jpegs_are_reduced_and_kept(tmp_path):
    pictures, _ = clip(4)
    found = VideoClip(write_video(tmp_path / "a.mp4", pictures))
    small = cv2.imdecode(np.frombuffer(found.jpeg(2, 128), np.uint8), cv2.IMREAD_COLOR)
    assert small.shape == (96, 128, 3)
    assert found.jpeg(2, 128) is found.jpeg(2, 128)
    same = cv2.imdecode(np.frombuffer(found.jpeg(2, 999), np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(same[..., ::-1].astype(int) - found.image(2)).mean() < 4


def test_many_threads_ask_at_once(tmp_path):
    found = VideoClip(encode(tmp_path / "a.mp4"))
    right = [found._read(index) for index in range(COUNT)]
    wrong = []

    def ask(seed):
        for index in np.random.default_rng(seed).integers(0, COUNT, 30).tolist():
            if not np.array_equal(found.image(index), right[index]):
                wrong.append(index)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
