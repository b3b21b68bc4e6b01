"""A project of the studio, damaged at random: it opens, or a `ProjectError` says what is wrong."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamtrack.errors import VideoError
from siamtrack.studio.journal import NAME, Journal, ProjectError, read_head
from siamtrack.studio.library import Library, Models
from siamtrack.studio.session import Sessions
from tests.fuzz.harness import CHANGES, case, changed, fuzz
from tests.helpers import clip, write_video

pytestmark = pytest.mark.needs("starlette")


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """A library with one project, its id and its journal's bytes."""
    home = tmp_path_factory.mktemp("home")
    movies = tmp_path_factory.mktemp("movies")
    write_video(movies / "clip.mp4", clip(6)[0])
    library = Library([movies], home)
    sessions = Sessions(library, Models(["lite"], threads=1))
    session = sessions.open(library.clips()[0].id)
    project = session.project
    project.draw(0, (10, 10, 30, 30))
    project.set_key(0, 3, (12, 12, 30, 30))
    project.set_key(0, 4, None)
    project.rename(0, name="a")
    project.undo()
    project.draw(1, (50, 50, 20, 20))
    project.redo()
    path = home / session.id / NAME
    long = path.read_bytes()
    session.journal.compact(project.compact())
    project.rename(0, name="b")
    sessions.close()
    return library, session.id, path, (long, path.read_bytes())


@pytest.mark.parametrize("compacted", [False, True])
def test_journals(opened, compacted):
    library, number, path, kinds = opened
    data = kinds[compacted]

    @fuzz
    @given(changes=CHANGES)
    def run(changes):
        path.write_bytes(changed(data, changes))
        # a path that was cut short may lead to a folder, or to no video
        with case("studio project", ProjectError, LookupError, VideoError):
            read_head(path.parent)
            library.folders()
            sessions = Sessions(library, Models(["lite"], threads=1))
            try:
                sessions.get(number).summary()
            finally:
                sessions.close()

    run()


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.sampled_from(["do", "target", "frame", "box", "events", "rows", "run"]), inner
        )
    ),
    max_leaves=10,
)
EVENT = st.fixed_dictionaries(
    {"do": st.sampled_from(["edit", "rows", "run", "undo", "redo", "key"]) | VALUE},
    optional={
        "events": st.lists(
            st.fixed_dictionaries(
                {
                    "do": st.sampled_from(["target", "gone", "rename", "key", "unkey"]),
                    "target": st.integers(0, 2),
                },
                optional={
                    "name": VALUE,
                    "color": VALUE,
                    "colour": VALUE,
                    "frame": VALUE,
                    "box": VALUE,
                    "stamp": VALUE,
                    "gone": VALUE,
                },
            ),
            max_size=3,
        )
        | VALUE,
        "run": VALUE,
        "rows": VALUE,
        "target": VALUE,
        "model": VALUE,
        "origin": VALUE,
        "stamp": VALUE,
        "first": VALUE,
        "step": VALUE,
    },
)


def test_events_of_any_form(opened):
    library, number, path, (_, data) = opened

    @fuzz
    @given(events=st.lists(EVENT, min_size=1, max_size=3))
    def run(events):
        lines = b"".join(json.dumps(event).encode() + b"\n" for event in events)
        path.write_bytes(data + lines)
        with case("studio events", ProjectError, LookupError):
            sessions = Sessions(library, Models(["lite"], threads=1))
            try:
                session = sessions.get(number)
                session.summary()
                session.tracks("lite")
            finally:
                sessions.close()

    run()


@fuzz
@given(changes=CHANGES)
def test_half_written_lines(tmp_path_factory, changes):
    """Whatever follows the last whole line is dropped, and what comes then is read again."""
    folder = tmp_path_factory.mktemp("journal")
    journal = Journal.create(folder, {"name": "a"})
    journal.write({"do": "undo"})
    journal.close()
    with (folder / NAME).open("ab") as file:
        file.write(changed(b'{"do":"edit","events":[]}', changes).replace(b"\n", b""))
    with case("half a line in a journal"):
        again, _, events = Journal.reopen(folder)
        again.write({"do": "redo"})
        again.close()
        assert events == [{"do": "undo"}]
        journal, _, events = Journal.reopen(folder)
        journal.close()
        assert events == [{"do": "undo"}, {"do": "redo"}]


@pytest.mark.parametrize("key", ["name", "size"])
def test_a_head_that_lacks_a_key_is_damage(opened, key):
    library, number, path, (data, _) = opened
    head, _, rest = data.partition(b"\n")
    kept = {name: value for name, value in json.loads(head).items() if name != key}
    path.write_bytes(json.dumps(kept).encode() + b"\n" + rest)
    sessions = Sessions(library, Models(["lite"], threads=1))
    try:
        with pytest.raises(ProjectError, match=r"is damaged .*restore it from a copy"):
            sessions.get(number)
    finally:
        sessions.close()
        path.write_bytes(data)
