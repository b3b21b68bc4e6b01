"""A real server in a process of its own: who gets in, and what a kill leaves."""

import contextlib
import http.client
import json
import re
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
import uvicorn
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import connect

from siamtrack.studio.security import PatientProtocol
from tests.studio.process import BEARER, TOKEN, page_of, start

EVIL = "evil.example"


@pytest.fixture
def run(tmp_path):
    """Start studios on the same projects; they are killed in the end."""
    servers = []

    def begin(port, *options, **more):
        servers.append(start(tmp_path, port, *options, **more))
        return servers[-1]

    yield begin
    for server in servers:
        server.kill()
        server.wait(10)


def ask(port, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    sent = {k.replace("_", "-"): v for k, v in (BEARER | headers).items()}
    connection.request(method, path, headers=sent)
    answer = connection.getresponse()
    text = answer.read().decode(errors="replace")
    connection.close()
    return answer.status, text


@pytest.mark.slow
def test_strangers_stay_outside(run, port, tmp_path):
    """Open to the network: without the token nothing is told, under another name neither."""
    run(port, "--host", "0.0.0.0")
    token = re.search(r"token=(\S+)", (tmp_path / "log").read_text())[1]
    assert token == TOKEN
    bearer = BEARER
    assert ask(port, "/api/studio", **bearer)[0] == 200
    assert ask(port, "/api/studio", authorization="")[0] == 401
    assert ask(port, "/", authorization="")[0] == 401
    assert ask(port, "/api/studio", authorization="Bearer wrong")[0] == 401
    assert ask(port, "/api/studio", host=f"{EVIL}:{port}", **bearer)[0] == 421
    assert ask(port, "/api/studio", origin=f"http://{EVIL}", **bearer)[0] == 403
    assert ask(port, "/static/../../serve.py", **bearer)[0] == 404
    assert ask(port, "/static/%2e%2e/app.py", **bearer)[0] == 404
    status, text = ask(
        port, "/api/uploads", "POST", content_type="application/octet-stream", **bearer
    )
    assert (status, "not a video" in text) == (422, True)
    status, _ = ask(
        port,
        "/api/uploads",
        "POST",
        content_type="application/octet-stream",
        content_length=str(1 << 50),
        **bearer,
    )
    assert status == 413
    address = f"ws://127.0.0.1:{port}/api/camera"
    with connect(address, origin=f"http://127.0.0.1:{port}", additional_headers=bearer):
        pass
    for origin, headers in ((f"http://{EVIL}", bearer), (f"http://127.0.0.1:{port}", {})):
        with (
            pytest.raises(InvalidStatus),
            connect(address, origin=origin, additional_headers=headers),
        ):
            pass


@pytest.mark.slow
def test_a_killed_upload_goes_at_the_next_start(run, port, tmp_path):
    server = run(port)
    with socket.create_connection(("127.0.0.1", port)) as page:
        head = [
            "POST /api/uploads?name=a.mp4 HTTP/1.1",
            f"host: 127.0.0.1:{port}",
            f"origin: http://127.0.0.1:{port}",
            "content-type: application/octet-stream",
            "content-length: 9000000",
            f"authorization: Bearer {TOKEN}",
        ]
        page.sendall("\r\n".join([*head, "", ""]).encode() + b"x" * 100_000)
        parts = []
        while not parts:
            parts = list((tmp_path / "projects").glob("*/upload.part"))
        second = run(port + 1)  # another studio starts meanwhile
        assert parts[0].exists()
        second.kill()
        second.wait()
        server.kill()
        server.wait()
    assert parts[0].exists()
    run(port + 1)
    assert list((tmp_path / "projects").iterdir()) == []


@pytest.mark.slow
def test_ctrl_c_ends_it_while_an_export_is_under_way(run, port, tmp_path):
    """The end is clean: no traceback, no file of the export."""
    server = run(port)
    base = f"http://127.0.0.1:{port}"
    clip = json.loads(ask(port, "/api/studio")[1])["clips"][0]["id"]
    project = post(port, "/api/open", {"clip": clip})["project"]
    post(port, f"/api/projects/{project}/edits", {"do": "draw", "frame": 0, "box": [9, 9, 90, 90]})
    with connect(
        f"ws://127.0.0.1:{port}/api/projects/{project}/exports",
        origin=base,
        additional_headers=BEARER,
    ) as news:
        news.send(json.dumps({"format": "mp4"}))
        while json.loads(news.recv(timeout=120))["done"] == 0:
            pass
        server.send_signal(signal.SIGINT)
        server.wait(120)
    assert not list((tmp_path / "projects").glob("*/exports/*"))
    assert "Traceback" not in (tmp_path / "log").read_text()


def post(port, path, value):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request(
        "POST", path, json.dumps(value), {"content-type": "application/json", **BEARER}
    )
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


@pytest.mark.slow
def test_on_this_machine_too_the_address_has_a_token(run, port, tmp_path):
    """Other users of this machine reach the port, but do not know the token."""
    run(port)
    assert re.search(rf"127\.0\.0\.1:{port}/\?token={TOKEN}\n", (tmp_path / "log").read_text())
    assert ask(port, "/api/studio", authorization="")[0] == 401
    assert ask(port, "/", authorization="")[0] == 401
    assert ask(port, f"/?token={TOKEN}", authorization="")[0] == 303
    assert ask(port, "/api/studio")[0] == 200


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="reads /proc")
def test_no_process_shows_the_token(run, port, tmp_path):
    """All that other users see of the processes, the browser's among them, opens nothing."""
    browser = tmp_path / "browser"
    browser.write_text('#!/bin/sh\necho "$1" > "$0.arguments"\nsleep 60\n')
    browser.chmod(0o700)
    run(port, browser=browser)
    told, end = tmp_path / "browser.arguments", time.monotonic() + 60
    while not told.exists() or not told.read_text().endswith("\n"):
        assert time.monotonic() < end
        time.sleep(0.1)
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(path.read_bytes().decode(errors="replace").split("\0"))
    (page,) = {word for line in lines if str(browser) in line for word in line if "://" in word}
    assert page == told.read_text().strip()
    assert page.startswith("file://")
    assert not any(TOKEN in word for line in lines for word in line)
    text = Path(page.removeprefix("file://")).read_text()
    goal = re.search('url=(http[^"]*)"', text)[1]
    assert goal == page_of(port)
    assert ask(port, goal.partition(str(port))[2], authorization="")[0] == 303


def asked_in_time(port):
    """Open a socket; on a busy machine the head of a request may come too late, then again."""
    for _ in range(50):
        with contextlib.suppress(WebSocketException, OSError):
            return connect(f"ws://127.0.0.1:{port}/")
    raise AssertionError("no request came in time")


def test_a_websocket_outlives_the_time_for_a_head(port):
    """The connection has had its request: only those that never ask are closed."""

    class Quick(PatientProtocol):
        head_seconds = 0.3

    async def echo(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})

    config = uvicorn.Config(echo, port=port, http=Quick, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        with asked_in_time(port) as page:
            time.sleep(1)
            page.send("still there")
            assert page.recv(timeout=120) == "still there"
        with socket.create_connection(("127.0.0.1", port)) as half:
            half.settimeout(120)
            with contextlib.suppress(ConnectionError):
                assert half.recv(100) == b""  # closed by the server
    finally:
        server.should_exit = True
        thread.join()


@pytest.mark.slow
def test_sockets_that_ask_nothing_starve_nobody(run, port):
    """More half-open connections than a process may have files; a real user is answered."""
    run(port)
    with contextlib.ExitStack() as stack:
        for number in range(600):
            half = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            if number % 3:
                half.sendall(b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n"[: number % 30])
            if number % 100 == 0:
                assert ask(port, "/api/studio")[0] == 200
        assert ask(port, "/api/studio")[0] == 200
        begun = time.monotonic()
        half.settimeout(120)
        with contextlib.suppress(ConnectionError):
            assert half.recv(100) == b""  # closed by the server
        assert time.monotonic() - begun < 100
