"""Cameras (in place of which a fake stands) and streams from a local server."""

import functools
import http.server
import threading
import time

import cv2
import numpy as np
import pytest

import siamtrack
from siamtrack.errors import VideoError
from siamtrack.tracking.follow import follow
from siamtrack.video import open_video
from siamtrack.video.source import Span, VideoSource
from siamtrack.video.streams import CaptureReader

from .conftest import number_of, picture


class Handler(http.server.BaseHTTPRequestHandler):
    """Motion JPEG; `server.plan` says how many frames each connection gives, and how slowly.

    Fourth, a size other than 64 x 48, and the number of frames after which it holds from then on.
    """

    def log_message(self, *_):
        pass

    def do_GET(self):
        plan = self.server.plan
        if not plan:
            self.send_error(503)
            return
        count, pause, hold, *other = plan.pop(0)
        other, after = other or ((64, 48), 0)
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for number in range(count):
            size = other if number >= after else (64, 48)
            jpeg = cv2.imencode(".jpg", picture(number % 25, *size)[..., ::-1])[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self.wfile.write(head.encode() + jpeg + b"\r\n")
            self.wfile.flush()
            time.sleep(pause)
        if hold is not None:
            self.server.held.set()
            hold.wait(20)


@pytest.fixture
def serve():
    """Start a server with a plan or a handler; return the address."""
    servers = []

    def start(plan=(), handler=Handler):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.plan, server.held = list(plan), threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}", server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def open_stream(address, *, first_wait=0.01, latest=False, close_timeout=2.0, **span):
    """Open a stream as `open_video` does, with other times to wait."""
    reader = CaptureReader(address, first_wait=first_wait)
    return VideoSource(reader, Span(**span), latest=latest, close_timeout=close_timeout)


def read_until_error(video):
    taken = []
    with pytest.raises(VideoError) as caught:
        taken.extend(video)
    return taken, str(caught.value)


def test_a_stream_that_breaks_off_is_opened_again_and_loses_no_frame(serve, caplog):
    address, _ = serve([(6, 0.0, None), (5, 0.0, None)])
    with open_stream(f"{address}/live.mjpg") as video:
        assert video.live
        assert video.size == (64, 48)
        assert video.frames_total is None
        frames, text = read_until_error(video)
    assert [number_of(frame.image) for frame in frames] == [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4]
    assert [frame.index for frame in frames] == list(range(11))
    times = [frame.time for frame in frames]
    assert times[0] == 0
    assert times == sorted(times)
    assert "broke off after 11 frames and did not come back after 5 retries" in text
    assert "retry 5 of 5" in caplog.text
    assert np.abs(frames[0].image[2:8, 2:10].astype(int) - [230, 20, 20]).max() < 25


@pytest.mark.parametrize(
    "plan",
    [
        [(5, 0.0, None), (4, 0.0, None, (96, 80), 0)],  # it comes back larger
        [(9, 0.0, None, (96, 80), 5)],  # it changes while it runs
        [(5, 0.0, None), (4, 0.0, None, (32, 24), 0)],
    ],
)
def test_a_stream_that_changes_its_size_keeps_that_of_its_first_frame(serve, plan, caplog):
    address, _ = serve(plan)
    tracker = siamtrack.load(threads=1)
    with open_stream(f"{address}/live.mjpg", end=9) as video:
        found = list(follow(video, {0: {0: (0, 0, 16, 12)}}, tracker))
    assert {frame.image.shape for frame, _ in found} == {(48, 64, 3)}
    numbers = [number_of(frame.image) for frame, _ in found]
    assert numbers == [*range(5), *(range(5, 9) if len(plan) == 1 else range(4))]
    assert all(np.isfinite(tracks[0].box).all() for _, tracks in found)
    if len(plan) > 1:
        width, height = plan[1][3]
        assert f"now gives {width}x{height} pixels: scaled to 64x48" in caplog.text


def test_start_end_and_stride_and_a_second_iteration_that_goes_on(serve):
    address, _ = serve([(12, 0.0, None)])
    with open_stream(f"{address}/a", start=1, end=8, stride=3) as video:
        assert [frame.index for frame in video] == [1, 4, 7]
    address, _ = serve([(12, 0.0, None)])
    with open_stream(f"{address}/a", end=9) as video:
        first = [frame.index for frame, _ in zip(video, range(3), strict=False)]
        second = [frame.index for frame in video]
    assert first == [0, 1, 2]
    assert set(first) < set(range(9))
    assert second[-1] == 8
    assert not set(first) & set(second)


def test_latest_drops_frames_and_counts_them(serve):
    address, _ = serve([(60, 0.01, None)])
    frames = []

    def slowly(video):
        for frame in video:
            frames.append(frame)
            while video.dropped <= 5:  # until the stream has left this taker behind
                time.sleep(0.01)

    video = open_stream(f"{address}/live.mjpg", latest=True)
    with pytest.raises(VideoError, match="broke off after 60 frames"):
        slowly(video)
    video.close()
    indices = [frame.index for frame in frames]
    assert indices == sorted(set(indices))
    assert indices[-1] == 59
    assert video.dropped > 5
    assert len(frames) + video.dropped == 60
    for frame in frames:
        assert number_of(frame.image) == frame.index % 25


def newest_threads():
    return [each for each in threading.enumerate() if each.name == "siamtrack-ahead"]


def test_closing_while_the_network_stalls_is_quick_and_safe(serve):
    release = threading.Event()
    address, server = serve([(20, 0.0, release)])
    video = open_stream(f"{address}/live.mjpg", latest=True, close_timeout=0.1)
    next(iter(video))
    assert server.held.wait(60)
    time.sleep(0.1)  # the thread has read what there was and waits for more
    before = time.monotonic()
    video.close()
    assert time.monotonic() - before < 30, "it does not wait for the network, which never answers"
    release.set()
    deadline = time.monotonic() + 60
    while newest_threads() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not newest_threads()


def test_closing_ends_the_wait_for_a_stream_that_is_gone(serve):
    address, _ = serve([(5, 0.0, None)])
    video = open_stream(f"{address}/live.mjpg", latest=True, first_wait=60.0)
    next(iter(video))
    time.sleep(0.2)
    before = time.monotonic()
    video.close()
    assert time.monotonic() - before < 30, "half of `first_wait`"
    assert not newest_threads()


def test_an_address_where_nothing_is(serve):
    address, _ = serve([])
    with pytest.raises(VideoError, match="cannot be opened: check the address, the network"):
        open_video(f"{address}/gone.mjpg")


def test_a_file_behind_an_address_is_no_live_stream(serve, clip):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(clip.parent))
    address, _ = serve(handler=handler)
    with open_video(f"{address}/clip.mp4", start=2, stride=6) as video:
        assert not video.live
        assert video.fps == 10
        assert video.frames_total == 3
        frames = list(video)
    assert [frame.index for frame in frames] == [2, 8, 14]
    assert [number_of(frame.image) for frame in frames] == [2, 8, 14]
    assert [frame.time for frame in frames] == pytest.approx([0.2, 0.8, 1.4])
    with pytest.raises(ValueError, match="latest=True with http"):
        open_video(f"{address}/clip.mp4", latest=True)


class Camera:
    """A camera that gives three frames and is then pulled out."""

    opened = 0

    def __init__(self, number):
        assert number == 3
        Camera.opened += 1
        self.left, self.released = 3, False

    def isOpened(self):  # noqa: N802
        return True

    def get(self, what):
        return {
            cv2.CAP_PROP_FRAME_COUNT: -1.0,
            cv2.CAP_PROP_FPS: 0.0,
            cv2.CAP_PROP_FRAME_WIDTH: 64.0,
            cv2.CAP_PROP_FRAME_HEIGHT: 48.0,
        }[what]

    def read(self):
        assert not self.released
        self.left -= 1
        return (
            (True, picture(2 - self.left, 64, 48)[..., ::-1]) if self.left >= 0 else (False, None)
        )

    def release(self):
        self.released = True


def test_a_camera_that_is_pulled_out_is_not_opened_again(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    monkeypatch.setattr(Camera, "opened", 0)
    with open_video(3) as video:
        assert video.live
        assert video.fps is None
        assert video.size == (64, 48)
        frames, text = read_until_error(video)
    assert [number_of(frame.image) for frame in frames] == [0, 1, 2]
    assert np.array_equal(frames[1].image, picture(1, 64, 48))
    assert frames[0].image.flags.c_contiguous
    assert "camera 3 broke off after 3 frames" in text
    assert Camera.opened == 1
