"""Pictures and videos, cut and with flipped bits: frames, or one of our errors."""

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamtrack.data.cache import image_size
from siamtrack.data.cache import read_image as read_training_image
from siamtrack.data.sequence import read_image as read_frame
from siamtrack.errors import DatasetError, ImageError, VideoError
from siamtrack.studio.library import probe
from siamtrack.video import open_video
from siamtrack.video.images import read_image
from tests.fuzz.harness import CHANGES, case, changed, fuzz
from tests.helpers import texture

PICTURE = {
    "png": texture(0, 24, 32),
    "jpg": texture(0, 24, 32),
    "webp": texture(0, 24, 32),
    "bmp": texture(0, 24, 32),
    "tiff": texture(0, 24, 32),
    "16.png": texture(0, 24, 32).astype(np.uint16) * 257,
}


@pytest.mark.parametrize("ending", PICTURE)
def test_pictures(ending, tmp_path):
    path = tmp_path / f"a.{ending}"
    cv2.imwrite(str(path), PICTURE[ending])
    data = path.read_bytes()

    @fuzz
    @given(changes=CHANGES)
    def run(changes):
        path.write_bytes(changed(data, changes))
        readers = (
            (read_image, VideoError),
            (read_training_image, ImageError),
            (read_frame, DatasetError),
        )
        for read, error in readers:
            with case(f"picture, {ending}", error):
                found = read(path)
                assert found.dtype == np.uint8
                assert found.shape[2] == 3
        with case(f"size of a picture, {ending}", ImageError):
            width, height = image_size(path)
            assert width >= 0 <= height

    run()


CODECS = {
    "a.mp4": "libx264",
    "b.mp4": "mpeg4",
    "a.avi": "mjpeg",
    "a.mkv": "libx264",
    "a.webm": "libvpx",
    "a.mov": "libx264",
    "a.gif": "gif",
}


def write_clip(path, codec):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = 48, 64
        stream.pix_fmt = {"mjpeg": "yuvj420p", "gif": "rgb8"}.get(codec, "yuv420p")
        for index in range(8):
            frame = av.VideoFrame.from_ndarray(texture(index, 48, 64), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path.read_bytes()


@pytest.mark.parametrize("name", CODECS)
def test_videos(name, tmp_path):
    path = tmp_path / name
    data = write_clip(path, CODECS[name])

    @fuzz
    @given(changes=CHANGES)
    def run(changes):
        path.write_bytes(changed(data, changes))
        with case(f"video, {name}", VideoError), open_video(path) as video:
            for count, frame in enumerate(video):
                assert frame.image.dtype == np.uint8
                assert frame.image.ndim == 3
                assert frame.index == count < 100
        with case(f"upload, {name}", VideoError):
            probe(path)

    run()


@fuzz
@given(
    data=st.binary(max_size=64),
    head=st.sampled_from(
        [
            b"",
            b"\x1a\x45\xdf\xa3",
            b"RIFF\0\0\0\0AVI ",
            b"\0\0\0\x18ftypmp42",
            b"\xff\xd8",
            b"GIF89a",
            b"#EXTM3U\nfile:///etc/passwd\n",
            b"ffconcat version 1.0\nfile /etc/passwd\n",
            b"\x89PNG\r\n\x1a\n",
            b"RIFF\xff\xff\xff\xffWEBP",
        ]
    ),
)
def test_beginnings_of_videos(tmp_path_factory, data, head):
    path = tmp_path_factory.getbasetemp() / "beginning.bin"
    path.write_bytes(head + data)
    with case("beginning of a video", VideoError), open_video(path) as video:
        for count, _ in enumerate(video):
            assert count < 100
