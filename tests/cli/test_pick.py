"""`track --pick` and `--show`: what the pages' server lets in, and a person in a real browser."""

import csv
import json
import os
import queue
import re
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import numpy as np
import pytest

from siamtrack.cli.local import LocalServer
from siamtrack.cli.pick import Picked, Pictures, pick
from siamtrack.cli.show import PageViewer
from siamtrack.core.boxes import iou
from siamtrack.core.tracks import Track, TrackState
from siamtrack.video import Frame, open_video
from tests.browser import in_browser, script
from tests.helpers import clip, write_video
from tests.processes import siamtrack, started
from tests.studio.streams import Stream

FRAMES = 40


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    pictures, boxes = clip(FRAMES)
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", pictures), boxes


class Client:
    """What a page does: it brings the cookie, and says where a request comes from."""

    def __init__(self, server):
        self.base, _, self.token = server.address.partition("/?token=")
        self.cookie = f"{server.cookie}={self.token}"

    def ask(self, path, values=None, **headers):
        """Return the status and the body."""
        known = {"cookie": self.cookie, "content-type": "application/json"}
        known |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = None if values is None else json.dumps(values).encode()
        request = urllib.request.Request(self.base + path, data, known)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def json(self, path, values=None):
        status, body = self.ask(path, values)
        return status, json.loads(body)


def picking(pictures, server, **options):
    """Start `pick` in a thread; the queue gets what it returns or raises."""
    done = queue.Queue()

    def work():
        try:
            done.put(pick(pictures, server, say=lambda text: None, **options))
        except ValueError as error:
            done.put(error)

    threading.Thread(target=work, daemon=True).start()
    for _ in range(100):
        if Client(server).ask("/")[0] == 200:
            return done
        time.sleep(0.05)
    raise AssertionError("no page")


def test_nobody_gets_in_without_the_token_or_from_elsewhere():
    with LocalServer() as server:
        client = Client(server)
        assert client.ask("/api/state")[0] == 200
        assert client.ask("/api/state", cookie="")[0] == 401
        assert client.ask("/static/pick.js", cookie=f"{server.cookie}=guess")[0] == 401
        assert client.ask("/?token=guess", cookie="")[0] == 401
        assert client.ask("/api/state", host="evil.example")[0] == 421
        assert client.ask("/api/state", host="127.0.0.1")[0] == 421  # another port's
        assert client.ask("/api/state", origin="http://evil.example")[0] == 403
        assert client.ask("/api/state", origin="null")[0] == 403
        assert client.ask("/api/state", sec_fetch_site="cross-site")[0] == 403
        assert client.ask("/api/nothing")[0] == 404
        assert client.ask("/static/..%2f..%2f__init__.py")[0] == 404
        assert client.ask("/static/../local.py")[0] == 404
        status, _ = client.ask("/api/stop", {}, content_type="text/plain")
        assert status == 400  # forms of other sites can send that
        with urllib.request.urlopen(server.address, timeout=20) as answer:
            cookie, policy = answer.headers["set-cookie"], answer.headers["content-security-policy"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    with pytest.raises(OSError, match="refused"):
        client.ask("/api/state")  # it is gone with the command


def test_half_open_connections_do_not_keep_others_out():
    with LocalServer() as server:
        port = int(server.hosts[0].partition(":")[2])
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
        assert Client(server).ask("/api/state")[0] == 200
        for each in idle:
            each.close()


def test_boxes_of_the_page_become_targets(video):
    path, _ = video
    given = [Picked(4, (60.0, 70.0, 40.0, 40.0), "Anna", "person")]
    with LocalServer() as server, open_video(path, start=4, stride=2) as source:
        done = picking(Pictures(source, path), server, given=given)
        client = Client(server)
        _, facts = client.json("/api/clip")
        assert (facts["first"], facts["last"], facts["stride"]) == (4, FRAMES - 2, 2)
        assert facts["boxes"] == [
            {"frame": 4, "box": [60, 70, 40, 40], "name": "Anna", "class": "person"}
        ]
        assert client.ask("/api/frame?frame=6")[1][:2] == b"\xff\xd8"
        for number in ("x", "-1", "99999", "1e3"):
            assert client.ask(f"/api/frame?frame={number}")[0] == 400
        good = {"frame": 6, "box": [1.5, 2, 30, 20], "name": " Bo ", "class": ""}
        for wrong in (
            {},
            {"boxes": []},
            {"boxes": [3]},
            {"boxes": [good] * 1000},
            {"boxes": [{**good, "frame": 5}]},
            {"boxes": [{**good, "frame": True}]},
            {"boxes": [{**good, "box": [1, 2, 3]}]},
            {"boxes": [{**good, "box": [9e9, 2, 3, 4]}]},
            {"boxes": [{**good, "box": [1, 2, "3", 4]}]},
            {"boxes": [{**good, "name": "x" * 999}]},
        ):
            status, answer = client.json("/api/track", wrong)
            assert status == 400, wrong
            assert answer["error"]
        assert client.json("/api/track", {"boxes": [good]}) == (200, {"onward": ""})
        targets, track_in = done.get(timeout=20)
    assert targets == (Picked(6, (1.5, 2.0, 30.0, 20.0), "Bo"),)
    assert track_in is source


def test_giving_up_is_said(video):
    with LocalServer() as server, open_video(video[0]) as source:
        done = picking(Pictures(source, video[0]), server)
        assert Client(server).ask("/api/cancel", {})[0] == 200
        assert "given up on the page" in str(done.get(timeout=20))


def test_a_camera_goes_on_from_the_picture_that_was_drawn_on():
    stream = Stream(clip(4)[0])
    with LocalServer() as server, open_video(stream.address) as source:
        done = picking(Pictures(source), server)
        client = Client(server)
        request = urllib.request.Request(
            client.base + "/api/frame", headers={"cookie": client.cookie}
        )
        for _ in range(2):
            time.sleep(0.3)
            with urllib.request.urlopen(request, timeout=20) as answer:
                number = int(answer.headers["x-frame"])
        assert number > 0  # the newest, not the first
        row = {"frame": number + 500, "box": [60, 70, 40, 40]}
        assert "moved on" in client.json("/api/track", {"boxes": [row]})[1]["error"]
        assert client.json("/api/track", {"boxes": [{**row, "frame": number}]})[0] == 200
        _, track_in = done.get(timeout=20)
        frames = iter(track_in)
        assert next(frames).index == number
        assert next(frames).index > number
        track_in.close()
    stream.close()


def test_the_live_page_gets_pictures_and_can_stop_the_run():
    with LocalServer() as server:
        viewer = PageViewer(server)
        client = Client(server)
        track = Track(np.array([10.0, 10, 20, 20]), 0.9, TrackState.TRACKED)
        picture = np.zeros((90, 120, 3), np.uint8)
        assert viewer.show(Frame(0, 0.0, picture), [track])
        request = urllib.request.Request(client.base + "/live", headers={"cookie": client.cookie})
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.headers["content-type"].startswith("multipart/x-mixed-replace")
            head = answer.readline() + answer.readline() + answer.readline()
            length = int(re.search(rb"content-length: (\d+)", head)[1])
            answer.readline()
            assert answer.read(length)[:2] == b"\xff\xd8"
            viewer.close()
            answer.read()
        assert client.ask("/api/stop", {})[0] == 200
        assert not viewer.show(Frame(1, 0.1, picture), [track])


def run(*arguments, **options):
    command = siamtrack("track", *arguments)
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, **options
    )


def test_what_is_wrong_is_said_before_anybody_draws(video, tmp_path):
    out = tmp_path / "a.csv"
    out.write_text("precious")
    done = run(video[0], "--pick", "--out", out)
    assert done.returncode == 2
    assert "exists" in done.stderr
    assert "http://" not in done.stderr
    (tmp_path / "b.txt").write_text("1 2 3 4\n")
    done = run(video[0], "--pick", "--boxes", tmp_path / "b.txt")
    assert "draw boxes or read them" in done.stderr
    done = run(video[0], stdin=subprocess.DEVNULL)  # no terminal: nobody can draw
    assert done.returncode == 2
    assert "no target: give --box" in done.stderr


def address_of(process):
    """Return the address that a command prints."""
    for line in process.stderr:
        if found := re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", line):
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return found[0]
    raise AssertionError("no address")


class TestInBrowser:
    pytestmark = in_browser

    @pytest.mark.parametrize("shows", [0, 1])
    def test_draw_press_track_and_find_the_outputs(self, video, tmp_path, shows):
        path, boxes = video
        table, sink = tmp_path / "a.csv", tmp_path / "a.xml"
        words = [path, "--pick", "--out", table, "--out", sink, *["--show"] * shows]
        options = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        known = {**os.environ, "BROWSER": "", "DISPLAY": ""}
        with started(siamtrack("track", *words), env=known, **options) as process:
            shots = os.environ.get("SCREENSHOTS", "")
            height, width = clip(1)[0].shape[1:3]
            told = script(
                "../cli/pick.mjs",
                address_of(process),
                width,
                height,
                0,
                shows,
                *filter(None, [shots]),
            )
            assert told["ok"]
            assert process.wait(60) == 0
        with table.open() as file:
            rows = list(csv.DictReader(file))
        first = [row for row in rows if row["id"] == "0"]
        assert {(row["name"], row["class"]) for row in first} == {("Anna", "person")}
        found = np.array([[float(r[k]) for k in ("left", "top", "width", "height")] for r in first])
        assert len(found) == FRAMES
        assert iou(found, boxes).mean() > 0.6
        assert 'label="person"' in sink.read_text()

    def test_a_stream_is_drawn_on_shown_and_stopped(self, tmp_path):
        pictures = np.tile(clip(4)[0], (10, 1, 1, 1))
        stream = Stream(pictures)
        table = tmp_path / "a.csv"
        words = [stream.address, "--pick", "--show", "--out", table]
        known = {**os.environ, "BROWSER": "", "DISPLAY": ""}
        with started(
            siamtrack("track", *words), env=known, stderr=subprocess.PIPE, text=True
        ) as process:
            height, width = pictures.shape[1:3]
            told = script("../cli/pick.mjs", address_of(process), width, height, 0, 1)
            assert told["ok"]
            assert process.wait(60) == 0
        assert table.read_text().count("\n") > 3
        stream.close()

    @pytest.mark.skipif(os.name == "nt", reason="terminals of Unix")
    def test_without_a_box_at_a_terminal_the_page_opens_by_itself(self, video, tmp_path):
        import pty

        told = tmp_path / "told"
        browser = tmp_path / "browser"
        browser.write_text(f"#!/bin/sh\ncp \"${{1#file://}}\" '{told}'\n")
        browser.chmod(0o755)
        ours, theirs = pty.openpty()
        known = {**os.environ, "BROWSER": f"{browser} %s"}
        command = siamtrack("track", video[0], "--out", tmp_path / "a.csv")
        with started(command, env=known, stdin=theirs, stderr=theirs, stdout=theirs) as process:
            os.close(theirs)
            shown = threading.Thread(target=lambda: drain(ours), daemon=True)
            shown.start()
            for _ in range(300):
                if told.exists() and told.stat().st_size:
                    break
                time.sleep(0.1)
            page = told.with_suffix(".html")
            page.write_text(told.read_text())
            height, width = clip(1)[0].shape[1:3]
            result = script("../cli/pick.mjs", page.as_uri(), width, height, 0, 0)
            assert result["ok"]
            assert process.wait(60) == 0
        assert (tmp_path / "a.csv").exists()


def drain(terminal):
    """Read what a terminal shows, so that nothing waits for that."""
    try:
        while os.read(terminal, 4096):
            pass
    except OSError:
        pass
