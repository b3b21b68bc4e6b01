import time

import numpy as np
import pytest

import siamtrack
from siamtrack.benchmark.figures import Latency, Round
from siamtrack.benchmark.latency import (
    STAGES,
    WARM_UP,
    Watch,
    one_pass,
    relative,
    take_turns,
    watched,
)
from tests.benchmark.toys import SEARCH_SECONDS, Notes, model, toy_clip


def test_trackers_take_turns():
    log, clip, passes = [], toy_clip(8), []
    trackers = {name: Notes(name, log) for name in "abc"}
    found = take_turns(trackers, clip, 2, lambda: passes.append(len(log)))
    turns = [line[0] for line in log if line.endswith("init")]
    assert turns == list("abc") + 2 * list("abc")  # the first turn warms up
    assert len(passes) == 6
    assert {name: len(rounds) for name, rounds in found.items()} == dict.fromkeys("abc", 2)
    assert log.count("b:update") == WARM_UP - 1 + 2 * 7


def test_ratios_are_taken_within_rounds():
    log = []
    found = take_turns({"quick": Notes("quick", log), "slow": Notes("slow", log)}, toy_clip(), 3)
    assert relative(found["quick"], found["quick"]) == 1.0
    # sleeps last longer on a busy machine, the short ones too: between 1 and 30
    assert 1.5 < relative(found["slow"], found["quick"]) < 40

    def rounds(*p50):
        return [Round(Latency(each, each), 1.0, 1.0, 1.0) for each in p50]

    # the second round ran on a busy machine: the ratio of the medians would be 3.0
    assert relative(rounds(2, 30, 3), rounds(1, 15, 1)) == 2.0


def test_stages_are_parts_of_the_update():
    found = one_pass(siamtrack.SiamTracker(model()), toy_clip())
    assert tuple(found.stages) == STAGES
    assert found.stages["network"].p50 >= SEARCH_SECONDS * 1000
    parts = sum(latency.p50 for latency in found.stages.values())
    assert parts == pytest.approx(found.update.p50, rel=0.25)
    assert 0 < found.outside < 1
    assert found.fps == pytest.approx(1000 / found.update.p50, rel=0.5)


def test_trackers_of_others_have_no_stages():
    found = one_pass(Notes("a", []), toy_clip())
    assert found.stages == {}
    assert found.outside is None
    assert found.update.p50 >= 1.0


def test_the_watched_tracker_is_as_it_was():
    tracker = siamtrack.SiamTracker(model())
    runtime = tracker.model.runtime
    one_pass(tracker, toy_clip(4))
    assert tracker.model.runtime is runtime
    assert runtime.batches == [1, 1, 1]
    assert tracker.ids == []


def test_the_time_of_a_refiner_is_the_networks():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (120, 160, 3), dtype=np.uint8)
    tracker, runtime = watched(siamtrack.load("base", threads=1))
    assert runtime.refine is not None
    tracker.init(picture, (60, 40, 30, 30))
    watch = Watch()
    for _ in range(5):
        start = time.perf_counter()
        tracker.update(picture)
        watch.note(start, time.perf_counter(), runtime)
    assert runtime.refine.taken() == 0.0  # each update has its own
    stages = np.array([watch.stages[name] for name in STAGES])
    np.testing.assert_allclose(stages.sum(0), watch.whole)
    assert (stages > 0).all()
    plain, _ = watched(siamtrack.load("lite", threads=1))
    plain.init(picture, (60, 40, 30, 30))
    assert np.isfinite(plain.update(picture).box).all()
