"""Exports: progress, cancelling, and that our own readers read what is written."""

import contextlib
import csv
import http.client
import io
import json
import socket
import threading
import time
import urllib.request
import xml.etree.ElementTree as ET
import zipfile

import av
import numpy as np
import pytest
import uvicorn
from starlette.websockets import WebSocketDisconnect
from websockets.sync.client import connect

from siamtrack.data.annotations import import_annotations
from siamtrack.data.manifest import read_manifest
from siamtrack.studio.export_files import FORMATS, Snapshot, split, take_snapshot, zip_pieces
from siamtrack.studio.project import Project
from siamtrack.studio.timeline import Run
from tests.helpers import clip, write_video
from tests.studio.conftest import FRAMES, SOCKETS, exported

NAME = "A & <B>"


@pytest.fixture
def drawn(client, project, movie):
    """Key frames in all frames: tracks that hang on no network. Absent in the last two."""
    for index in range(FRAMES - 2):
        box = movie[1][index].tolist()
        change = {"do": "key", "target": 0} if index else {"do": "draw", "name": NAME}
        change |= {"frame": index, "box": box}
        assert client.post(project + "/edits", json=change).status_code == 200
    change = {"do": "absent", "target": 0, "frame": FRAMES - 2}
    client.post(project + "/edits", json=change)
    return project


def leftovers(tmp_path):
    return [path for path in (tmp_path / "projects").glob("*/exports/*/*")]


# read back


@pytest.mark.parametrize(
    ("format", "form", "name"),
    [
        ("cvat", "cvat", "annotations.xml"),
        ("coco", "coco-video", "a.json"),
        ("mot", "mot", "gt.txt"),
    ],
)
def test_our_own_importers_read_it(format, form, name, client, drawn, movie, tmp_path):
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / name).write_bytes(exported(client, drawn, format).content)
    done = import_annotations(form, folder / name, tmp_path / "out", movie[0] / "clip.mp4")
    entries = list(read_manifest(done.manifest))
    assert [entry.frame for entry in entries] == list(range(FRAMES - 2))
    boxes = np.array([entry.box for entry in entries])
    np.testing.assert_allclose(boxes, movie[1][: FRAMES - 2], atol=0.01)
    assert done.tracks == 1
    if format != "mot":  # which knows no names
        assert {entry.label for entry in entries} == {NAME}


def test_tables_say_what_is_known(client, drawn, movie):
    want = movie[1][: FRAMES - 2]
    rows = list(csv.DictReader(io.StringIO(exported(client, drawn, "csv").text)))
    assert [int(row["frame"]) for row in rows] == list(range(FRAMES - 2))
    sides = ("left", "top", "width", "height")
    np.testing.assert_allclose([[float(row[s]) for s in sides] for row in rows], want, atol=0.01)
    document = exported(client, drawn, "json").json()
    (target,) = document["targets"]
    assert target["name"] == NAME
    np.testing.assert_allclose([row["box"] for row in target["track"]], want, atol=0.01)
    assert target["keys"][-1] == {"frame": FRAMES - 2, "box": None}
    lines = exported(client, drawn, "jsonl").text.splitlines()
    assert len(lines) == FRAMES - 2
    json.loads(lines[0])


def test_a_video_has_all_frames_and_the_boxes_in_them(client, drawn, movie):
    data = exported(client, drawn, "mp4").content
    with av.open(io.BytesIO(data)) as written, av.open(str(movie[0] / "clip.mp4")) as source:
        pairs = list(zip(written.decode(video=0), source.decode(video=0), strict=True))
        shown = [
            np.abs(a.to_ndarray(format="rgb24").astype(int) - b.to_ndarray(format="rgb24"))
            for a, b in pairs
        ]
    assert len(shown) == FRAMES
    left, top, width, _ = movie[1][3].astype(int)
    assert shown[3][top - 1 : top + 2, left : left + width].mean() > 20
    assert shown[FRAMES - 1].mean() < 5  # absent: nothing is drawn


def test_yolo_has_the_pictures_and_is_read_back(client, drawn, movie, tmp_path):
    with zipfile.ZipFile(io.BytesIO(exported(client, drawn, "yolo").content)) as file:
        assert file.testzip() is None
        file.extractall(tmp_path / "yolo")
    found = {}
    for part in ("train", "val"):
        if part == "val":  # the importer reads train alone where there is one
            for kind in ("images", "labels"):
                for path in (tmp_path / "yolo" / kind / "train").iterdir():
                    path.unlink()
                (tmp_path / "yolo" / kind / "train").rmdir()
        done = import_annotations("yolo", tmp_path / "yolo", tmp_path / f"{part}.jsonl")
        assert done.found.summary() == ""
        for entry in read_manifest(done.manifest):
            assert f"images/{part}/" in entry.image
            assert entry.label == NAME
            found[int(entry.image[-10:-4])] = entry.box
            picture = av.open(entry.image)
            assert next(picture.decode(video=0)).to_ndarray(format="rgb24").shape == (192, 256, 3)
    assert sorted(found) == list(range(FRAMES - 2))
    boxes = np.array([found[index] for index in sorted(found)])
    np.testing.assert_allclose(boxes, movie[1][: FRAMES - 2], atol=0.01)
    files = sorted(path.name for path in (tmp_path / "yolo" / "images" / "val").iterdir())
    assert f"frame_{FRAMES - 1:06d}.jpg" in files  # absent: a picture of which nothing is there


def result(total, lost=(), unknown=()):
    project = Project(total, (64, 48))
    project.draw(0, (1, 1, 20, 20))
    run = Run(0, 0, "lite", 0, 1, 1, 1)
    for index in range(1, total):
        run.append([(1.0, 1.0, 20.0, 20.0, 0.5, 2 if index in lost else 0)])
    project.runs[0] = run
    found = take_snapshot(project, "lite", 25.0)
    found.tables[0].owner[list(unknown)] = -1
    found.tables[0].rows[list(unknown)] = np.nan
    return found


def test_training_and_validation_are_stretches():
    parts = split(result(100))
    assert list(parts) == list(range(100))
    changes = sum(parts[k] != parts[k + 1] for k in range(99))
    assert changes == 3
    assert list(parts.values()).count("val") == 20
    assert {parts[k] for k in range(40, 50)} == {"val"}


@pytest.mark.parametrize("total", range(1, 25))
def test_short_clips_have_both_parts(total):
    parts = list(split(result(total)).values())
    assert len(parts) == total
    assert "train" in parts
    assert ("val" in parts) == (total > 1)


def test_frames_that_would_teach_wrong_are_left_out():
    parts = split(result(20, lost=(3, 4), unknown=(8, 9, 10)))
    assert sorted(parts) == [k for k in range(20) if k not in (3, 4, 8, 9, 10)]


def test_a_zip_is_made_piece_by_piece():
    picture = np.random.default_rng(0).integers(0, 255, (48, 64, 3)).astype(np.uint8)
    read, ticks = [], []

    def take(index, backwards):
        read.append(index)
        return np.tile(picture, (8, 8, 1))

    pieces = zip_pieces(result(40), take, lambda done, total: ticks.append((done, total)))
    next(pieces)
    assert 0 < len(read) < 10
    rest = list(pieces)
    assert len(rest) > 3
    assert ticks == [(k + 1, 40) for k in range(40)]


# cancelled


@pytest.fixture(scope="module")
def long_movie(tmp_path_factory):
    """A clip whose export takes some seconds."""
    folder = tmp_path_factory.mktemp("long")
    frames, boxes = clip(12)
    big = np.repeat(np.repeat(frames, 3, axis=1), 3, axis=2)
    write_video(folder / "clip.mp4", np.concatenate([big] * 10))
    return folder, boxes * 3


@pytest.fixture
def running(serve, long_movie, tmp_path):
    """A studio behind a real server, whose connections break as real ones do: address, project."""
    client = serve(long_movie[0])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = uvicorn.Config(client.app, port=port, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    (entry,) = client.get("/api/studio").json()["clips"]
    name = client.post("/api/open", json={"clip": entry["id"]}).json()["project"]
    draw = {"do": "draw", "frame": 0, "box": long_movie[1][0].tolist()}
    client.post(f"/api/projects/{name}/edits", json=draw)
    for frame in range(1, 120):
        session = client.app.state.sessions.get(name)
        session.project.apply(
            {
                "do": "edit",
                "events": [
                    {
                        "do": "key",
                        "target": 0,
                        "frame": frame,
                        "box": [9, 9, 90, 90],
                        "stamp": 9 + frame,
                    },
                ],
            }
        )
    yield f"127.0.0.1:{port}", f"/api/projects/{name}"
    server.should_exit = True
    thread.join()


@contextlib.contextmanager
def begin(running, format):
    host, project = running
    with connect(f"ws://{host}{project}/exports", origin=f"http://{host}") as news:
        news.send(json.dumps({"format": format}))
        yield news


def until(tmp_path, what, seconds=120):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, leftovers(tmp_path)
        time.sleep(0.02)


def test_a_cancelled_export_leaves_no_file(running, tmp_path):
    """Cancel and the end of the tab are the same: the socket closes."""
    with begin(running, "mp4") as news:
        told = {"done": 0}
        while not (told["done"] and leftovers(tmp_path)):  # the encoder keeps the first pictures
            told = json.loads(news.recv(timeout=120))
            assert told["state"] == "working"
        assert 0 < told["done"] < told["total"] == 120
    until(tmp_path, lambda: not leftovers(tmp_path))


def test_a_ready_export_that_nobody_fetches_leaves_no_file(running, tmp_path):
    host, project = running
    with begin(running, "csv") as news:
        while (told := json.loads(news.recv(timeout=120)))["state"] != "ready":
            pass
        assert leftovers(tmp_path)
    until(tmp_path, lambda: not leftovers(tmp_path))
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"http://{host}{project}/exports/{told['id']}")


def test_a_data_set_that_is_cancelled_breaks_off(running):
    """The browser sees a broken download, of which it keeps nothing, not a short zip."""
    host, project = running
    with begin(running, "yolo") as news:
        told = json.loads(news.recv(timeout=120))
        while told["state"] != "ready":
            told = json.loads(news.recv(timeout=120))
        answer = urllib.request.urlopen(f"http://{host}{project}/exports/{told['id']}")
        answer.read(1000)
        while told["done"] == 0:
            told = json.loads(news.recv(timeout=120))
        assert told["done"] < told["total"] == 120
    with pytest.raises((OSError, ValueError, http.client.HTTPException)):
        answer.read()


def test_a_page_that_stops_fetching_ends_the_export(running):
    host, project = running
    with begin(running, "yolo") as news:
        while (told := json.loads(news.recv(timeout=120)))["state"] != "ready":
            pass
        answer = urllib.request.urlopen(f"http://{host}{project}/exports/{told['id']}")
        answer.read(1000)
        answer.close()
        while told["state"] in ("ready", "working"):
            told = json.loads(news.recv(timeout=120))
        assert told["state"] == "failed"


def test_what_killed_exports_left_is_removed(serve, client, project, movie, tmp_path):
    client.__exit__(None, None, None)
    folder = tmp_path / "projects" / project.rsplit("/", 1)[1] / "exports"
    folder /= "0123"
    folder.mkdir(parents=True)
    (folder / "abc.mp4").write_bytes(b"half")
    assert serve(movie[0], home=tmp_path / "projects").get(project).status_code == 200
    assert not leftovers(tmp_path)


# refused


@pytest.mark.parametrize(
    ("hello", "word"),
    [
        ({"format": "csv"}, "draw a box"),
        ({"format": "exe"}, "expected one of"),
        ({"format": "csv", "model": "../x"}, "no model"),
        ({}, "expected one of"),
        ([], "list"),
    ],
)
def test_no_such_export(hello, word, client, project):
    with client.websocket_connect(SOCKETS + project + "/exports") as page:
        page.send_json(hello)
        told = page.receive_json()
        assert (told["state"], word in told["error"]) == ("failed", True), told


def test_a_data_set_without_a_frame_is_refused_at_once(client, drawn):
    found = client.app.state.sessions.get(drawn.rsplit("/", 1)[1]).project
    found.known(0, "lite").rows[:, 5] = 2  # lost wherever it is known
    found.known(0, "lite").owner[-2:] = -1
    with client.websocket_connect(SOCKETS + drawn + "/exports") as page:
        page.send_json({"format": "yolo"})
        told = page.receive_json()
    assert (told["state"], "a target is lost" in told["error"]) == ("failed", True), told


def test_an_export_that_cannot_be_written_says_why_and_not_where(client, drawn, tmp_path):
    folder = tmp_path / "projects" / drawn.rsplit("/", 1)[1]
    with client.websocket_connect(SOCKETS + drawn + "/exports") as page:
        (folder / "exports").write_bytes(b"in the way")
        page.send_json({"format": "csv"})
        while (told := page.receive_json())["state"] == "working":
            pass
    assert told["state"] == "failed"
    assert str(tmp_path) not in told["error"]


def test_exports_are_fetched_once_and_by_their_id(client, drawn):
    with client.websocket_connect(SOCKETS + drawn + "/exports") as page:
        page.send_json({"format": "csv"})
        while (told := page.receive_json())["state"] != "ready":
            pass
        address = f"{drawn}/exports/{told['id']}"
        assert client.get(address).status_code == 200
        assert client.get(address).status_code == 404
    for name in ("x", "%2e%2e%2fproject.jsonl", "0" * 32):
        assert client.get(f"{drawn}/exports/{name}").status_code == 404
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect(SOCKETS + "/api/projects/" + "0" * 16 + "/exports"),
    ):
        pass


def test_every_format_of_the_page_is_one(client):
    text = client.get("/static/exports.js").text
    for format in FORMATS:
        assert f'["{format}",' in text or format == "otb"
    assert isinstance(result(3), Snapshot)


# classes and key frames


@pytest.fixture
def classed(client, drawn):
    """The tracked target is a dog; the project knows a cat, too, of which there is none."""
    for change in (
        {"do": "class", "name": "cat", "color": "#112233"},
        {"do": "classify", "target": 0, "class": "dog"},
    ):
        assert client.post(drawn + "/edits", json=change).status_code == 200
    return drawn


def test_every_format_carries_the_class(client, classed, movie, tmp_path):
    row = next(csv.DictReader(io.StringIO(exported(client, classed, "csv").text)))
    assert (row["name"], row["class"]) == (NAME, "dog")
    assert json.loads(exported(client, classed, "jsonl").text.splitlines()[0])["class"] == "dog"
    found = exported(client, classed, "coco").json()
    assert [each["name"] for each in found["categories"]] == ["cat", "dog"]
    assert {each["category_id"] for each in found["annotations"]} == {found["categories"][1]["id"]}
    document = exported(client, classed, "json").json()
    assert (document["classes"], document["targets"][0]["class"]) == (["cat", "dog"], "dog")
    with zipfile.ZipFile(io.BytesIO(exported(client, classed, "yolo").content)) as file:
        assert '0: "cat"\n  1: "dog"' in file.read("data.yaml").decode()
        labels = [name for name in file.namelist() if name.startswith("labels/")]
        assert {file.read(name).split()[0] for name in labels if file.read(name)} == {b"1"}
    (tmp_path / "annotations.xml").write_bytes(exported(client, classed, "cvat").content)
    done = import_annotations("cvat", tmp_path, tmp_path / "out", movie[0] / "clip.mp4")
    assert {entry.label for entry in read_manifest(done.manifest)} == {"dog"}


def test_mot_with_classes_is_a_zip_that_names_them(client, classed):
    answer = exported(client, classed, "mot")
    assert answer.headers["content-disposition"].endswith('_mot.zip"')
    with zipfile.ZipFile(io.BytesIO(answer.content)) as file:
        assert file.read("gt/labels.txt").decode().split() == ["cat", "dog"]
        rows = file.read("gt/gt.txt").decode().splitlines()
    assert len(rows) == FRAMES - 2
    assert {row.split(",")[7] for row in rows} == {"2"}


def boxes_of(text):
    sides = ("xtl", "ytl", "xbr", "ybr")
    return {
        int(box.get("frame")): [float(box.get(side)) for side in sides]
        for box in ET.fromstring(text).iter("box")
        if box.get("outside") == "0" and box.get("keyframe") == "1"
    }


def cvat_export(client, project, **options):
    with client.websocket_connect(SOCKETS + project + "/exports") as page:
        page.send_json({"format": "cvat", **options})
        while (told := page.receive_json())["state"] == "working":
            pass
        if told["state"] == "failed":
            return told["error"]
        return client.get(f"{project}/exports/{told['id']}").text


def test_cvat_gets_few_key_frames_within_the_pixels_asked_for(client, project, movie, wait):
    box = movie[1][0].tolist()
    client.post(project + "/edits", json={"do": "draw", "frame": 0, "box": box})
    client.post(project + "/job", json={"do": "start", "frame": 0})
    wait(client, project)
    change = {"do": "key", "target": 0, "frame": 5, "box": movie[1][5].tolist()}
    client.post(project + "/edits", json={**change, "follow": {"frame": 5}})
    wait(client, project)
    full = boxes_of(cvat_export(client, project))
    thin = boxes_of(cvat_export(client, project, keyframes=2.0))
    assert sorted(full) == list(range(FRAMES))
    assert {0, 5, FRAMES - 1} <= set(thin)
    assert len(thin) < len(full)
    keys = sorted(thin)
    for frame, want in full.items():
        got = [np.interp(frame, keys, [thin[key][side] for key in keys]) for side in range(4)]
        np.testing.assert_allclose(got, want, atol=2.01)
    for wrong in ("1", True, -1, [1]):
        assert "pixels" in cvat_export(client, project, keyframes=wrong)


def test_a_video_in_the_colors_of_classes(client, classed):
    """Red boxes around the dog, and not otherwise."""
    client.post(classed + "/edits", json={"do": "class", "class": "dog", "colour": "#ff0000"})

    def redness(**options):
        with client.websocket_connect(SOCKETS + classed + "/exports") as page:
            page.send_json({"format": "mp4", **options})
            while (told := page.receive_json())["state"] == "working":
                pass
            data = client.get(f"{classed}/exports/{told['id']}").content
        with av.open(io.BytesIO(data)) as video:
            frame = next(video.decode(video=0)).to_ndarray(format="rgb24").astype(int)
        return int((frame[..., 0] - frame[..., 1:].max(axis=-1) > 120).sum())

    assert redness(by_class=True) > redness() + 50
