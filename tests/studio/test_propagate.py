"""One request of another program: boxes in, tracks out."""

import json
import threading

import numpy as np
import pytest

import siamtrack
from siamtrack.core.boxes import iou
from tests.studio.conftest import FRAMES


@pytest.fixture
def clip_id(client):
    (found,) = client.get("/api/studio").json()["clips"]
    return found["id"]


def ask(client, **values):
    answer = client.post("/api/propagate", json=values)
    return answer.status_code, [json.loads(line) for line in answer.text.splitlines()]


def test_boxes_are_those_of_the_api(client, clip_id, movie):
    folder, boxes = movie
    box = [float(side) for side in boxes[0]]
    status, rows = ask(client, clip=clip_id, frame=0, boxes=[box], redetect=False)
    assert status == 200
    assert rows.pop() == {"done": True}
    assert [row["frame"] for row in rows] == list(range(1, FRAMES))
    lite = siamtrack.load("lite", threads=1)
    tracks = siamtrack.track(folder / "clip.mp4", box=box, tracker=lite)
    expected = np.array([track.box for _, track in tracks])[1:]
    found = np.array([row["tracks"][0]["box"] for row in rows])
    np.testing.assert_allclose(found, expected, atol=0.01)
    assert rows[0]["tracks"][0]["state"] == "tracked"


def test_both_ways_and_so_many_frames(client, clip_id, movie):
    _, boxes = movie
    two = [[float(side) for side in boxes[8]], [20, 20, 30, 30]]
    _, rows = ask(client, clip=clip_id, frame=8, boxes=two, direction="both", count=3)
    assert [row["frame"] for row in rows[:-1]] == [9, 10, 11, 7, 6, 5]
    assert [track["id"] for track in rows[0]["tracks"]] == [0, 1]
    back = np.array([[rows[3 + k]["tracks"][0]["box"]] for k in range(3)]).reshape(-1, 4)
    assert iou(back, boxes[[7, 6, 5]]).mean() > 0.6
    _, rows = ask(client, clip=clip_id, frame=FRAMES - 1, boxes=two)
    assert rows == [{"done": True}]


@pytest.mark.parametrize(
    ("values", "status", "words"),
    [
        ({"boxes": []}, 400, "1 to 256 boxes"),
        ({"boxes": [[1, 2, 3]]}, 400, "left, top, width, height"),
        ({"boxes": [[1, 2, 3, "4"]]}, 400, "left, top, width, height"),
        ({"frame": -1}, 400, "whole number"),
        ({"frame": True}, 400, "whole number"),
        ({"frame": 10**6}, 400, f"frames 0 to {FRAMES - 1}"),
        ({"count": 0}, 400, "number of frames"),
        ({"direction": "up"}, 400, "forward, backward, both"),
        ({"model": "no"}, 400, "no"),
        ({"clip": 3}, 400, "the id of a clip"),
        ({"clip": "../../etc"}, 404, "no such clip"),
        ({"lenght": 3}, 400, "lenght"),
    ],
)
def test_bad_requests(client, clip_id, values, status, words):
    good = {"clip": clip_id, "frame": 0, "boxes": [[60, 70, 40, 40]]}
    found, (row,) = ask(client, **{**good, **values})
    assert found == status
    assert words in row["error"]


def test_a_box_outside_of_the_frame_is_said_in_the_last_line(client, clip_id):
    status, rows = ask(client, clip=clip_id, frame=0, boxes=[[9000, 9000, 40, 40]])
    assert status == 200
    assert "error" in rows[-1]


def test_more_than_two_at_once_are_told_to_come_again(client, clip_id):
    """And failed requests give their places back."""
    for _ in range(4):
        assert ask(client, clip=clip_id, frame=10**6, boxes=[[60, 70, 40, 40]])[0] == 400
    good = {"clip": clip_id, "frame": 0, "boxes": [[60, 70, 40, 40]]}
    statuses = []
    threads = [
        threading.Thread(target=lambda: statuses.append(ask(client, **good)[0])) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert set(statuses) <= {200, 409}
    assert statuses.count(200) >= 2
    assert ask(client, **good)[0] == 200
