"""The first page: pictures, lengths, targets, the last change; rename, delete, wrong addresses."""

import time

import cv2
import numpy as np
import pytest
from starlette.websockets import WebSocketDisconnect

from siamtrack.studio.journal import NAME
from siamtrack.studio.library import DELETED, Library
from tests.helpers import clip, write_video
from tests.studio.conftest import BASE, FRAMES, SOCKETS, open_project

DRAW = {"do": "draw", "frame": 0, "box": [10, 10, 40, 40]}


def picture(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def test_a_clip_has_a_picture_and_a_length_before_it_is_opened(client):
    (found,) = client.get("/api/studio").json()["clips"]
    path = f"/api/clips/{found['id']}"
    shown = client.get(path + "/thumbnail")
    assert shown.headers["content-type"] == "image/jpeg"
    assert picture(shown.content).shape == (192, 256, 3)
    facts = client.get(path + "/card").json()
    assert (facts["frames"], facts["width"], facts["height"]) == (FRAMES, 256, 192)
    assert facts["seconds"] == pytest.approx(FRAMES / 25, rel=0.3)
    for wrong in ("0" * 16, "..", "x"):
        assert client.get(f"/api/clips/{wrong}/card").status_code == 404
        assert client.get(f"/api/clips/{wrong}/thumbnail").status_code == 404


def test_a_folder_of_pictures_too(serve, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for index, image in enumerate(clip(12)[0]):
        cv2.imwrite(str(folder / f"{index}.png"), image)
    client = serve(folder)
    (found,) = client.get("/api/studio").json()["clips"]
    facts = client.get(f"/api/clips/{found['id']}/card").json()
    assert (facts["frames"], facts["seconds"]) == (12, None)
    assert client.get(f"/api/clips/{found['id']}/thumbnail").status_code == 200


def test_what_is_no_video_says_so_and_leads_on(serve, tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    (folder / "broken.mp4").write_bytes(b"no video at all")
    write_video(folder / "good.mp4", clip(4)[0])
    client = serve(folder)
    ids = {each["name"]: each["id"] for each in client.get("/api/studio").json()["clips"]}
    for part in ("card", "thumbnail"):
        answer = client.get(f"/api/clips/{ids['broken.mp4']}/{part}")
        assert answer.status_code in (409, 422), answer.text
        assert "broken.mp4" in answer.json()["error"]
        assert str(folder) not in answer.text


def test_a_project_tells_its_targets_and_its_last_change(client, project):
    began = time.time()
    for _ in range(3):
        client.post(project + "/edits", json=DRAW)
    client.post(project + "/edits", json={"do": "remove", "target": 1})
    card = client.get(project + "/card").json()
    assert (card["targets"], card["frames"]) == (2, FRAMES)
    assert abs(card["changed"] - began) < 60
    client.post(project + "/edits", json={"do": "undo"})
    assert client.get(project + "/card").json()["targets"] == 3
    assert client.get(project + "/thumbnail").status_code == 200


def test_a_damaged_project_is_still_listed(client, project, tmp_path):
    (journal,) = (tmp_path / "projects").glob("*/" + NAME)
    with journal.open("ab") as file:
        file.write(b'{"do":"nonsense"}\n')
    assert client.get(project + "/card").json()["targets"] is None


def test_rename(serve, movie):
    client = serve(movie[0])
    project = open_project(client)
    client.post(project + "/edits", json=DRAW)
    answer = client.post(project + "/name", json={"name": "  my \n street "})
    assert answer.json() == {"name": "my street"}
    assert client.get(project).json()["name"] == "my street"
    (listed,) = client.get("/api/studio").json()["projects"]
    assert listed["name"] == "my street"
    for wrong in ({"name": " "}, {"name": 3}, {}):
        assert client.post(project + "/name", json=wrong).status_code == 400
    client.__exit__(None, None, None)
    again = serve(movie[0])
    found = again.get(project).json()
    assert (found["name"], len(found["targets"]), found["undo"]) == ("my street", 1, True)


def test_delete_takes_the_project_and_leaves_the_clip(client, project, movie, tmp_path):
    client.post(project + "/edits", json=DRAW)
    assert client.delete(project).status_code == 200
    assert client.get("/api/studio").json()["projects"] == []
    assert list((tmp_path / "projects").iterdir()) == []
    assert (movie[0] / "clip.mp4").is_file()
    for answer in (client.get(project), client.delete(project), client.get(project + "/card")):
        assert (answer.status_code, "no such project" in answer.text) == (404, True)
    assert open_project(client) != project
    assert client.get(open_project(client)).json()["targets"] == []


def test_delete_while_it_is_tracked_and_shown(client, project, movie):
    client.post(project + "/edits", json={**DRAW, "box": movie[1][0].tolist()})
    client.post(project + "/job", json={"do": "start", "frame": 0})
    with client.websocket_connect(SOCKETS + project + "/live") as page:
        assert client.delete(project).status_code == 200
        while (told := page.receive_json())["type"] != "gone":
            pass
    assert told == {"type": "gone"}
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect(SOCKETS + project + "/live"),
    ):
        pass


def test_a_project_that_another_studio_has_open_is_not_deleted(serve, movie):
    project = open_project(serve(movie[0]))
    other = serve(movie[0])
    answer = other.delete(project)
    assert (answer.status_code, "another studio" in answer.text) == (409, True)
    assert other.get(project + "/card").status_code == 200


def test_only_the_page_may_delete(client, project):
    headers = {"origin": "http://evil.example"}
    assert client.delete(project, headers=headers).status_code == 403
    answer = client.post(project + "/name", json={"name": "x"}, headers=headers)
    assert answer.status_code == 403
    for name in ("..", "%2e%2e", "x" * 16):
        assert client.delete(f"/api/projects/{name}").status_code in (404, 405)


def test_what_a_killed_server_was_deleting_goes_at_the_next_start(tmp_path):
    left = tmp_path / (DELETED + "0123456789abcdef")
    left.mkdir()
    (left / NAME).write_text("{}\n")
    Library([], tmp_path)
    assert not left.exists()


def test_an_address_without_a_page_says_so_and_leads_back(client):
    page = client.get("/nonsense", headers={"accept": "text/html"})
    assert page.status_code == 404
    assert "no page at this address" in page.text
    assert 'href="/"' in page.text
    told = client.get("/api/nonsense")
    assert (told.status_code, "/api/nonsense" in told.json()["error"]) == (404, True)
    assert client.get(BASE + "/static/none.js").status_code == 404


def test_many_projects_are_counted_quickly(client, project, tmp_path):
    """The rows of tracks, nearly all of a journal, are passed over."""
    from siamtrack.studio.overview import count_targets

    client.post(project + "/edits", json=DRAW)
    (journal,) = (tmp_path / "projects").glob("*/" + NAME)
    run = '{"do":"run","run":0,"target":0,"model":"lite","origin":0,"stamp":1,"first":1,"step":1}\n'
    rows = '{"do":"rows","run":0,"rows":[' + ",".join(["[1,2,3,4,0.5,0]"] * 2000) + "]}\n"
    with journal.open("a") as file:
        file.write(run + rows * 300)
    facts = journal.stat()
    clock = time.perf_counter()
    assert count_targets(journal, facts.st_mtime_ns, facts.st_size) == 1
    assert time.perf_counter() - clock < 5
