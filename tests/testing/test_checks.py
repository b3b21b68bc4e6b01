"""Ours pass; each thing that is broken in one way fails in the check for that."""

from types import SimpleNamespace

import numpy as np
import pytest

import siamtrack
from siamtrack.data import Dataset, Sequence
from siamtrack.errors import UnknownNameError
from siamtrack.interop.opencv import OpenCVTracker
from siamtrack.runtimes.onnx import OnnxRuntime
from siamtrack.testing import (
    KINDS,
    CheckError,
    check_dataset,
    check_runtime,
    check_tracker,
    parametrize_with_checks,
)
from tests.helpers import clip

KEPT = siamtrack.load("lite", threads=1, precision="float32")
"""Alive, so that all trackers share its network."""


def lite():
    return siamtrack.load("lite", threads=1, precision="float32")


class Kept:
    """Frames in memory."""

    files = ()

    def __init__(self, pictures):
        self.pictures = pictures

    def missing(self):
        return ()

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, index):
        return self.pictures[index].copy()

    def __iter__(self):
        return (picture.copy() for picture in self.pictures)


def walk(frames=Kept, boxes=None):
    pictures, there = clip(4)
    return Dataset("walks", [Sequence("walk", frames(pictures), there if boxes is None else boxes)])


@parametrize_with_checks([("tracker", lite), ("runtime", OnnxRuntime), ("data set", walk())])
def test_ours_pass(check):
    check()


class Follower:
    """A tracker that passes: what the broken ones are made of."""

    def __init__(self):
        self.inner = lite()

    def init(self, frame, box):
        self.inner.init(frame, box)

    def update(self, frame):
        return self.inner.update(frame)


class NoScore(Follower):
    def update(self, frame):
        return SimpleNamespace(box=super().update(frame).box)


class Stays(Follower):
    """Reports the center instead of the left top corner."""

    def update(self, frame):
        track = super().update(frame)
        width, height = track.box[2:]
        shift = np.array([width, height, 0, 0])
        return SimpleNamespace(box=track.box + shift, score=track.score)


class Draws(Follower):
    def update(self, frame):
        found = super().update(frame)
        frame[:2] = 0
        return found


class OneBuffer(Follower):
    """Returns its own state, and changes it in place."""

    def init(self, frame, box):
        super().init(frame, box)
        self.box = np.array(box, float)

    def update(self, frame):
        found = super().update(frame)
        self.box[:] = found.box
        return SimpleNamespace(box=self.box, score=found.score)


class Dice(Follower):
    def update(self, frame):
        found = super().update(frame)
        noise = np.random.default_rng().normal(0, 1e-4, 4)
        return SimpleNamespace(box=found.box + noise, score=found.score)


class Remembers(Follower):
    """Counts frames over all targets, and drifts with them."""

    count = 0

    def update(self, frame):
        found = super().update(frame)
        self.count += 1
        shift = [0.01 * self.count, 0, 0, 0]
        return SimpleNamespace(box=found.box + shift, score=found.score)


class Shared(Follower):
    """One target for all objects of the class."""

    box = None

    def init(self, frame, box):
        super().init(frame, box)
        Shared.box = np.array(box, float)

    def update(self, frame):
        super().update(frame)
        Shared.box = self.inner.update(frame).box * 0.5 + Shared.box * 0.5
        return SimpleNamespace(box=Shared.box.copy(), score=1.0)


class Divides(Follower):
    def update(self, frame):
        assert frame.std() > 0, "no texture"
        return super().update(frame)


class Tuples(Follower):
    def init(self, frame, box):
        super().init(frame, tuple(np.floor(np.array(box))) if isinstance(box, list) else box)
        self.shift = 0.5 * isinstance(box, list)

    def update(self, frame):
        found = super().update(frame)
        return SimpleNamespace(box=found.box + self.shift, score=found.score)


class Crashes(Follower):
    def init(self, frame, box):
        if box[0] < 0:
            raise ZeroDivisionError("an empty crop")
        super().init(frame, box)


BROKEN = {
    NoScore: "returns_boxes_and_scores",
    Stays: "follows_a_target",
    Tuples: "takes_boxes_of_any_type",
    Draws: "changes_no_input",
    OneBuffer: "keeps_what_it_returned",
    Dice: "gives_the_same_results_twice",
    Remembers: "starts_again",
    Shared: "shares_no_state",
    Divides: "survives_blank_frames",
    Crashes: "takes_or_refuses_odd_boxes",
}


@pytest.mark.parametrize(
    ("broken", "check"), BROKEN.items(), ids=lambda v: getattr(v, "__name__", v)
)
def test_a_broken_tracker_fails_in_the_right_check(broken, check):
    with pytest.raises(CheckError, match=f"check '{check}'"):
        check_tracker(broken)


class Grey(Kept):
    def __getitem__(self, index):
        return self.pictures[index, ..., 0].copy()

    def __iter__(self):
        return (picture[..., 0] for picture in self.pictures)


class Given(Kept):
    def __getitem__(self, index):
        return self.pictures[index]


class Locked(Kept):
    def __init__(self, pictures):
        super().__init__(pictures)
        self.lock = lambda: None


class Ends(SimpleNamespace):
    """Sequences by position alone."""

    def __iter__(self):
        return iter(self.items)

    def __len__(self):
        return len(self.items)

    def __getitem__(self, key):
        return self.items[key if isinstance(key, int) else 0]


@pytest.mark.parametrize(
    ("dataset", "check"),
    [
        (SimpleNamespace(name="x"), "has_a_name_and_sequences"),
        (Ends(name="x", items=list(walk())), "finds_sequences"),
        (walk(boxes=clip(4)[1] + [500, 0, 0, 0]), "has_boxes_in_its_frames"),
        (walk(Grey), "gives_rgb_frames"),
        (walk(Given), "gives_frames_that_may_be_changed"),
        (walk(Locked), "goes_to_other_processes"),
    ],
)
def test_a_broken_data_set_fails_in_the_right_check(dataset, check):
    with pytest.raises(CheckError, match=f"check '{check}'"):
        check_dataset(dataset)


class Half(OnnxRuntime):
    def embed(self, template, size):
        return super().embed(template, size).astype(np.float16)


class Near(OnnxRuntime):
    def respond(self, kernel, search):
        found = super().respond(kernel, search)
        return SimpleNamespace(**{n: getattr(found, n) for n in SLOTS} | {"score": found.score + 1})


class FirstRow(OnnxRuntime):
    def respond(self, kernel, search):
        return super().respond(kernel, np.repeat(search[:1], len(search), 0))


class Buffer(OnnxRuntime):
    kept = None

    def embed(self, template, size):
        found = super().embed(template, size)
        if self.kept is None or self.kept.shape != found.shape:
            self.kept = found
        self.kept[:] = found
        return self.kept


SLOTS = ("score", "distances", "presence", "features")


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (Half, "maps_batches_to_batches"),
        (Near, "agrees_with_onnx_runtime"),
        (FirstRow, "treats_rows_alone"),
        (Buffer, "keeps_what_it_returned"),
    ],
)
def test_a_broken_runtime_fails_in_the_right_check(broken, check):
    with pytest.raises(CheckError, match=f"check '{check}'"):
        check_runtime(broken)


def test_expected_failures_have_a_reason_and_must_fail():
    reason = {"gives_the_same_results_twice": "draws particles"}
    more = {"starts_again": "the same dice", "shares_no_state": "the same dice"}
    outcomes = check_tracker(Dice, expected=reason | more)
    (failed,) = [each for each in outcomes if each.check == "gives_the_same_results_twice"]
    assert failed.reason == "draws particles"
    assert failed.is_as_expected
    with pytest.raises(CheckError, match="passed, and was expected to fail"):
        check_tracker(Follower, expected=reason)
    with pytest.raises(UnknownNameError, match="gives_the_same_results_twice"):
        check_tracker(Follower, expected={"gives_the_same_result_twice": "typing error"})


@parametrize_with_checks(
    [("data set", walk(Locked))],
    expected=lambda thing: {"goes_to_other_processes": "holds a lock"},
)
def test_expected_failures_are_xfailed(check):
    check()


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="expected one of tracker, data set"):
        parametrize_with_checks([("trackr", Follower)])


def test_the_opencv_shape_is_no_tracker_of_ours():
    """Its `update` returns a pair: the check says what is expected instead."""
    with pytest.raises(CheckError, match="object with box and score"):
        check_tracker(lambda: OpenCVTracker(lite()))


def test_kinds_are_those_that_plugins_are_called():
    from siamtrack.core.registry import GROUPS

    assert set(KINDS) <= set(GROUPS.values())
