"""The whole way through HTTP: open, draw, track, correct, look, export, come back."""

import csv
import io
import json
import time
import xml.etree.ElementTree as ET
import zipfile

import av
import cv2
import numpy as np
import pytest

from siamtrack.core.boxes import iou
from siamtrack.studio.export_files import FORMATS
from tests.studio.conftest import FRAMES, SOCKETS, exported

DRAW = {"do": "draw", "frame": 0}


def picture(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def rows(client, project, target=0):
    """Frame to row of what is known of a target."""
    found = dict(client.get(project + "/tracks").json()["tracks"])[target]
    return {
        part["first"] + k: row
        for part in found
        if "rows" in part
        for k, row in enumerate(part["rows"])
    }


@pytest.fixture
def tracked(client, project, movie, wait):
    box = movie[1][0].tolist()
    assert client.post(project + "/edits", json={**DRAW, "box": box}).json()["result"] == 0
    client.post(project + "/job", json={"do": "start", "direction": "forward", "frame": 0})
    job = wait(client, project)
    assert (job["state"], job["done"]) == ("idle", FRAMES - 1), job
    return project


def test_the_page_and_its_parts(client):
    page = client.get("/")
    assert page.status_code == 200
    for part in ("main.js", "base.css", "studio.css", "icon.svg"):
        assert part in page.text
        assert client.get(f"/static/{part}").status_code == 200
    import re

    for name in re.findall(r'from "\./(\w+\.js)"', client.get("/static/main.js").text):
        answer = client.get(f"/static/{name}")
        assert answer.status_code == 200
        assert "javascript" in answer.headers["content-type"]


def test_the_page_asks_no_other_machine():
    import re
    from pathlib import Path

    import siamtrack.studio.app as app

    for file in Path(app.STATIC).iterdir():
        for address in re.findall(r"\w+://[^\s\"'`)]*", file.read_text()):
            assert address.startswith(("http://www.w3.org/", "https://${", "wss://${")), file


def test_a_frame_is_the_right_one_and_of_the_width_asked_for(client, project, movie):
    answer = client.get(project + "/frames/7")
    assert answer.headers["content-type"] == "image/jpeg"
    assert picture(answer.content).shape == (192, 256, 3)
    left, top, width, height = movie[1][7].astype(int)
    target = picture(answer.content)[top : top + height, left : left + width]
    other = picture(client.get(project + "/frames/0").content)
    assert np.abs(target.astype(int) - other[top : top + height, left : left + width]).mean() > 5
    assert client.get(project + f"/frames/{FRAMES}").status_code == 422
    assert client.get(project + "/frames/0?w=x").status_code == 400
    assert picture(client.get(project + "/frames/7?w=99999").content).shape == (192, 256, 3)


def test_track_forwards(client, tracked, movie):
    found = rows(client, tracked)
    assert sorted(found) == list(range(FRAMES))
    boxes = np.array([found[index][:4] for index in range(FRAMES)])
    assert iou(boxes, movie[1]).mean() > 0.6


def test_track_backwards_and_both(client, project, movie, wait):
    box = movie[1][8].tolist()
    client.post(project + "/edits", json={"do": "draw", "frame": 8, "box": box})
    client.post(project + "/job", json={"do": "start", "direction": "both", "frame": 8})
    assert wait(client, project)["done"] == FRAMES - 1
    found = rows(client, project)
    boxes = np.array([found[index][:4] for index in range(FRAMES)])
    assert iou(boxes, movie[1]).mean() > 0.6


def test_a_few_frames_only(client, project, movie, wait):
    client.post(project + "/edits", json={**DRAW, "box": movie[1][0].tolist()})
    client.post(project + "/job", json={"do": "start", "frame": 0, "count": 4})
    wait(client, project)
    assert sorted(rows(client, project)) == [0, 1, 2, 3, 4]


def test_a_correction_is_tracked_again_and_nothing_else(client, tracked, movie, wait):
    before = rows(client, tracked)
    change = {
        "do": "key",
        "target": 0,
        "frame": 9,
        "box": movie[1][9].tolist(),
        "follow": {"frame": 9, "model": "lite"},
    }
    assert client.post(tracked + "/edits", json=change).status_code == 200
    job = wait(client, tracked)
    assert job["done"] == FRAMES - 10
    after = rows(client, tracked)
    assert sorted(after) == list(range(FRAMES))
    assert all(after[index] == before[index] for index in range(9))
    assert after[9] == [*movie[1][9].tolist(), 1.0, 0]
    undone = client.post(tracked + "/edits", json={"do": "undo"}).json()
    assert undone["project"]["redo"]
    assert rows(client, tracked) == before
    client.post(tracked + "/edits", json={"do": "redo"})
    assert rows(client, tracked) == after


def test_going_on_after_a_stop_gives_what_one_run_gives(client, tracked, movie, wait):
    whole = rows(client, tracked)
    client.post(tracked + "/edits", json={**DRAW, "box": movie[1][0].tolist()})
    client.post(tracked + "/job", json={"do": "start", "frame": 0, "count": 5, "targets": [1]})
    wait(client, tracked)
    client.post(tracked + "/job", json={"do": "start", "frame": 0, "targets": [1]})
    wait(client, tracked)
    np.testing.assert_allclose(
        [whole[k][:4] for k in range(FRAMES)],
        [rows(client, tracked, 1)[k][:4] for k in range(FRAMES)],
        atol=1.0,
    )


def test_pause_go_on_stop(client, project, movie, wait):
    client.post(project + "/edits", json={**DRAW, "box": movie[1][0].tolist()})
    client.post(project + "/job", json={"do": "start", "frame": 0})
    client.post(project + "/job", json={"do": "pause"})
    job = client.get(project).json()["job"]
    if job["state"] == "paused":  # else it was quicker than this test
        time.sleep(1)
        more = client.get(project).json()["job"]["done"] - job["done"]
        assert more in (0, 1), "the frame under way is finished, no other begins"
        client.post(project + "/job", json={"do": "resume"})
    wait(client, project)
    assert len(rows(client, project)) == FRAMES
    assert client.post(project + "/job", json={"do": "stop"}).json()["state"] == "idle"


def test_news_of_a_job_and_of_edits(client, project, movie):
    with client.websocket_connect(SOCKETS + project + "/live") as socket:
        assert socket.receive_json()["type"] == "project"
        client.post(project + "/edits", json={**DRAW, "box": movie[1][0].tolist()})
        assert [target["id"] for target in socket.receive_json()["targets"]] == [0]
        client.post(project + "/job", json={"do": "start", "frame": 0})
        seen = set()
        while True:
            message = socket.receive_json()
            if message["type"] == "rows":
                seen.update(row[0] for _, rows in message["rows"] for row in rows)
            elif message["state"] == "idle":
                break
        assert seen == set(range(1, FRAMES))


def test_template_and_response(client, tracked, models):
    card = models("lite").card
    template = client.get(tracked + "/look/5?target=0&what=template")
    assert picture(template.content).shape == (card.template,) * 2 + (3,)
    response = client.get(tracked + "/look/5?target=0&what=response")
    assert response.status_code == 200, response.text
    assert picture(response.content).shape == (card.search,) * 2 + (3,)
    assert client.get(tracked + "/look/5?target=3&what=response").status_code == 400
    assert client.get(tracked + "/look/999?target=0").status_code == 404


@pytest.mark.parametrize("format", FORMATS)
def test_export(format, client, tracked):
    client.post(tracked + "/edits", json={"do": "rename", "target": 0, "name": "A & <B>"})
    answer = exported(client, tracked, format)
    assert f"clip_{format}" in answer.headers["content-disposition"]
    data = answer.content
    if format == "csv":
        found = list(csv.DictReader(io.StringIO(data.decode())))
        assert [row["frame"] for row in found] == [str(k) for k in range(FRAMES)]
    elif format == "mp4":
        with av.open(io.BytesIO(data)) as container:
            assert sum(1 for _ in container.decode(video=0)) == FRAMES
    elif format == "coco":
        assert len(json.loads(data)["annotations"]) == FRAMES
    elif format == "cvat":
        (track,) = ET.fromstring(data).iter("track")
        assert track.get("label") == "A & <B>"
        assert [int(box.get("frame")) for box in track] == list(range(FRAMES))
    elif format == "cvat-masks":
        images = ET.fromstring(data).findall("image")
        assert [int(each.get("id")) for each in images] == list(range(FRAMES))
        assert {mask.get("label") for each in images for mask in each} == {"A & <B>"}
    elif format == "davis":
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            assert len(file.namelist()) == FRAMES
    elif format.startswith("yolo"):
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            assert len(file.namelist()) == 2 * FRAMES + 1
            kind, *share = file.read("labels/train/frame_000003.txt").split()
            assert kind == b"0"
            assert all(0 < float(value) < 1 for value in share)
    elif format == "json":
        (target,) = json.loads(data)["targets"]
        assert len(target["track"]) == FRAMES
        assert target["name"] == "A & <B>"
    else:
        assert len(data.splitlines()) == FRAMES


def test_everything_is_there_after_a_restart(serve, tracked, client, movie, tmp_path):
    client.post(tracked + "/edits", json={"do": "rename", "target": 0, "name": "square"})
    before, known = client.get(tracked).json(), rows(client, tracked)
    client.__exit__(None, None, None)
    again = serve(movie[0], home=tmp_path / "projects")
    (listed,) = again.get("/api/studio").json()["projects"]
    assert tracked.endswith(listed["id"])
    after = again.get(tracked).json()
    for name in ("targets", "undo", "redo", "total"):
        assert after[name] == before[name]
    assert rows(again, tracked) == known
    clip = again.get("/api/studio").json()["clips"][0]["id"]
    assert again.post("/api/open", json={"clip": clip}).json()["project"] == listed["id"]


def test_two_servers_do_not_share_a_project(serve, project, client, movie, tmp_path):
    other = serve(movie[0], home=tmp_path / "projects")
    answer = other.get(project)
    assert answer.status_code == 409
    assert "another studio" in answer.json()["error"]


def test_many_tabs_edit_at_once(client, project):
    """Edits from several threads are all there, one after another, and can all be undone."""
    import threading

    def draw(tab):
        for k in range(10):
            body = {"do": "draw", "frame": k, "box": [tab, k, 20, 20], "name": f"{tab}-{k}"}
            assert client.post(project + "/edits", json=body).status_code == 200

    threads = [threading.Thread(target=draw, args=(tab,)) for tab in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    targets = client.get(project).json()["targets"]
    assert [target["id"] for target in targets] == list(range(40))
    assert len({target["name"] for target in targets}) == 40
    for _ in range(40):
        client.post(project + "/edits", json={"do": "undo"})
    assert client.get(project).json()["targets"] == []


def test_camera(client, movie):
    path = movie[0] / "clip.mp4"
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    jpegs = [cv2.imencode(".jpg", frame)[1].tobytes() for frame in frames]
    with client.websocket_connect(SOCKETS + "/api/camera") as socket:
        socket.send_json({"model": "lite", "source": None})
        socket.send_bytes(jpegs[0])
        assert socket.receive_json()["tracks"] == []
        socket.send_json({"box": movie[1][1].tolist()})
        for index in (1, 2, 3):
            socket.send_bytes(jpegs[index])
            (track,) = socket.receive_json()["tracks"]
        assert iou(np.array(track["box"]), movie[1][3]) > 0.5
        socket.send_json({"box": [9000, 1, 5, 5]})
        socket.send_bytes(jpegs[4])
        assert "outside" in socket.receive_json()["error"]
        socket.send_json({"clear": True})
        socket.send_bytes(jpegs[5])
        assert socket.receive_json()["tracks"] == []
        socket.send_bytes(b"no picture")
        assert "JPEG" in socket.receive_json()["error"]
