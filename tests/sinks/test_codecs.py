"""Videos in each codec, and what was chosen is what is written."""

import av
import numpy as np
import pytest

from siamtrack.cli import main
from siamtrack.errors import UnknownNameError
from siamtrack.sinks import open_sink
from siamtrack.sinks.mp4 import CODECS
from siamtrack.video import Frame
from tests.helpers import clip, write_video

STREAMS = {"h264": "h264", "vp9": "vp9", "av1": "av1", "mpeg4": "mpeg4"}


@pytest.mark.parametrize("codec", CODECS)
def test_each_codec_gives_every_frame_back(codec, tmp_path):
    pictures, _ = clip(20)
    path = tmp_path / "a.mp4"
    with open_sink(path, codec=codec) as sink:
        for index, picture in enumerate(pictures):
            sink.write(Frame(index, None, picture), [])
    with av.open(str(path)) as container:
        (stream,) = container.streams
        assert stream.codec_context.codec.canonical_name == STREAMS[codec]
        found = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert len(found) == len(pictures)
    for seen, picture in zip(found, pictures, strict=True):
        assert np.abs(seen.astype(int) - picture).mean() < 12


def test_without_the_gpl_no_x264_is_used(tmp_path):
    """x264 leaves its name in the stream; what vp9 writes has none of it."""
    for codec, there in (("h264", True), ("vp9", False)):
        path = tmp_path / f"{codec}.mp4"
        with open_sink(path, codec=codec) as sink:
            for index, picture in enumerate(clip(5)[0]):
                sink.write(Frame(index, None, picture), [])
        assert (b"x264 - core" in path.read_bytes()) is there


def test_a_preset_reaches_the_encoder(tmp_path):
    for preset, words in (("ultrafast", b"cabac=0"), ("medium", b"subme=7"), (None, b"subme=2")):
        path = tmp_path / f"{preset}.mp4"
        with open_sink(path, preset=preset) as sink:
            for index, picture in enumerate(clip(5)[0]):
                sink.write(Frame(index, None, picture), [])
        assert words in path.read_bytes()


@pytest.mark.parametrize("words", [{"codec": "vp8"}, {"preset": "fastest"}])
def test_names_that_nobody_knows(words, tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean"):
        open_sink(tmp_path / "a.mp4", **words)


def test_the_command_takes_a_codec(tmp_path):
    video = write_video(tmp_path / "video.mp4", clip(6)[0])
    out = tmp_path / "out.mp4"
    with pytest.raises(SystemExit) as done:
        main(["track", str(video), "--box", "60,70,40,40", "--out", str(out), "--codec", "vp9"])
    assert done.value.code == 0
    with av.open(str(out)) as container:
        assert container.streams.video[0].codec_context.codec.canonical_name == "vp9"
