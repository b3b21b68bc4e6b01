"""A journal is made short without losing anything, whatever moment the server is killed at."""

import json
import os
import signal
import sys

import numpy as np
import pytest
from hypothesis import given, settings

from siamtrack.studio import journal as journals
from siamtrack.studio.events import MOST_STEPS
from siamtrack.studio.journal import NAME, Journal, ProjectError
from siamtrack.studio.project import Project
from tests.studio.conftest import open_project
from tests.studio.test_project import ACTIONS, MODEL, TOTAL, known_frames, play, pretend, rules

SIZE = (100, 80)


def again(events):
    project = Project(TOTAL, SIZE)
    for event in json.loads(json.dumps(list(events))):
        project.apply(event)
    return project


def same(one, other):
    assert (one.targets, one.classes) == (other.targets, other.classes)
    assert (one.can_undo, one.can_redo, one.revision) == (
        other.can_undo,
        other.can_redo,
        other.revision,
    )
    for number in one.targets:
        mine, theirs = one.known(number, MODEL), other.known(number, MODEL)
        np.testing.assert_array_equal(mine.rows, theirs.rows)
        np.testing.assert_array_equal(mine.owner, theirs.owner)
        np.testing.assert_array_equal(mine.stamp, theirs.stamp)


@settings(max_examples=120, deadline=None)
@given(ACTIONS, ACTIONS)
def test_the_short_form_is_the_same_project_and_stays_so(before, after):
    """Also when people go on: undo and redo beyond the compaction give what they would have."""
    long, events = Project(TOTAL, SIZE), []
    play(long, before)
    short = again(long.compact())
    same(long, short)
    short._record = events.append
    play(long, after)
    play(short, after)
    same(long, short)
    while long.undo():
        assert short.undo()
        same(long, short)
    while long.redo():
        short.redo()
    same(long, short)
    kept = [event["run"] for event in long.compact() if event["do"] == "run"]
    long.forget(kept)
    same(long, short)
    for number in long.targets:
        rules(long.targets[number], long.known(number, MODEL), long)


def test_what_was_tracked_again_and_cannot_come_back_is_dropped():
    project = Project(TOTAL, SIZE)
    project.draw(0, (1, 1, 20, 20))
    for round in range(MOST_STEPS + 50):
        project.set_key(0, 0, (1, 1, 20 + round % 7, 20))
        pretend(project, 0, 1, 0)
    runs = [event for event in project.compact() if event["do"] == "run"]
    assert len(project.runs) == MOST_STEPS + 50
    assert MOST_STEPS <= len(runs) <= MOST_STEPS + 1
    same(project, again(project.compact()))
    undone = 0
    while project.undo():
        undone += 1
    assert undone == MOST_STEPS
    assert known_frames(project) == list(range(TOTAL))


def test_rows_of_a_run_that_was_forgotten_are_ignored():
    project = Project(TOTAL, SIZE)
    project.draw(0, (1, 1, 20, 20))
    pretend(project, 0, 1, 0)
    (run,) = project.runs.values()
    project.forget([])
    project.add_rows(run, [(1.0, 1.0, 9.0, 9.0, 0.5, 0)])
    assert known_frames(project) == [0]


@pytest.mark.parametrize(
    "event",
    [
        {"do": "state"},
        {"do": "state", "targets": [], "revision": "x"},
        {
            "do": "state",
            "targets": [],
            "revision": 0,
            "stamp": 0,
            "runs": 0,
            "undone": [],
            "done": [[[{"do": "key", "target": 3}], []]],
        },
    ],
)
def test_a_damaged_state_is_an_error(event):
    with pytest.raises((LookupError, ValueError)):
        Project(TOTAL, SIZE).apply(event)


# the file


@pytest.fixture
def quick(monkeypatch):
    """Do not wait for the disk: a killed process loses nothing that it has written."""
    monkeypatch.setattr(os, "fsync", lambda number: None)


def filled(folder):
    """A journal whose project was drawn, tracked and corrected."""
    journal = Journal.create(folder, {"name": "a"})
    project = Project(TOTAL, SIZE, journal.write)
    project.draw(0, (1, 1, 20, 20))
    pretend(project, 0, 1, 0, limit=6)
    for size in (18, 20):
        project.set_key(0, 0, (2, 2, size, 20))
        project.undo()
    pretend(project, 0, -1, 5, limit=2)
    for _ in range(3):
        project.set_key(0, 2, (3, 3, 20, 20))
        pretend(project, 0, 1, 2, limit=3)
        project.remove_key(0, 2)
    return journal, project


def reopened(folder):
    journal, head, events = Journal.reopen(folder)
    journal.close()
    return head, again(events)


def test_compacted_and_gone_on_with(tmp_path):
    journal, project = filled(tmp_path)
    before = (tmp_path / NAME).stat().st_size
    journal.compact(project.compact())
    assert (tmp_path / NAME).stat().st_size < before
    with pytest.raises(ProjectError, match="another studio"):
        Journal.reopen(tmp_path)
    project.rename(0, name="later")
    journal.close()
    head, found = reopened(tmp_path)
    assert head["name"] == "a"
    same(project, found)
    assert found.targets[0].name == "later"
    assert sorted(path.name for path in tmp_path.iterdir()) == [NAME]


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    journal, project = filled(tmp_path)
    before = (tmp_path / NAME).read_bytes()

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        journal.compact(project.compact())
    monkeypatch.undo()
    assert (tmp_path / NAME).read_bytes() == before
    project.rename(0, name="later")
    journal.close()
    same(project, reopened(tmp_path)[1])
    assert sorted(path.name for path in tmp_path.iterdir()) == [NAME]


@pytest.mark.parametrize("compacted", [False, True])
def test_cut_off_at_every_byte(compacted, tmp_path, quick):
    """What is left is a whole number of events, or an error; a short form is whole or an error."""
    journal = Journal.create(tmp_path, {"name": "a"})
    project = Project(TOTAL, SIZE, journal.write)
    project.draw(0, (1, 1, 20, 20))
    pretend(project, 0, 1, 0, limit=2)
    if compacted:
        journal.compact(project.compact())
        project.rename(0, name="b")
    journal.close()
    path = tmp_path / NAME
    data = path.read_bytes()
    lines = data.split(b"\n")[:-1]
    least = json.loads(lines[0]).get("lines", 1)
    assert (least > 1) == compacted
    for length in range(len(data)):
        path.write_bytes(data[:length])
        whole = data[:length].count(b"\n")
        if whole < least:
            with pytest.raises(ProjectError, match="damaged"):
                Journal.reopen(tmp_path)
            continue
        found, _, events = Journal.reopen(tmp_path)
        found.close()
        assert events == [json.loads(line) for line in lines[1:whole]]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a child of its own")
def test_killed_between_any_two_steps(tmp_path, quick):
    """A child is killed before each line that compaction runs, in turn; nothing is ever lost."""
    steps, done = 0, False
    while not done:
        folder = tmp_path / str(steps)
        folder.mkdir()
        journal, project = filled(folder)
        child = os.fork()
        if child == 0:
            killed_at(steps, lambda: journal.compact(project.compact()))  # noqa: B023
        done = os.waitpid(child, 0)[1] == 0
        journal.close()
        head, found = reopened(folder)
        assert head["name"] == "a"
        same(project, found)
        again_journal, _, events = Journal.reopen(folder)  # and it can be compacted the next time
        again_journal.compact(again(events).compact())
        again_journal.close()
        same(project, reopened(folder)[1])
        assert [path.name for path in folder.iterdir()] == [NAME]
        steps += 1
    assert steps > 20


def killed_at(step, work):
    """Run in a child: kill it before the line of `journal.py` with the number `step` is run."""
    left = step

    def trace(frame, event, _):
        nonlocal left
        if frame.f_code.co_filename != journals.__file__:
            return None
        if event == "line":
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
        return trace

    sys.settrace(trace)
    try:
        work()
        os._exit(0)
    finally:
        os._exit(1)


def test_an_open_project_compacts_when_it_has_grown(serve, movie, tmp_path):
    client = serve(movie[0], journal=2000)
    project = open_project(client)
    path = tmp_path / "projects" / project.rsplit("/", 1)[1] / NAME
    body = {"do": "draw", "frame": 0, "box": [1, 1, 20, 20]}
    client.post(project + "/edits", json=body)
    for k in range(60):
        client.post(project + "/edits", json={"do": "rename", "target": 0, "name": f"name {k}"})
    assert b'"do":"state"' in path.read_bytes()
    before = client.get(project).json()
    client.__exit__(None, None, None)
    client.app.state.sessions.close()
    after = client.get(project).json()
    assert (after["targets"], after["undo"]) == (before["targets"], True)
    client.app.state.sessions.close()


def test_a_project_that_has_grown_is_compacted_when_it_is_opened(
    serve, client, project, movie, tmp_path
):
    path = tmp_path / "projects" / project.rsplit("/", 1)[1] / NAME
    for k in range(20):
        client.post(project + "/edits", json={"do": "draw", "frame": 0, "box": [k, 1, 20, 20]})
    before = client.get(project).json()
    client.__exit__(None, None, None)
    again = serve(movie[0], journal=100)
    assert again.get(project).json()["targets"] == before["targets"]
    short = path.read_bytes()
    assert b'"do":"state"' in short
    again.app.state.sessions.close()
    assert again.get(project).json()["targets"] == before["targets"]
    assert path.read_bytes() == short  # nothing new: it is left as it is
    again.app.state.sessions.close()
