"""Videos in each codec, and what was chosen is what is written."""

import os
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from siamtrack.cli import main
from siamtrack.errors import UnknownNameError, VideoError
from siamtrack.sinks import open_sink
from siamtrack.sinks.mp4 import CODECS, HARDWARE, planes
from siamtrack.video import Frame
from tests.helpers import clip, texture, write_video

STREAMS = {"h264": "h264", "vp9": "vp9", "av1": "av1", "mpeg4": "mpeg4"}


@pytest.mark.parametrize("codec", [each for each in CODECS if each not in HARDWARE])
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


@pytest.mark.parametrize("codec", HARDWARE)
def test_a_hardware_encoder_writes_every_frame_or_says_what_it_lacks(codec, tmp_path):
    path = tmp_path / "a.mp4"
    pictures, _ = clip(5)
    refused = ""
    try:
        with open_sink(path, codec=codec) as sink:
            for index, picture in enumerate(pictures):
                sink.write(Frame(index, None, picture), [])
    except VideoError as error:
        refused = str(error)
    if refused:
        assert "no encoder" in refused or "needs a device and its driver" in refused
        assert not path.exists()
    else:
        with av.open(str(path)) as container:
            assert sum(1 for _ in container.decode(video=0)) == len(pictures)


def test_pictures_are_converted_as_ffmpeg_does_and_thin_lines_keep_their_color():
    picture = texture(3, 96, 128)
    cv2.rectangle(picture, (21, 21), (61, 61), (0, 255, 0), 1)
    found = planes(picture).astype(int)
    truth = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
    apart = np.abs(found - truth.to_ndarray())
    assert apart[:96].max() <= 1
    assert apart[96:].mean() < 2
    back = av.VideoFrame.from_ndarray(found.astype(np.uint8), format="yuv420p")
    line = back.to_ndarray(format="rgb24")[21, 30:50].astype(int).mean(axis=0)
    around = back.to_ndarray(format="rgb24")[18, 30:50].astype(int).mean(axis=0)
    assert line[1] - line[0] > around[1] - around[0] + 50  # green also on an odd row


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="priorities of Linux")
@pytest.mark.parametrize("codec", ["h264", "av1"])
def test_no_encoder_lets_this_process_run_before_all_others(codec, tmp_path):
    """SVT-AV1 does so for root, and a waiting loop of ours then stopped the whole machine."""

    def policies():
        threads = Path("/proc/self/task").iterdir()
        return {os.sched_getscheduler(int(each.name)) for each in threads}

    before = policies()
    with open_sink(tmp_path / "a.mp4", codec=codec) as sink:
        sink.write(Frame(0, None, clip(1)[0][0]), [])
        assert policies() == before
    assert policies() == before


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
