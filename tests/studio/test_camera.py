"""A camera of the server: a real MJPEG stream over the network, that stalls, returns and ends."""

import json
import time

import cv2
import numpy as np
import pytest

from siamtrack.core.boxes import iou
from siamtrack.video import streams
from tests.helpers import clip
from tests.studio.conftest import SOCKETS
from tests.studio.streams import Stream


@pytest.fixture
def stream():
    """Two pictures in turn, in which the target stands still."""
    made = Stream(clip(1)[0].repeat(2, axis=0))
    yield made
    made.close()


@pytest.fixture
def page(serve, movie, stream):
    """The page's socket, with the camera open."""
    client = serve(movie[0], cameras=[stream.address], stall=0.3, first_wait=0.2)
    assert client.get("/api/studio").json()["cameras"] == ["127.0.0.1/yard.mjpg"]
    with client.websocket_connect(SOCKETS + "/api/camera") as socket:
        socket.send_json({"model": "lite", "source": 0})
        yield socket


def hear(socket):
    """Return the next answer and the picture that came before it, if one did."""
    picture = None
    while True:
        message = socket.receive()
        if message.get("bytes"):
            picture = cv2.imdecode(np.frombuffer(message["bytes"], np.uint8), cv2.IMREAD_COLOR)
        elif message.get("text"):
            return json.loads(message["text"]), picture
        else:
            return message, None


def until(socket, what, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        told, picture = hear(socket)
        if what(told):
            return told, picture
    raise AssertionError(told)


def test_pictures_and_tracks_come(page):
    box = clip(1)[1][0]
    told, picture = until(page, lambda told: "tracks" in told)
    assert (told["tracks"], picture.shape) == ([], (192, 256, 3))
    page.send_json({"box": box.tolist()})
    for _ in range(4):
        told, _ = until(page, lambda told: told.get("tracks"))
    assert iou(np.array(told["tracks"][0]["box"]), box) > 0.6


def test_one_of_two_targets_is_removed(page):
    for shift in (0, 60):
        box = clip(1)[1][0] + [shift, 0, 0, 0]
        page.send_json({"box": box.tolist()})
    told, _ = until(page, lambda told: len(told.get("tracks", ())) == 2)
    assert {track["state"] for track in told["tracks"]} <= {"tracked", "uncertain", "lost"}
    page.send_json({"remove": 0})
    page.send_json({"remove": 7})  # another page's, or removed already
    told, _ = until(page, lambda told: len(told.get("tracks", ())) == 1)
    assert told["tracks"][0]["id"] == 1


def test_a_page_that_is_slow_is_not_flooded(serve, movie, stream):
    client = serve(movie[0], cameras=[stream.address], stall=0.3, first_wait=0.2)
    with client.websocket_connect(SOCKETS + "/api/camera") as page:
        page.send_json({"model": "lite", "source": 0, "paced": True})
        until(page, lambda told: "tracks" in told)
        time.sleep(0.5)
        page.send_json({"box": clip(1)[1][0].tolist()})
        time.sleep(0.5)  # pictures come and are tracked meanwhile
        page.send_json({"next": True})
        told, picture = hear(page)  # nothing was queued before the box
        assert (len(told["tracks"]), picture is not None) == (1, True)


def test_a_stall_is_told_and_so_is_the_return(page, stream):
    page.send_json({"box": clip(1)[1][0].tolist()})
    until(page, lambda told: told.get("tracks"))
    stream.going.clear()
    first, _ = until(page, lambda told: "stalled" in told)
    second, picture = hear(page)
    assert second["stalled"] > first["stalled"] > 0.2
    assert picture is None
    stream.going.set()
    told, picture = until(page, lambda told: "stalled" not in told)
    assert picture is not None
    assert len(told["tracks"]) == 1  # the target is still known


def test_a_broken_connection_is_opened_again(page, stream):
    until(page, lambda told: "tracks" in told)
    stream.cut.set()
    until(page, lambda told: "stalled" in told)
    stream.cut.clear()
    _, picture = until(page, lambda told: "tracks" in told)
    assert picture is not None


def test_a_camera_that_does_not_come_back_is_an_error(page, stream):
    until(page, lambda told: "tracks" in told)
    stream.cut.set()
    told, _ = until(page, lambda told: "error" in told)
    assert "did not come back" in told["error"]
    assert "127.0.0.1/yard.mjpg" in told["error"]
    assert "http://" not in told["error"]


def test_the_page_may_go_away_while_the_camera_stalls(page, stream):
    until(page, lambda told: "tracks" in told)
    stream.going.clear()
    until(page, lambda told: "stalled" in told)
    clock = time.monotonic()
    page.close()
    assert time.monotonic() - clock < 8, "sooner than the stream is given up"
    stream.going.set()


def test_nonsense_ends_the_camera_with_an_error(page):
    page.send_text("no json")
    told, _ = until(page, lambda told: "error" in told)
    assert told["error"]


@pytest.mark.parametrize("source", [1, -1, "0", "http://127.0.0.1:1/x", "/dev/video0", True, [0]])
def test_pages_cannot_name_other_sources(source, serve, movie, stream):
    client = serve(movie[0], cameras=[stream.address])
    with client.websocket_connect(SOCKETS + "/api/camera") as socket:
        socket.send_json({"model": "lite", "source": source})
        assert "place of a camera" in socket.receive_json()["error"]


def test_passwords_in_addresses_are_not_shown(serve, movie, monkeypatch):
    monkeypatch.setattr(streams, "TIMEOUT_MS", 500)
    secret = "http://me:secret@127.0.0.1:9/yard?key=secret"
    client = serve(movie[0], cameras=[secret])
    assert "secret" not in client.get("/api/studio").text
    with client.websocket_connect(SOCKETS + "/api/camera") as socket:
        socket.send_json({"source": 0})
        error = socket.receive_json()["error"]
    assert "cannot be opened" in error
    assert "secret" not in error


@pytest.mark.parametrize("name", ["front door", "-1", "/dev/video0", ""])
def test_cameras_of_the_command_line_are_checked(name, tmp_path, capsys):
    from siamtrack.cli import main

    with pytest.raises(SystemExit) as stop:
        main(["studio", "--no-browser", "--projects", str(tmp_path / "p"), f"--camera={name}"])
    assert stop.value.code == 2
    assert "expected a number or the address" in capsys.readouterr().err
