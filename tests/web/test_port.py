"""The port of the tracker, in Node: the bytes, boxes and sentences that Python has."""

import json
import platform
from dataclasses import asdict, replace

import cv2
import numpy as np
import pytest

import siamtrack
from siamtrack.core.boxes import check_box
from siamtrack.core.settings import RecentSettings
from siamtrack.tracking.crops import cut, mean_color, square_window, whole_window
from tests.web.conftest import frames_of, no_node, record, script

pytestmark = [
    pytest.mark.needs("skvideo"),
    pytest.mark.skipif(no_node() is not None, reason=f"the browser's tracker: {no_node()}"),
]

WINDOWS = [
    whole_window(60.2, 50.7, 64.3, 128),  # of whole pixels: inside, over a corner, larger, outside
    whole_window(3.0, 2.0, 40.0, 129),
    whole_window(80.0, 60.0, 201.0, 129),
    whole_window(400.0, 60.0, 50.0, 33),
    square_window(60.2, 50.7, 64.3, 128),  # of parts of pixels
    square_window(-5.0, 118.0, 77.7, 129),
    square_window(80.0, 60.0, 150.0, 33),  # averaged down first, by whole blocks and not
    square_window(70.3, 51.9, 149.0, 33),
    whole_window(80.0, 60.0, 400.0, 57),
    square_window(900.0, 900.0, 300.0, 33),
]
BOXES = [
    [1, 2, 30, 40],
    [200, 5, 10, 10],
    [5, 5, 10, 0],
    [5, 5, 1e-4, 3],
    [5, 5, 4000, 3],
    [None, 1, 2, 3],
    [-20, 5, 20, 10],
    [1.23456789, 5, -3.5, 100000.7],
]


AT_ONCE = RecentSettings(share=0.5, below=1, sure=0.01, familiar=0, every=1, again=6)
"""A recent template that joins, changes and leaves within a few frames."""


@pytest.fixture(scope="module")
def told(built, model, tmp_path_factory):
    """What the port says, with what Python says."""
    folder = tmp_path_factory.mktemp("cases")
    noise = np.random.default_rng(5).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    (folder / "noise.rgb").write_bytes(noise.tobytes())
    windows = []
    for number, window in enumerate(WINDOWS):
        file = folder / f"{number}.patch"
        file.write_bytes(cut(noise, window, mean_color(noise)).tobytes())
        each = {"cx": window.cx, "cy": window.cy, "side": window.width, "size": window.size}
        windows.append({**each, "file": file.name})
    cases = {"width": 160, "height": 120, "windows": windows, "boxes": BOXES}
    cases["recent"] = asdict(AT_ONCE)
    (folder / "cases.json").write_text(json.dumps(cases))
    boxes = {0: (398.0, 52.0, 118.0, 218.0), 3: (265.0, 90.0, 58.0, 48.0)}
    frames = frames_of("bikes.mp4", 76, 8)
    tracks = record(folder / "clip", frames, boxes, model)
    settings = replace(model.card.tracker, recent=AT_ONCE)
    at_once = replace(model, card=replace(model.card, tracker=settings))
    mixed = record(folder / "mixed", frames, boxes, at_once)
    assert any((a.box != b.box).any() for a, b in zip(tracks[5], mixed[5], strict=True))
    return {**script("port.mjs", built, folder), "noise": noise}


def test_it_is_of_this_version(told):
    assert told["version"] == siamtrack.__version__
    assert told["border"] == pytest.approx(mean_color(told["noise"]).tolist(), abs=1e-12)


@pytest.mark.parametrize("number", range(len(WINDOWS)))
def test_crops_are_the_same_bytes(told, number):
    crop = told["crops"][number]
    exact = number < 4 or (cv2.__version__ >= "5" and platform.machine() == "x86_64")
    if exact:
        assert crop["most"] == 0
    else:  # other builds of OpenCV round the last bit of an interpolation in another way
        assert crop["most"] <= 1


@pytest.mark.parametrize("runs", ["runs", "mixed"])
def test_boxes_and_states_are_the_same(told, runs):
    assert max(run["pixels"] for run in told[runs]) < 0.01
    assert max(run["score"] for run in told[runs]) < 1e-4
    assert sum(run["states"] for run in told[runs]) == 0


@pytest.mark.parametrize("number", range(len(BOXES)))
def test_bad_boxes_are_refused_in_the_same_words(told, number):
    box = [float("nan") if value is None else value for value in BOXES[number]]
    try:
        check_box(box, 160, 120)
        wanted = None
    except ValueError as error:
        wanted = str(error).replace("nan", "NaN")  # as JavaScript writes it
    assert told["messages"][number] == wanted


def test_what_a_program_does_wrong_is_said_in_a_sentence(told):
    small, unknown, several, outside, early, half = told["sentences"]
    assert small == (
        "a frame of 40x30 pixels: target 0 was started in frames of 640x272; resize the frame, or "
        "start the target again"
    )
    assert unknown == "no target has the id 7; known: 0, 3"
    assert several == "2 targets: use updateAll, which returns them all"
    assert "lies outside the frame of 640x272 pixels" in outside
    assert early == "update before init: call init(frame, box) first"
    assert half == "id 0.5: expected a whole number"
