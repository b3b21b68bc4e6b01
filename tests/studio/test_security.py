"""Each way in that must be shut is tried."""

import html
import io
import json
import os
import queue
import re
import shutil
import stat
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest
from starlette.websockets import WebSocketDisconnect

from siamtrack.studio.security import COOKIE, Access
from siamtrack.studio.serve import opened
from tests.helpers import clip, write_video
from tests.studio.conftest import BASE, SOCKETS

JSON = {"content-type": "application/json"}
EVIL = "http://evil.example"


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "up.mp4", clip(4)[0]).read_bytes()


def send(client, data, name="a.mp4", **headers):
    headers = {"content-type": "application/octet-stream", **headers}
    return client.post("/api/uploads", params={"name": name}, content=data, headers=headers)


# who may ask


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8765",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "10.0.0.1",
        "",
        "127.0.0.1@evil.example",
        "[::1",
        "127.0.0.1:8765:1",
    ],
)
def test_dns_rebinding(client, host):
    answer = client.get("/api/studio", headers={"host": host})
    assert answer.status_code == 421
    assert "clips" not in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "LOCALHOST", "[::1]:8765"])
def test_this_machine_may_ask_by_any_of_its_names(client, host):
    headers = {"host": host, "origin": f"http://{host}"}
    assert client.get("/api/studio", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "origin",
    [EVIL, "null", "http://127.0.0.1:9999", "http://127.0.0.1:8765.evil.example", "file://"],
)
def test_requests_from_other_sites(client, project, origin):
    headers = {"origin": origin}
    assert client.get(project, headers=headers).status_code == 403
    body = {"do": "draw", "frame": 0, "box": [1, 1, 20, 20]}
    assert client.post(project + "/edits", json=body, headers=headers).status_code == 403
    assert send(client, b"x", origin=origin).status_code == 403
    assert client.get(project).json()["targets"] == []


def test_pictures_in_other_sites_pages(client, project):
    """<img src> sends no Origin; the browser says where the page is from."""
    del client.headers["origin"]
    for site in ("cross-site", "same-site"):
        headers = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors"}
        assert client.get(project + "/frames/0", headers=headers).status_code == 403
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get(project + "/exports/x", headers=headers).status_code == 403
    assert client.get("/", headers=headers).status_code == 200  # a link to the page is no harm
    answer = client.get(project + "/frames/0", headers={"sec-fetch-site": "same-origin"})
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in answer.headers


def test_forms_of_other_sites_are_not_read(client, project):
    """A form sends without asking first, but not as JSON."""
    del client.headers["origin"]
    text = '{"do": "draw", "frame": 0, "box": [1, 1, 20, 20]}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        answer = client.post(project + "/edits", content=text, headers={"content-type": kind})
        assert answer.status_code == 400
    assert send(client, b"x", **{"content-type": "text/plain"}).status_code == 400


@pytest.mark.parametrize("path", ["{project}/live", "{project}/exports", "/api/camera"])
@pytest.mark.parametrize("headers", [{"origin": EVIL}, {"host": "evil.example"}, {"origin": None}])
def test_websockets_of_other_sites(client, project, path, headers):
    with client.websocket_connect(SOCKETS + path.format(project=project)):
        pass  # the page itself may
    if headers.get("origin", "") is None:
        del client.headers["origin"]
        headers = {}
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        client.websocket_connect(SOCKETS + path.format(project=project), headers=headers),
    ):
        pass
    assert refused.value.code == 1008


def test_headers_keep_the_page_to_itself(client):
    for path in ("/", "/static/main.js", "/api/studio", "/nothing"):
        answer = client.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"


# the token


@pytest.fixture
def remote(serve, movie):
    access = Access(frozenset({"studio.example"}), addresses=True, token="secret")
    return serve(movie[0], access=access)


def test_without_the_token_nothing_is_told(remote):
    for path in ("/", "/api/studio", "/static/main.js", "/?token=wrong", "/?token=", "/?token=ö"):
        answer = remote.get(path)
        assert answer.status_code == 401
        assert "clip" not in answer.text
    assert remote.get("/api/studio?token=secret").status_code == 401  # only the page takes it so
    assert remote.get("/", headers={"cookie": f"{COOKIE}_8765=wrong"}).status_code == 401
    with pytest.raises(WebSocketDisconnect), remote.websocket_connect(SOCKETS + "/api/camera"):
        pass


def test_the_token_opens(remote):
    answer = remote.get("/?token=secret", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert remote.get("/api/studio").status_code == 200
    remote.cookies.clear()
    bearer = {"authorization": "Bearer secret"}
    assert remote.get("/api/studio", headers=bearer).status_code == 200


def test_a_link_from_elsewhere_opens_by_a_page_of_ours(remote):
    """A browser that follows a redirect from another site's page would not send the cookie."""
    del remote.headers["origin"]
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    answer = remote.get("/?token=secret", headers=headers, follow_redirects=False)
    assert (answer.status_code, 'content="0; url=/"' in answer.text) == (200, True)
    assert "secret" not in answer.text
    assert "samesite=strict" in answer.headers["set-cookie"].lower()
    assert remote.get("/api/studio").status_code == 200
    assert remote.get("/?token=wrong", headers=headers).status_code == 200  # it has the cookie
    remote.cookies.clear()
    assert remote.get("/?token=wrong", headers=headers).status_code == 401


def test_the_browser_is_given_a_file_that_only_this_user_reads(remote):
    pages = queue.Queue()
    with opened(f"{BASE}/?token=secret&x=<", pages.put, delay=0, seconds=60):
        page = pages.get(timeout=120)
        assert (page.startswith("file://"), "secret" in page) == (True, False)
        path = Path(urllib.request.url2pathname(urllib.parse.urlsplit(page).path))
        if os.name != "nt":
            assert [stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent)] == [
                0o600,
                0o700,
            ]
        goal = html.unescape(re.search('content="0; url=([^"]*)"', path.read_text())[1])
        assert goal == f"{BASE}/?token=secret&x=<"
        assert remote.get(goal, follow_redirects=False).status_code == 303
    assert not path.parent.exists()


def test_that_file_goes_soon(tmp_path):
    pages = queue.Queue()
    with opened(f"{BASE}/?token=secret", pages.put, delay=0, seconds=0.2):
        path = Path(urllib.request.url2pathname(urllib.parse.urlsplit(pages.get(timeout=120)).path))
        end = time.monotonic() + 120
        while path.exists():
            assert time.monotonic() < end
            time.sleep(0.02)


def test_addresses_will_do_but_not_rebound_names(remote):
    for host, status in [("192.168.1.5:8765", 200), ("studio.example", 200), ("evil.example", 421)]:
        headers = {"host": host, "origin": f"http://{host}", "authorization": "Bearer secret"}
        assert remote.get("/api/studio", headers=headers).status_code == status


def test_this_machine_alone_unless_told():
    from siamtrack.cli.studio import Studio
    from siamtrack.studio.serve import is_local

    assert Studio().host == "127.0.0.1"
    assert not any(is_local(host) for host in ("0.0.0.0", "::", "192.168.0.3", "example.org", ""))


# paths


@pytest.mark.parametrize(
    "name",
    [
        "../../etc",
        "..%2f..%2fetc",
        "%2e%2e/%2e%2e",
        "....//",
        "0" * 15,
        "g" * 16,
        "0" * 16,
        "A" * 16,
        "0000000000000000/../..",
        "\\..\\..",
    ],
)
def test_projects_cannot_be_named_by_path(client, name):
    for rest in ("", "/tracks", "/frames/0", "/exports/x"):
        assert client.get(f"/api/projects/{name}{rest}").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static//etc/passwd",
        "/static/%00",
        "/etc/passwd",
        "/../../etc/passwd",
    ],
)
def test_static_files_stay_in_their_folder(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert "root:" not in answer.text


@pytest.mark.parametrize("clip", ["/etc/passwd", "../clip.mp4", "", None, ["x"], "0" * 16])
def test_clips_cannot_be_named_by_path(client, clip):
    assert client.post("/api/open", json={"clip": clip}).status_code == 404


def test_links_out_of_the_folder_are_not_followed(serve, tmp_path, movie):
    folder = tmp_path / "open"
    folder.mkdir()
    (folder / "link.mp4").symlink_to(movie[0] / "clip.mp4")
    (folder / "folder").symlink_to(movie[0])
    assert serve(folder).get("/api/studio").json()["clips"] == []


def test_a_forged_project_cannot_reach_out(serve, client, project, movie, tmp_path):
    """A project file that names another path does not open it."""
    name = project.rsplit("/", 1)[1]
    client.__exit__(None, None, None)
    path = tmp_path / "projects" / name / "project.jsonl"
    elsewhere = tmp_path / "secret.mp4"
    elsewhere.write_bytes((movie[0] / "clip.mp4").read_bytes())
    text = path.read_text()
    for forged in (str(elsewhere), "clip.mp4", "", str(movie[0] / ".." / "secret.mp4")):
        path.write_text(text.replace(str(movie[0] / "clip.mp4"), forged))
        again = serve(movie[0], home=tmp_path / "projects")
        assert again.get("/api/studio").json()["projects"] == []
        assert again.get(project).status_code == 404


# uploads


def test_an_upload_gets_a_generated_name(client, video, tmp_path):
    evil = "../../<b>evil</b>\x00.mp4"
    answer = send(client, video, name=evil)
    assert answer.status_code == 200, answer.text
    project = answer.json()["project"]
    assert client.get(f"/api/projects/{project}").json()["name"] == "b.mp4"
    files = sorted(path.name for path in (tmp_path / "projects" / project).iterdir())
    assert files == ["project.jsonl", "upload"]
    assert client.get(f"/api/projects/{project}/frames/3").status_code == 200
    again = client.get("/api/studio").json()["projects"]
    assert [entry["id"] for entry in again] == [project]


def test_uploads_that_are_too_large(serve, movie, video, tmp_path):
    client = serve(movie[0], upload=len(video) - 1)
    assert send(client, video).status_code == 413

    def stream():
        yield video[:1000]
        yield video[1000:]

    assert send(client, stream()).status_code == 413  # without a length given beforehand
    assert not any((tmp_path / "projects").iterdir())
    full = serve(movie[0], spare=1 << 60)
    assert send(full, video).status_code == 413


def not_videos(secret):
    picture = io.BytesIO()
    np.save(picture, np.zeros(3))
    yield "text", b"hello"
    yield "nothing", b""
    yield "numpy", picture.getvalue()
    yield "script", b"#!/bin/sh\nrm -rf /\n"
    yield "playlist", f"#EXTM3U\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n".encode()
    yield "concat", f"ffconcat version 1.0\nfile '{secret}'\n".encode()
    yield "sdp", b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n"
    yield "half a video", secret.read_bytes()[:40]


def test_uploads_that_are_no_videos(client, movie, tmp_path):
    for what, data in not_videos(movie[0] / "clip.mp4"):
        answer = send(client, data, name="a.mp4")
        assert answer.status_code == 422, what
        assert str(movie[0]) not in answer.text
        assert not any((tmp_path / "projects").iterdir()), what


def test_sound_is_no_video(client, tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    assert send(client, path.read_bytes()).status_code == 422


# nonsense


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"do": "x"},
        {"do": "draw"},
        {"do": "draw", "frame": -1, "box": [1, 1, 9, 9]},
        {"do": "draw", "frame": 1.5, "box": [1, 1, 9, 9]},
        {"do": "draw", "frame": 0, "box": "1234"},
        {"do": "draw", "frame": 0, "box": [1, 1, 9]},
        {"do": "draw", "frame": 0, "box": [1, 1, 9, 1e9]},
        {"do": "draw", "frame": 0, "box": [True, 1, 9, 9]},
        {"do": "draw", "frame": 2**40, "box": [1, 1, 9, 9]},
        {"do": "key", "target": 7, "frame": 0, "box": [1, 1, 9, 9]},
        {"do": "remove", "target": "0"},
        {"do": "rename", "target": 0, "name": 5},
        {"do": "undo", "follow": {"frame": "x"}},
        {"do": "undo", "follow": {"frame": 0, "model": "../x"}},
    ],
)
def test_edits_that_are_none(client, project, body):
    answer = client.post(project + "/edits", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize("text", ["", "no json", "[1]", "null", '{"do": NaN}', "{" * 100_000])
def test_json_that_is_none(client, project, text):
    headers = {"content-type": "application/json"}
    answer = client.post(project + "/edits", content=text, headers=headers)
    assert answer.status_code == 400


def test_json_without_end(client, project):
    headers = {"content-type": "application/json"}
    answer = client.post(project + "/edits", content=b" " * (1 << 21), headers=headers)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        {"do": "start"},
        {"do": "start", "frame": 0, "direction": "up"},
        {"do": "x"},
        {"do": "start", "frame": 0, "targets": "all"},
        {"do": "start", "frame": 0, "model": "x"},
    ],
)
def test_orders_that_are_none(client, project, body):
    assert client.post(project + "/job", json=body).status_code == 400


def test_names_are_shown_not_run(client, project):
    """The page sets text, never HTML; a name keeps its letters and loses what cannot be seen."""
    from siamtrack.studio.app import STATIC

    scripts = "".join(file.read_text() for file in STATIC.glob("*.js"))
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert way not in scripts
    body = {"do": "draw", "frame": 0, "box": [1, 1, 20, 20], "name": "<img src=x>\u202e\x00"}
    answer = client.post(project + "/edits", json=body).json()
    assert answer["project"]["targets"][0]["name"] == "<img src=x>"


def test_without_the_extra_one_sentence_says_what_to_install():
    code = (
        "import sys\nsys.modules['starlette'] = None\n"
        "from siamtrack.cli import main\nmain(['studio', '--no-browser'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'siamtrack[studio]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["absent.mp4"], ["--model", "litte"], ["--max-upload", "0"]])
def test_bad_arguments_are_one_sentence(arguments, tmp_path, capsys):
    from siamtrack.cli import main

    with pytest.raises(SystemExit) as stop:
        main(["studio", "--no-browser", "--projects", str(tmp_path / "p"), *arguments])
    assert stop.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_the_address_is_this_machines(client):
    assert BASE.startswith("http://127.0.0.1")


# numbers, paths and tabs


HUGE = 10**400


@pytest.fixture
def drawn(client):
    clip = client.get("/api/studio").json()["clips"][0]["id"]
    project = "/api/projects/" + client.post("/api/open", json={"clip": clip}).json()["project"]
    client.post(project + "/edits", json={"do": "draw", "frame": 0, "box": [9, 9, 30, 30]})
    return project


@pytest.mark.parametrize(
    "values",
    [
        {"do": "draw", "frame": 0, "box": [HUGE, 1, 30, 30]},
        {"do": "draw", "frame": HUGE, "box": [1, 1, 30, 30]},
        {"do": "key", "target": HUGE, "frame": 0, "box": [1, 1, 30, 30]},
        {"do": "unkey", "target": 0, "frame": -HUGE},
        {"do": "undo", "follow": 5},
        {"do": "undo", "follow": [1]},
        {"do": "undo", "follow": "x"},
        {"do": "undo", "follow": {"frame": 0, "direction": []}},
        {"do": "undo", "follow": {"frame": 0, "direction": {}, "model": []}},
        {"do": "undo", "follow": {"frame": 0, "count": HUGE}},
        {"do": "undo", "follow": {"frame": 0, "targets": [HUGE]}},
        {"do": [1]},
        {"do": {}},
        {"do": HUGE},
    ],
)
def test_edits_that_are_none_are_refused_in_a_sentence(client, drawn, values):
    answer = client.post(drawn + "/edits", content=json.dumps(values), headers=JSON)
    assert answer.status_code == 400, answer.text
    assert 10 < len(answer.json()["error"]) < 300


@pytest.mark.parametrize("number", ["9" * 401, "9" * 5000, "-1", "x", "\u0663", ""])
def test_numbers_in_addresses_are_refused_in_a_sentence(client, drawn, number):
    for path in (f"/frames/0?w={number}", f"/look/0?target={number}"):
        assert client.get(drawn + path).status_code == 400
    for path in (f"/frames/{number}", f"/look/{number}?target=0"):
        assert client.get(drawn + path).status_code in (400, 404, 422)


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "//", "http://a:99999999", "\x00"])
def test_origins_that_are_no_addresses_are_refused(client, origin):
    assert client.get("/api/studio", headers={"origin": origin}).status_code == 403


def test_eight_tabs_that_open_one_clip_share_one_project(client):
    clip = client.get("/api/studio").json()["clips"][0]["id"]

    def open_clip(_):
        return client.post("/api/open", json={"clip": clip}).json()["project"]

    with ThreadPoolExecutor(8) as tabs:
        assert len(set(tabs.map(open_clip, range(8)))) == 1
    assert len(client.get("/api/studio").json()["projects"]) == 1


def test_messages_name_files_without_their_folders(serve, movie, tmp_path):
    """A clip that goes bad, and a project that does: the page hears names, no places."""
    folder = tmp_path / "a folder of mine"
    shutil.copytree(movie[0], folder)
    (folder / "bad.mp4").write_bytes(b"no video")
    home = tmp_path / "my projects"
    client = serve(folder, home=home)
    clips = {clip["name"]: clip["id"] for clip in client.get("/api/studio").json()["clips"]}
    told = [client.post("/api/open", json={"clip": clips["bad.mp4"]})]
    project = client.post("/api/open", json={"clip": clips["clip.mp4"]}).json()["project"]
    second = serve(folder, home=home)  # the first holds the lock
    told.append(second.get(f"/api/projects/{project}"))
    for answer in told:
        assert answer.status_code in (409, 422)
        assert str(tmp_path) not in answer.text
        assert "folder of mine" not in answer.text
        assert "my projects" not in answer.text


def test_what_nobody_foresaw_is_one_sentence(client, drawn, monkeypatch, caplog):
    """A defect in the library below: status 500, a sentence, and no traceback unless asked."""
    session = client.app.state.sessions.get(drawn.rpartition("/")[2])

    def broken(*_):
        raise RuntimeError("/home/me/secret place/file.bin broke")

    monkeypatch.setattr(session.clip, "jpeg", broken)
    answer = client.get(drawn + "/frames/0")
    assert answer.status_code == 500
    assert "unexpected RuntimeError: file.bin broke" in answer.json()["error"]
    assert "Traceback" not in caplog.text
