"""Where to look: jumps, rests after a loss, gaps, and what the check backwards finds."""

import numpy as np
import pytest

from siamtrack.studio.doubts import FLAT, check_name, check_segments, doubts
from siamtrack.studio.project import Project
from siamtrack.studio.timeline import KEY, NOTHING, Table, segments
from tests.studio.test_project import MODEL

TOTAL = 120


def moving(total=TOTAL, speed=3.0):
    """A box that moves on and on, found by run 0 from a key in the first frame."""
    rows = np.tile([0.0, 10.0, 40.0, 40.0, 0.9, 0.0], (total, 1))
    rows[:, 0] = speed * np.arange(total)
    owner = np.zeros(total, np.int64)
    owner[0] = KEY
    return Table(rows, owner, np.ones(total, np.int64))


def nothing(total=TOTAL):
    return Table(np.full((total, 6), np.nan), np.full(total, NOTHING), np.zeros(total, np.int64))


def found(known, check=None):
    return [
        (each.first, each.last, each.why)
        for each in doubts(known, check or nothing(len(known.owner)))
    ]


def test_a_steady_track_is_not_doubted():
    assert found(moving()) == []
    assert found(moving(speed=0.0)) == []  # a parked car
    assert found(nothing()) == []
    assert found(nothing(1)) == []


def test_the_tracker_s_own_doubts_are_joined_where_they_are_near():
    known = moving()
    known.rows[20:24, 5] = 1
    known.rows[27, 5] = 2
    known.rows[60, 5] = 1
    assert found(known) == [(20, 27, "lost"), (60, 60, "uncertain")]


def test_jumps_of_place_and_of_size():
    known = moving()
    known.rows[50:, 1] += 30
    known.rows[80:, 2:4] *= 1.4
    assert found(known) == [(50, 50, "jump"), (80, 80, "jump")]


def test_a_camera_that_shakes_all_the_time_is_no_jump():
    known = moving()
    known.rows[::2, 1] += 20
    assert found(known) == []


def test_a_box_that_rests_after_a_loss_is_doubted_though_its_score_is_high():
    """As on the rabbit of Big Buck Bunny: the box stays on a rock for 60 frames."""
    known = moving()
    known.rows[40:43, 5] = 2
    known.rows[43:103, 0] = known.rows[43, 0] + np.sin(np.arange(60))
    known.rows[103:, 0] = known.rows[102, 0] + 3 * np.arange(1, 18)
    (lost, flat) = found(known)
    assert lost == (40, 42, "lost")
    assert flat[2] == "flat"
    assert flat[0] <= 45
    assert 100 <= flat[1] <= 105


def test_a_rest_is_not_doubted_without_a_loss_or_of_what_always_rested_or_that_was_set_by_hand():
    known = moving()
    known.rows[43:, 0] = known.rows[43, 0]
    assert found(known) == []
    known.rows[40:43, 5] = 2
    known.owner[44] = KEY
    assert found(known) == [(40, 42, "lost")]
    still = moving(speed=0.0)
    still.rows[40:43, 5] = 2
    assert found(still) == [(40, 42, "lost")]
    short = moving(FLAT - 2)
    short.rows[3, 5] = 2
    assert found(short) == [(3, 3, "lost")]


def test_a_track_that_does_not_meet_the_next_key_frame():
    known = moving()
    known.owner[60], known.rows[60:, 1] = KEY, 100.0
    known.stamp[60:] = 2
    assert found(known) == [(59, 59, "gap")]


def segment_project():
    project = Project(TOTAL, (600, 200))
    project.draw(0, (0, 10, 40, 40))
    return project


def keep(project, part, boxes, model=MODEL):
    run = project.start_run(part, model)
    rows = [(*boxes(frame), 0.9, 0) for frame in part.frames]
    project.add_rows(run, rows)


def tables(project):
    return project.known(0, MODEL), project.known(0, check_name(MODEL))


def straight(frame):
    return (3.0 * frame, 10.0, 40.0, 40.0)


def slipped(frame):
    return straight(min(frame, 50)) if frame < 70 else (150.0, 10.0, 40.0, 40.0)


@pytest.fixture
def tracked():
    project = segment_project()
    for part in segments(project.targets[0], project.known(0, MODEL), 1, 0):
        keep(project, part, slipped)
    return project


def test_the_check_goes_from_each_key_frame_back_to_the_one_before(tracked):
    tracked.set_key(0, 80, straight(80))
    known = tracked.known(0, MODEL)
    (part,) = check_segments(tracked.targets[0], known)
    assert (part.key.frame, part.first, part.stop, part.step, part.seed) == (80, 79, 0, -1, None)
    keep(tracked, part, straight, check_name(MODEL))
    doubtful = found(*tables(tracked))
    assert (79, 79, "gap") in doubtful
    (back,) = [each for each in doubtful if each[2] == "back"]
    assert 55 <= back[0] <= 60  # three pixels a frame, until less than 0.4 overlap
    assert back[1] == 79


def test_without_a_later_key_frame_it_starts_where_the_target_was_last_tracked(tracked):
    known = tracked.known(0, MODEL)
    (part,) = check_segments(tracked.targets[0], known)
    assert (part.first, part.stop, part.seed) == (118, 0, (119, (150.0, 10.0, 40.0, 40.0)))
    # The rock stays a rock: what comes after the two part is not of the target
    keep(tracked, part, lambda frame: (150.0, 10.0, 40.0, 40.0), check_name(MODEL))
    (back,) = [each for each in found(*tables(tracked)) if each[2] == "back"]
    assert 38 <= back[0] <= 45
    assert back[1] == 118


def test_a_track_that_leads_back_to_its_key_frame_is_confirmed(tracked):
    (part,) = check_segments(tracked.targets[0], tracked.known(0, MODEL))
    keep(tracked, part, slipped, check_name(MODEL))
    assert [each for each in found(*tables(tracked)) if each[2] == "back"] == []


def test_a_rest_that_the_check_confirms_is_none(tracked):
    """As of a cyclist behind whom the camera rides, when the van that hid him has passed."""
    project = segment_project()
    for part in segments(project.targets[0], project.known(0, MODEL), 1, 0):
        run = project.start_run(part, MODEL)
        states = [2 if 40 <= frame < 50 else 0 for frame in part.frames]
        boxes = [straight(min(frame, 50)) for frame in part.frames]
        project.add_rows(
            run, [(*box, 0.9, state) for box, state in zip(boxes, states, strict=True)]
        )
    lost = (40, 49, "lost")
    assert [each[2] for each in found(*tables(project))] == ["lost", "flat"]
    (part,) = check_segments(project.targets[0], project.known(0, MODEL))
    away = {frame: (500.0, 100.0, 40.0, 40.0) for frame in range(40, 50)}
    keep(project, part, lambda f: away.get(f, straight(min(f, 50))), check_name(MODEL))
    assert found(*tables(project)) == [lost]


def test_a_correction_takes_the_marks_away_and_undo_brings_them_back(tracked):
    (part,) = check_segments(tracked.targets[0], tracked.known(0, MODEL))
    keep(tracked, part, lambda frame: (150.0, 10.0, 40.0, 40.0), check_name(MODEL))
    before = found(*tables(tracked))
    tracked.set_key(0, 0, (1, 10, 40, 40))
    assert found(*tables(tracked)) == []
    tracked.undo()
    assert found(*tables(tracked)) == before


def test_nothing_to_check():
    project = segment_project()
    assert check_segments(project.targets[0], project.known(0, MODEL)) == []
    project.set_key(0, 0, None)
    assert check_segments(project.targets[0], project.known(0, MODEL)) == []


def test_check_backwards_over_http_leaves_what_is_shown_as_it_is(client, project, movie, wait):
    box = movie[1][0].tolist()
    client.post(project + "/edits", json={"do": "draw", "frame": 0, "box": box})
    client.post(project + "/job", json={"do": "start", "direction": "forward", "frame": 0})
    wait(client, project)
    before = client.get(project + "/tracks").json()
    assert client.post(project + "/job", json={"do": "check", "frame": 0}).status_code == 200
    job = wait(client, project)
    assert (job["state"], job["check"]) == ("idle", True)
    assert job["done"] == job["total"] > 5
    assert client.get(project + "/tracks").json() == before
    told = client.get(project + "/doubts").json()
    assert (told["model"], [number for number, _ in told["doubts"]]) == ("lite", [0])
    assert not [each for each in told["doubts"][0][1] if each[2] == "back"]
    assert client.get(project + "/tracks?model=lite%0A(check)").status_code == 400


def test_a_wrong_track_is_found_out_by_the_check(client, project, movie, wait):
    """A person sets the last key frame on the moving target, the first beside it."""
    boxes = movie[1]
    beside = [150.0, 20.0, float(boxes[0][2]), float(boxes[0][3])]
    client.post(project + "/edits", json={"do": "draw", "frame": 0, "box": beside})
    client.post(project + "/job", json={"do": "start", "direction": "forward", "frame": 0})
    wait(client, project)
    last = len(boxes) - 1
    change = {"do": "key", "target": 0, "frame": last, "box": boxes[last].tolist()}
    client.post(project + "/edits", json=change)
    client.post(project + "/job", json={"do": "check", "frame": 0})
    assert wait(client, project)["done"] == last - 1
    ((_, told),) = client.get(project + "/doubts").json()["doubts"]
    back = [each for each in told if each[2] == "back"]
    assert sum(last - first + 1 for first, last, _ in back) > 8
