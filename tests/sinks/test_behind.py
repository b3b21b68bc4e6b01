"""A video that is written behind the tracker has every frame, and fails as one written at once."""

import errno
import threading

import av
import numpy as np
import pytest

from siamtrack.cli.options import Outputs
from siamtrack.errors import VideoError
from siamtrack.sinks import BehindSink, open_sink
from siamtrack.tracking.follow import follow
from siamtrack.video import Frame, open_video
from tests.helpers import clip, write_video


def frames(count=30):
    return [Frame(index, None, picture) for index, picture in enumerate(clip(count)[0])]


def pictures(path):
    with av.open(str(path)) as container:
        return [each.to_ndarray(format="rgb24") for each in container.decode(video=0)]


def test_the_file_is_the_one_that_is_written_at_once(tmp_path):
    with open_sink(tmp_path / "at_once.mp4") as sink:
        for frame in frames():
            sink.write(frame, [])
    with BehindSink(open_sink(tmp_path / "behind.mp4")) as sink:
        for frame in frames():
            sink.write(frame, [])
    assert sink.busy > 0
    ours, truth = pictures(tmp_path / "behind.mp4"), pictures(tmp_path / "at_once.mp4")
    assert len(ours) == 30
    np.testing.assert_array_equal(ours, truth)


def test_an_interrupt_leaves_every_frame_that_was_handed_over(tmp_path):
    def interrupted():
        with BehindSink(open_sink(tmp_path / "a.mp4")) as sink:
            for frame in frames(9):
                sink.write(frame, [])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(pictures(tmp_path / "a.mp4")) == 9


def test_a_file_that_cannot_be_made_is_refused_with_the_first_frame(tmp_path):
    sink = BehindSink(open_sink(tmp_path / "a.mp4"))
    (tmp_path / "a.mp4").write_text("made by another meanwhile")
    with pytest.raises(FileExistsError, match="exists: choose another name"):
        sink.write(frames(1)[0], [])
    sink.close()
    assert (tmp_path / "a.mp4").read_text() == "made by another meanwhile"


class Filling:
    """A slow output whose disk is full from a frame on."""

    slow = True

    def __init__(self, full_at):
        self.full_at, self.written, self.closed = full_at, [], False
        self.threads = set()

    def write(self, frame, tracks):
        self.threads.add(threading.current_thread().name)
        if frame.index == self.full_at:
            raise OSError(errno.ENOSPC, "a.mp4 cannot be written")
        self.written.append(frame.index)

    def close(self):
        self.closed = True


@pytest.mark.parametrize("full_at", [3, 29])
def test_a_disk_that_fills_ends_the_run_and_closes_the_file(full_at):
    sink = Filling(full_at)

    def run():
        with BehindSink(sink) as behind:
            for frame in frames():
                behind.write(frame, [])

    with pytest.raises(OSError, match="cannot be written"):
        run()
    assert sink.closed
    assert sink.written == list(range(full_at))
    assert len(sink.threads) == 2


def test_quick_outputs_stay_in_the_thread_that_tracks(tmp_path):
    before = threading.active_count()
    with Outputs([(tmp_path / "a.csv", None)], overwrite=False, fps=None) as outputs:
        for frame in frames(5):
            outputs.write(frame, [])
            assert threading.active_count() == before
    assert outputs.busy > 0


def test_a_video_read_ahead_has_the_frames_and_the_error_of_one_that_is_not(tmp_path):
    whole = write_video(tmp_path / "whole.mkv", clip(40)[0])
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    for path in (whole, cut):
        found = []
        for ahead in (0, 3):
            taken, error = [], ""
            try:
                with open_video(path, ahead=ahead) as video:
                    for frame in video:
                        taken.append(frame)
                    assert video.busy > 0
            except VideoError as reason:
                error = str(reason)
            found.append(([frame.index for frame in taken], error))
            assert video.waited > 0
        assert found[0] == found[1]
        assert found[0][0]


def test_leaving_a_video_that_is_read_ahead_leaves_no_thread(tmp_path):
    path = write_video(tmp_path / "a.mp4", clip(30)[0])
    before = threading.active_count()
    with open_video(path, ahead=2) as video:
        for frame in video:
            if frame.index == 3:
                break
    assert threading.active_count() == before
    with open_video(path, ahead=2) as video:
        assert len(list(video)) == len(list(video)) == 30  # a file can be iterated again


@pytest.mark.parametrize("ahead", [-1, 1001, 1.5, True])
def test_absurd_numbers_of_frames_ahead(ahead):
    with pytest.raises(ValueError, match="expected a number of frames"):
        open_video(clip(2)[0], ahead=ahead)


def test_following_counts_no_wait_for_frames_as_tracking(tmp_path):
    import siamtrack

    pictures, boxes = clip(6)
    with open_video(pictures, ahead=2) as video:
        list(follow(video, {0: {0: boxes[0]}}, siamtrack.load(threads=1)))
    assert 0 <= video.waited < 5
