import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siamtrack.studio.project import MOST_TARGETS, Project
from siamtrack.studio.timeline import ABSENT, KEY, NOTHING, Segment, by_frame, segments, stale

MODEL = "lite"
TOTAL = 30


@pytest.fixture
def project():
    return Project(TOTAL, (100, 80))


def pretend(project, target, step, frame, mark=0.5, limit=None, bounds=None):
    """Track as a job does, with boxes that tell who found them: the score is `mark`."""
    done = []
    known = project.known(target, MODEL)
    for part in segments(project.targets[target], known, step, frame, bounds):
        run = project.start_run(part, MODEL)
        for index in part.frames:
            if limit is not None and len(done) >= limit:
                return done
            project.add_rows(run, [(float(index), 1.0, 10.0, 10.0, mark, 0)])
            done.append(index)
    return done


def scores(project, target=0):
    return project.known(target, MODEL).rows[:, 4]


def known_frames(project, target=0):
    return np.flatnonzero(np.isfinite(scores(project, target))).tolist()


def test_draw_and_track_both_ways(project):
    assert project.draw(10, (1, 2, 30, 20)) == 0
    assert known_frames(project) == [10]
    assert pretend(project, 0, 1, 10) == list(range(11, 30))
    assert pretend(project, 0, -1, 10) == list(range(9, -1, -1))
    assert known_frames(project) == list(range(30))
    known = project.known(0, MODEL)
    assert known.owner[10] == KEY
    np.testing.assert_array_equal(known.rows[4], [4, 1, 10, 10, 0.5, 0])


def test_tracking_again_does_nothing(project):
    project.draw(10, (1, 2, 30, 20))
    pretend(project, 0, 1, 10)
    assert pretend(project, 0, 1, 10) == []
    assert pretend(project, 0, 1, 25) == []


def test_stopped_tracking_goes_on_where_it_was(project):
    project.draw(0, (1, 2, 30, 20))
    assert pretend(project, 0, 1, 0, limit=5) == [1, 2, 3, 4, 5]
    (part,) = segments(project.targets[0], project.known(0, MODEL), 1, 3)
    assert (part.first, part.stop, part.prior) == (6, 30, (5.0, 1.0, 10.0, 10.0))


def test_a_correction_hides_only_what_depended_on_the_old_state(project):
    project.draw(5, (1, 2, 30, 20))
    pretend(project, 0, 1, 5, mark=0.5)
    pretend(project, 0, -1, 5, mark=0.5)
    before = project.known(0, MODEL)
    project.set_key(0, 15, (3, 3, 20, 20))
    after = project.known(0, MODEL)
    assert known_frames(project) == list(range(16))
    assert stale(before, after, 15) == {1: (16, 29)}
    assert pretend(project, 0, 1, 15, mark=0.9) == list(range(16, 30))
    assert (scores(project)[:15] != 0.9).all()
    assert (scores(project)[16:] == 0.9).all()


def test_changing_the_first_key_hides_everything(project):
    project.draw(5, (1, 2, 30, 20))
    pretend(project, 0, 1, 5)
    pretend(project, 0, -1, 5)
    before = project.known(0, MODEL)
    project.set_key(0, 5, (2, 2, 30, 20))
    assert known_frames(project) == [5]
    assert stale(before, project.known(0, MODEL), 5) == {1: (6, 29), -1: (0, 4)}


def test_undo_and_redo_bring_tracks_back(project):
    project.draw(5, (1, 2, 30, 20))
    pretend(project, 0, 1, 5, mark=0.5)
    project.set_key(0, 15, (3, 3, 20, 20))
    pretend(project, 0, 1, 15, mark=0.9)
    old = scores(project).copy()
    assert project.undo()
    assert known_frames(project) == list(range(5, 30))
    assert (scores(project)[6:] == 0.5).all()
    assert project.redo()
    np.testing.assert_array_equal(scores(project), old)
    assert not project.redo()


def test_undo_of_one_target_leaves_the_other_tracked(project):
    project.draw(0, (1, 2, 30, 20))
    project.draw(0, (40, 2, 30, 20))
    pretend(project, 0, 1, 0)
    pretend(project, 1, 1, 0)
    project.undo()
    assert [target.id for target in project.shown()] == [0]
    assert known_frames(project) == list(range(30))
    project.redo()
    assert known_frames(project, 1) == list(range(30))


def test_backwards_from_a_correction_replaces_what_an_older_key_gave(project):
    project.draw(0, (1, 2, 30, 20))
    pretend(project, 0, 1, 0, mark=0.5)
    project.set_key(0, 20, (3, 3, 20, 20))
    assert pretend(project, 0, -1, 20, mark=0.9, limit=4) == [19, 18, 17, 16]
    assert scores(project)[15] == 0.5
    assert scores(project)[16] == 0.9
    assert pretend(project, 0, -1, 20, mark=0.9) == list(range(15, 0, -1))


def test_elsewhere_than_on_a_key_nothing_known_is_replaced(project):
    project.draw(0, (1, 2, 30, 20))
    pretend(project, 0, 1, 0)
    project.set_key(0, 20, (3, 3, 20, 20))
    pretend(project, 0, 1, 20)
    for frame in (5, 19, 21, 29):
        assert pretend(project, 0, -1, frame) == []


def test_absent_until_the_next_key(project):
    project.draw(0, (1, 2, 30, 20))
    pretend(project, 0, 1, 0)
    project.set_key(0, 10, None)
    project.set_key(0, 20, (5, 5, 20, 20))
    known = project.known(0, MODEL)
    assert (known.owner[10:20] == ABSENT).all()
    assert known_frames(project) == [*range(10), 20]
    assert pretend(project, 0, 1, 10) == list(range(21, 30))
    assert pretend(project, 0, -1, 20) == list(range(19, 10, -1))  # a person may know better
    assert known.owner[10] == ABSENT


def test_a_key_taken_back(project):
    project.draw(0, (1, 2, 30, 20))
    pretend(project, 0, 1, 0, mark=0.5)
    project.set_key(0, 10, (5, 5, 20, 20))
    project.remove_key(0, 10)
    assert (scores(project)[1:] == 0.5).all()
    with pytest.raises(ValueError, match="only key"):
        project.remove_key(0, 0)
    with pytest.raises(ValueError, match="no key at frame 3"):
        project.remove_key(0, 3)


def test_rows_that_an_edit_has_overtaken_do_not_count(project):
    project.draw(0, (1, 2, 30, 20))
    (part,) = segments(project.targets[0], project.known(0, MODEL), 1, 0)
    run = project.start_run(part, MODEL)
    project.add_rows(run, [(0.0, 1.0, 10.0, 10.0, 0.5, 0)] * 5)
    project.set_key(0, 3, (1, 2, 30, 20))
    assert project.wants(part, 2)
    assert not project.wants(part, 3)
    assert not project.wants(part, 9)
    project.add_rows(run, [(0.0, 1.0, 10.0, 10.0, 0.5, 0)] * 5)
    assert known_frames(project) == [0, 1, 2, 3]
    project.remove(0)
    assert not project.wants(part, 2)


def test_bounds_keep_tracking_near(project):
    project.draw(10, (1, 2, 30, 20))
    assert pretend(project, 0, 1, 10, bounds=(0, 14)) == [11, 12, 13, 14]
    assert pretend(project, 0, -1, 10, bounds=(8, 29)) == [9, 8]


def test_models_do_not_mix(project):
    project.draw(0, (1, 2, 30, 20))
    pretend(project, 0, 1, 0)
    assert np.isfinite(project.known(0, "other").rows[:, 0]).sum() == 1


def test_names_and_colors(project):
    project.draw(0, (1, 2, 30, 20))
    project.rename(0, name="  red \n car ", color="#FF0000")
    assert (project.targets[0].name, project.targets[0].color) == ("red car", "#ff0000")
    project.undo()
    assert project.targets[0].name == "Target 1"
    for wrong in ({"name": " \t"}, {"color": "red"}, {"color": "#12345"}):
        with pytest.raises(ValueError, match=r"name|color"):
            project.rename(0, **wrong)


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 0), (1, 1, -5, 5), (float("nan"), 0, 5, 5), (200, 0, 5, 5), (1, 1, 1, 40)]
)
def test_boxes_that_are_none(project, box):
    with pytest.raises(ValueError, match="box"):
        project.draw(0, box)
    assert not project.targets
    assert not project.can_undo


def test_boxes_are_cut_at_the_frame(project):
    project.draw(0, (-10, -10, 500, 30))
    assert project.targets[0].keys[0].box == (0, 0, 100, 20)


def test_wrong_targets_and_frames(project):
    with pytest.raises(ValueError, match="frame 30"):
        project.draw(30, (1, 1, 9, 9))
    with pytest.raises(ValueError, match="no target 4"):
        project.set_key(4, 0, None)
    project.draw(0, (1, 1, 9, 9))
    project.remove(0)
    with pytest.raises(ValueError, match="removed"):
        project.rename(0, name="x")
    assert not Project(3, (9, 9)).undo()


def test_too_many_targets(project):
    for _ in range(MOST_TARGETS):
        project.draw(0, (1, 1, 9, 9))
    with pytest.raises(ValueError, match="enough"):
        project.draw(0, (1, 1, 9, 9))


def test_frames_of_several_targets_go_together(project):
    key = None
    parts = [
        Segment(0, key, 1, 3, 6, (0, 0, 9, 9)),
        Segment(1, key, 1, 5, 8, (0, 0, 9, 9)),
    ]
    frames = [(index, sorted(who)) for index, who in by_frame(parts, 1)]
    assert frames == [(3, [0]), (4, [0]), (5, [0, 1]), (6, [1]), (7, [1])]


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "draw",
                "key",
                "absent",
                "unkey",
                "remove",
                "forward",
                "backward",
                "undo",
                "redo",
                "rename",
                "classify",
                "class",
                "unclass",
            ]
        ),
        st.integers(0, 2),
        st.integers(0, TOTAL - 1),
        st.integers(1, 12),
    ),
    max_size=25,
)


def play(project, actions):
    """Do what people do; what cannot be done is refused and changes nothing."""
    for kind, target, frame, extra in actions:
        try:
            if kind == "draw":
                project.draw(frame, (extra, extra, 20, 20))
            elif kind == "key":
                project.set_key(target, frame, (extra, 1, 20, 20))
            elif kind == "absent":
                project.set_key(target, frame, None)
            elif kind == "unkey":
                project.remove_key(target, frame)
            elif kind == "remove":
                project.remove(target)
            elif kind == "rename":
                project.rename(target, name=f"name {extra}")
            elif kind == "classify":
                project.classify(target, f"class {extra % 3}")
            elif kind == "class":
                project.set_class(f"class {extra % 3}" if frame % 2 else None, f"class {target}")
            elif kind == "unclass":
                project.remove_class(f"class {target}")
            elif kind in ("undo", "redo"):
                getattr(project, kind)()
            elif target in project.targets:
                pretend(project, target, 1 if kind == "forward" else -1, frame, limit=extra)
        except ValueError:
            continue


@settings(max_examples=150, deadline=None)
@given(ACTIONS)
def test_events_played_again_give_the_same_project(actions):
    """The journal is the project: after any history, its events lead to the same state."""
    events: list[dict] = []
    project = Project(TOTAL, (100, 80), events.append)
    play(project, actions)
    again = Project(TOTAL, (100, 80))
    for event in events:
        again.apply(event)
    assert (again.targets, again.classes) == (project.targets, project.classes)
    assert (again.can_undo, again.can_redo) == (project.can_undo, project.can_redo)
    for number in project.targets:
        mine, theirs = project.known(number, MODEL), again.known(number, MODEL)
        np.testing.assert_array_equal(mine.rows, theirs.rows)
        np.testing.assert_array_equal(mine.owner, theirs.owner)
        rules(project.targets[number], mine, project)


def rules(target, known, project):
    """What must hold of every table."""
    for frame in range(TOTAL):
        owner = known.owner[frame]
        if frame in target.keys:
            assert owner == (ABSENT if target.keys[frame].box is None else KEY)
        elif owner >= 0:
            run = project.runs[owner]
            assert run.holds(target)
            low, high = sorted((run.origin, frame))
            assert not any(low < key < high for key in target.keys)
            assert known.stamp[frame] == target.keys[run.origin].stamp
        elif owner == NOTHING:
            assert np.isnan(known.rows[frame]).all()
