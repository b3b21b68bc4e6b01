"""Real videos, encoded here: gray frames whose level tells their number."""

import av
import numpy as np
import pytest

STEP = 8
BASE = 16


def picture(number, width, height):
    """A gray picture with a red corner at the left top and a blue one at the right bottom."""
    image = np.full((height, width, 3), BASE + STEP * number, dtype=np.uint8)
    image[: height // 4, : width // 4] = (230, 20, 20)
    image[-(height // 4) :, -(width // 4) :] = (20, 20, 230)
    return image


def number_of(image):
    """The number of the frame that `picture` drew."""
    height, width = image.shape[:2]
    middle = image[height // 3 : -height // 3, width // 3 : -width // 3]
    return round((float(middle.mean()) - BASE) / STEP)


def encode(
    target,
    frames=20,
    *,
    size=(64, 48),
    rate=10,
    codec="libx264",
    kind=None,
    options=None,
    codec_options=None,
    times=None,
    first=0,
):
    """Encode `frames` pictures; `times` are in hundredths of a second."""
    with av.open(target if kind else str(target), "w", format=kind, options=options or {}) as out:
        stream = out.add_stream(codec, rate=100 if times else rate, options=codec_options or {})
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(first + number, *size), format="rgb24")
            if times:
                frame.pts = times[number]
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return target


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """Twenty frames with the index in front, so that a cut file still opens."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return encode(path, options={"movflags": "+faststart"})
