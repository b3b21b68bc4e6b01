"""Many targets in one tracker, in threads: the boxes of trackers with one target each."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from siamtrack.errors import WeightsError
from siamtrack.packages.card import load_model
from siamtrack.tracking.tracker import SiamTracker
from tests.helpers import clip


def starts(box, count):
    return [box + np.array([7.0 * (k % 4), 5.0 * (k // 4), k % 3, k % 2]) for k in range(count)]


@pytest.mark.parametrize("name", ["lite", "ciresnet22-slim"])
def test_boxes_are_those_of_one_target_alone_to_the_bit(name):
    pictures, boxes = clip(4)
    count = 9 if name == "lite" else 3  # SiamFC has three rows for each
    together = SiamTracker(load_model(name, threads=2))
    alone = [SiamTracker(load_model(name, threads=1)) for _ in range(count)]
    given = starts(boxes[0], count)
    for tracker, box in zip(alone, given, strict=True):
        together.add(pictures[0], box)
        tracker.init(pictures[0], box)
    assert together.model.runtime.apart(9) is not None
    for picture in pictures[1:]:
        found = together.update_all(picture)
        assert [track.id for track in found] == list(range(count))
        for track, tracker in zip(found, alone, strict=True):
            truth = tracker.update(picture)
            assert np.array_equal(track.box, truth.box)
            assert (track.score, track.state) == (truth.score, truth.state)


class Breaking:
    """A network that fails on one call, in whatever thread."""

    def __init__(self, runtime, at):
        self.runtime, self.at, self.calls = runtime, at, 0
        self.lock, self.threads = threading.Lock(), set()

    def embed(self, template, size):
        return self.runtime.embed(template, size)

    def apart(self, rows):
        return 2, self

    def respond(self, kernel, search):
        with self.lock:
            self.calls += 1
            self.threads.add(threading.get_ident())
            if self.calls == self.at:
                raise WeightsError("search.onnx cannot be run")
        return self.runtime.respond(kernel, search)


def test_a_network_that_fails_for_one_of_many_is_an_error_and_leaves_no_thread():
    pictures, boxes = clip(2)
    model = load_model("lite", threads=1)
    count = 8
    tracker = SiamTracker(replace(model, runtime=Breaking(model.runtime, at=count + 3)))
    for box in starts(boxes[0], count):
        tracker.add(pictures[0], box)  # a call for each: the first lesson
    before = threading.active_count()
    tracker.model.runtime.threads.clear()
    with pytest.raises(WeightsError, match="cannot be run"):
        tracker.update_all(pictures[1])
    assert threading.active_count() == before
    assert len(tracker.update_all(pictures[1])) == count


def test_a_runtime_without_rows_apart_gets_one_batch():
    class Plain:
        def __init__(self, runtime):
            self.runtime, self.rows = runtime, []

        def embed(self, template, size):
            return self.runtime.embed(template, size)

        def respond(self, kernel, search):
            self.rows.append(len(search))
            return self.runtime.respond(kernel, search)

    pictures, boxes = clip(2)
    model = load_model("lite", threads=1)
    tracker = SiamTracker(replace(model, runtime=Plain(model.runtime)))
    for box in starts(boxes[0], 8):
        tracker.add(pictures[0], box)
    tracker.update_all(pictures[1])
    assert tracker.model.runtime.rows[-1] == 8
