"""Classes of targets: the project's list, undo, the journal, and what older journals say."""

import json

import pytest

from siamtrack.studio.journal import FORMAT, NAME, Journal
from siamtrack.studio.project import PALETTE, Project
from tests.studio.conftest import open_project

SIZE = (100, 80)
BOX = (1, 2, 30, 20)


@pytest.fixture
def project():
    made = Project(30, SIZE)
    made.draw(0, BOX)
    made.draw(0, BOX)
    return made


def labels(project):
    return [target.label for target in project.shown()]


def test_a_class_is_made_as_it_is_given_in_one_step_of_undo(project):
    project.classify(0, "  red \n car ")
    assert project.classes == {"red car": PALETTE[0]}
    assert labels(project) == ["red car", ""]
    project.classify(1, "red car")
    project.classify(1, None)
    assert labels(project) == ["red car", ""]
    for _ in range(3):
        project.undo()
    assert (project.classes, labels(project)) == ({}, ["", ""])
    project.redo()
    assert (list(project.classes), labels(project)) == (["red car"], ["red car", ""])


def test_drawing_with_a_class_is_one_step(project):
    assert project.draw(3, BOX, None, "dog") == 2
    assert (labels(project)[2], list(project.classes)) == ("dog", ["dog"])
    project.undo()
    assert (len(project.shown()), project.classes) == (2, {})


def test_targets_follow_a_class_that_is_renamed_and_leave_one_that_is_removed(project):
    for name in ("car", "dog", "bird"):
        project.set_class(None, name)
    project.classify(0, "dog")
    project.set_class("dog", "hound", "#ABCDEF")
    assert list(project.classes.items())[1] == ("hound", "#abcdef")
    assert list(project.classes) == ["car", "hound", "bird"]
    assert labels(project) == ["hound", ""]
    project.set_class("hound", None, "#000000")
    assert (project.classes["hound"], labels(project)[0]) == ("#000000", "hound")
    project.remove_class("hound")
    assert (list(project.classes), labels(project)) == (["car", "bird"], ["", ""])
    project.undo()
    assert (list(project.classes), labels(project)[0]) == (["car", "hound", "bird"], "hound")


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda p: p.set_class(None, None), "at least one letter"),
        (lambda p: p.set_class(None, "\t"), "at least one letter"),
        (lambda p: p.set_class(None, "car"), "already"),
        (lambda p: p.set_class("dog", "x"), "renamed or removed"),
        (lambda p: p.remove_class("dog"), "renamed or removed"),
        (lambda p: p.set_class("car", None, "red"), "#rrggbb"),
        (lambda p: p.classify(7, "car"), "no target 7"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(project, call, text):
    project.set_class(None, "car")
    before = (project.revision, dict(project.classes), labels(project))
    with pytest.raises(ValueError, match=text):
        call(project)
    assert (project.revision, project.classes, labels(project)) == before


def test_too_many_classes(project):
    for number in range(200):
        project.set_class(None, str(number))
    with pytest.raises(ValueError, match="enough"):
        project.classify(0, "one more")
    project.classify(0, "7")


def test_the_short_form_keeps_classes_and_their_undo(project):
    project.classify(0, "car")
    project.set_class("car", "lorry")
    short = Project(30, SIZE)
    for event in json.loads(json.dumps(list(project.compact()))):
        short.apply(event)
    assert (short.classes, short.targets) == (project.classes, project.targets)
    short.undo()
    assert (list(short.classes), labels(short)) == (["car"], ["car", ""])


def test_a_page_gives_classes_and_a_restart_remembers_them(serve, movie, tmp_path):
    first = serve(movie[0])
    project = open_project(first)

    def edit(**change):
        answer = first.post(project + "/edits", json=change)
        assert answer.status_code == 200, answer.text
        return answer.json()["project"]

    edit(do="draw", frame=0, box=[10, 10, 40, 40], **{"class": "person"})
    found = edit(do="class", name="car", color="#00ff00")
    assert found["classes"] == [["person", PALETTE[0]], ["car", "#00ff00"]]
    assert found["targets"][0]["class"] == "person"
    edit(**{"do": "class", "class": "person", "name": "cyclist"})
    edit(do="classify", target=0, **{"class": "car"})
    edit(**{"do": "unclass", "class": "cyclist"})
    answer = first.post(project + "/edits", json={"do": "classify", "target": 0, "class": 3})
    assert (answer.status_code, "expected text" in answer.text) == (400, True)
    first.__exit__(None, None, None)
    second = serve(movie[0])
    again = second.get(open_project(second)).json()
    assert again["classes"] == [["car", "#00ff00"]]
    assert again["targets"][0]["class"] == "car"
    second.post(project + "/edits", json={"do": "undo"})
    again = second.get(project).json()
    assert [name for name, _ in again["classes"]] == ["cyclist", "car"]


def test_a_journal_from_before_there_were_classes_is_read(tmp_path):
    """Format 2, as written by version 0.1: in full, and in its short form."""
    key = {"do": "key", "target": 0, "frame": 0, "box": [1, 2, 30, 20], "stamp": 1}
    target = {"do": "target", "target": 0, "name": "dog", "colour": "#ff0000"}
    long = [{"do": "edit", "events": [target, key]}]
    state = {
        "do": "state",
        "revision": 1,
        "stamp": 1,
        "runs": 0,
        "undone": [],
        "done": [[[target, key], [{"do": "gone", "target": 0, "gone": True}]]],
        "targets": [
            {"target": 0, "name": "dog", "colour": "#ff0000", "gone": False, "keys": [key]}
        ],
    }
    for number, events in enumerate((long, [state])):
        folder = tmp_path / str(number)
        folder.mkdir()
        lines = [{"studio": 2, "name": "a"}, *events]
        (folder / NAME).write_text("".join(json.dumps(line) + "\n" for line in lines))
        journal, _, found = Journal.reopen(folder)
        project = Project(30, SIZE, journal.write)
        for event in found:
            project.apply(event)
        target = project.targets[0]
        assert (target.name, target.label, target.color) == ("dog", "", "#ff0000")
        project.classify(0, "animal")
        journal.compact(project.compact())
        journal.close()
        again, head, found = Journal.reopen(folder)
        again.close()
        assert head["studio"] == FORMAT
        assert found[0]["targets"][0]["class"] == "animal"
