"""A tracker is forked, kept for later, or sent to another process; it goes on where it was."""

import copy
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import siamtrack
from siamtrack.errors import WeightsError
from siamtrack.packages.card import model_folder
from siamtrack.tracking.tracker import SiamTracker
from tests.helpers import clip

FRAMES, BOXES = clip(8)


def started(**options):
    tracker = siamtrack.load(threads=1, precision="float32", **options)
    tracker.init(FRAMES[0], BOXES[0])
    tracker.add(FRAMES[0], (20, 20, 30, 30))
    for frame in FRAMES[1:4]:
        tracker.update_all(frame)
    return tracker


def rest(tracker):
    return np.array([[t.box for t in tracker.update_all(frame)] for frame in FRAMES[4:]])


@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_copy_goes_on_by_itself(again):
    tracker = started()
    twin = again(tracker)
    assert twin.model.runtime is tracker.model.runtime  # of one process: the network is shared
    first = rest(twin)
    assert twin.ids == tracker.ids == [0, 1]
    assert np.array_equal(rest(tracker), first)  # what the copy did has not moved it
    tracker.clear()
    assert twin.ids == [0, 1]


def test_a_pickled_tracker_goes_on_in_another_process(tmp_path):
    tracker = started(redetect=True)
    (tmp_path / "t.pkl").write_bytes(pickle.dumps(tracker))
    np.save(tmp_path / "frames.npy", FRAMES[4:])
    code = """
import pickle, sys, numpy as np
tracker = pickle.load(open(sys.argv[1] + "/t.pkl", "rb"))
frames = np.load(sys.argv[1] + "/frames.npy")
found = np.array([[t.box for t in tracker.update_all(frame)] for frame in frames])
np.save(sys.argv[1] + "/found.npy", found)
assert tracker.redetect
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert np.array_equal(np.load(tmp_path / "found.npy"), rest(tracker))


def test_settings_that_were_changed_come_along():
    model = siamtrack.load(threads=1).model
    card = replace(model.card, tracker=replace(model.card.tracker, window=0.33))
    tracker = SiamTracker(replace(model, card=card))
    assert pickle.loads(pickle.dumps(tracker)).model.card.tracker.window == 0.33


def test_other_weights_are_noticed(tmp_path):
    folder = shutil.copytree(model_folder("lite"), tmp_path / "mine")
    kept = pickle.dumps(siamtrack.load(folder, threads=1))
    shutil.rmtree(folder)
    with pytest.raises(WeightsError):
        pickle.loads(kept)
    shutil.copytree(model_folder("ciresnet22-slim"), folder)
    with pytest.raises(WeightsError):
        pickle.loads(kept)


def test_a_model_put_together_by_hand_says_why_not():
    model = siamtrack.load(threads=1).model
    tracker = SiamTracker(replace(model, loaded=None))
    assert copy.copy(tracker).model is tracker.model
    with pytest.raises(TypeError, match="put together by hand"):
        pickle.dumps(tracker)


def test_the_opencv_shape_can_be_copied():
    tracker = siamtrack.OpenCVTracker(siamtrack.load(threads=1))
    tracker.init(FRAMES[0], tuple(BOXES[0]))
    twin = copy.deepcopy(tracker)
    assert twin.update(FRAMES[1]) == tracker.update(FRAMES[1])
