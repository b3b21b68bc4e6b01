"""A project on a disk that is full: an edit is refused, and nothing of it is kept."""

import pytest


@pytest.mark.root
def test_an_edit_that_finds_no_room_is_refused_and_changes_nothing(serve, movie, disk):
    folder, boxes = movie
    home = disk.place / "projects"
    client = serve(folder, home=home)
    (found,) = client.get("/api/studio").json()["clips"]
    project = (
        f"/api/projects/{client.post('/api/open', json={'clip': found['id']}).json()['project']}"
    )
    edits = project + "/edits"
    draw = {"do": "draw", "frame": 0, "box": boxes[0].tolist()}
    assert client.post(edits, json=draw).status_code == 200
    disk.leave(0)
    done = 0
    while True:
        order = {"do": "rename", "target": 0, "name": f"{done:03d}" + "x" * 30}
        answer = client.post(edits, json=order)
        if answer.status_code != 200:
            break
        done += 1
        assert done < 200
    assert answer.status_code == 507
    assert "what was done before is kept: make room" in answer.json()["error"]
    (target,) = client.get(project).json()["targets"]
    assert target["name"] == f"{done - 1:03d}" + "x" * 30
    disk.empty()
    assert client.post(edits, json={**draw, "frame": 1}).json()["result"] == 1
    before = client.get(project).json()
    client.__exit__(None, None, None)

    again = serve(folder, home=home)
    after = again.get(project).json()
    assert after["targets"] == before["targets"]
    assert [target["id"] for target in after["targets"]] == [0, 1]
