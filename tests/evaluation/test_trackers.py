"""Trackers by name, OpenCV's, and TraX in both directions."""

import io
import os
import shlex
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import siamtrack
from siamtrack.cli import main
from siamtrack.data.sequence import Sequence
from siamtrack.errors import SiamtrackError, UnknownNameError, WeightsError
from siamtrack.evaluation import evaluate, open_tracker, run_tracker
from siamtrack.evaluation.peers import PEERS, opencv
from siamtrack.evaluation.peers.base import stretched
from siamtrack.evaluation.peers.trax import Message, TraxPeer, parse
from siamtrack.evaluation.trax_server import serve
from siamtrack.packages.card import read_card
from siamtrack.packages.write import write_card
from tests.evaluation.toys import Still, toys
from tests.helpers import clip

FAKE = f"{shlex.quote(sys.executable)} {shlex.quote(str(Path(__file__).parent / 'fake_trax.py'))}"
ANCHORS = os.environ.get("SIAMTRACK_ANCHORS")
USER = """
from __future__ import annotations
from dataclasses import dataclass
@dataclass
class Mine:
    name = "mine"
    count: int = 0
    def init(self, frame, box): self.box, self.score = box, 1.0
    def update(self, frame): return self
class Not: pass
"""


def test_ours_by_name_and_folder():
    name, factory = open_tracker("lite", threads=1)
    assert (name, factory().name) == ("lite", "lite")
    assert open_tracker("best=lite")[0] == "best"
    with pytest.raises(UnknownNameError, match="did you mean 'lite'"):
        open_tracker("litte")[1]()


def test_a_folder_called_model_is_called_as_its_card_or_its_run(tmp_path):
    for words in (["lite", "runs/mine/model"], ["lite", "b/model", "--name", "street"]):
        with pytest.raises(SystemExit):
            main(["export", words[0], str(tmp_path / words[1]), *words[2:]])
    old = tmp_path / "runs/old/model"
    shutil.copytree(tmp_path / "runs/mine/model", old)
    write_card(old, replace(read_card(old), name="model"))  # as exports before called it
    for spec, name in (
        ("runs/mine/model", "mine"),
        ("runs/mine/model+redetect", "mine+redetect"),
        ("b/model", "street"),
        ("runs/old/model", "old"),
    ):
        assert open_tracker(f"{tmp_path / spec}")[0] == name
    assert open_tracker(f"best={old}")[0] == "best"


def test_redetection_is_asked_for_behind_the_name(tmp_path):
    folder = Path(siamtrack.__file__).parent / "pretrained" / "lite"
    for spec, name in (
        ("lite+redetect", "lite+redetect"),
        (f"{folder}+redetect", "lite+redetect"),
        ("again=lite+redetect", "again"),
    ):
        label, factory = open_tracker(spec, threads=1)
        assert (label, factory().redetect) == (name, True)
    assert not open_tracker("lite", threads=1)[1]().redetect
    shutil.copytree(folder, tmp_path / "lite+redetect")  # a folder of that name is that folder
    assert not open_tracker(str(tmp_path / "lite+redetect"), threads=1)[1]().redetect


def test_a_class_in_a_file(tmp_path):
    file = tmp_path / "user.py"
    file.write_text(USER)
    name, factory = open_tracker(f"{file}:Mine")
    assert name == "mine"
    assert evaluate(factory, toys(2), name=name, workers=2).trackers == ("mine",)
    assert open_tracker("tests.evaluation.toys:Blob")[0] == "Blob"
    for spec, message in (
        (f"{file}:Yours", "has no class Yours; it has Mine, Not"),
        (f"{tmp_path / 'none.py'}:Mine", "no such Python file"),
        ("no.such.module:Mine", "cannot be imported"),
        ("kcf:", "expected a model, a folder, FILE.py:CLASS, or KIND:SOURCE"),
    ):
        with pytest.raises(SiamtrackError, match=message):
            open_tracker(spec)
    with pytest.raises(SiamtrackError, match="which has no init and update"):
        open_tracker(f"{file}:Not")[1]()
    file.write_text("1 / 0")
    with pytest.raises(SiamtrackError, match="fails when it is loaded"):
        open_tracker(f"{file}:Mine")


def test_opencv():
    name, factory = open_tracker("opencv:mil")
    assert name == "opencv-mil"
    frames, boxes = clip(4)
    tracker = factory()
    tracker.init(frames[0], boxes[0])
    seen = tracker.update(frames[1])
    assert seen.score == 1.0
    assert seen.box.shape == (4,)
    with pytest.raises(UnknownNameError, match="did you mean 'csrt'"):
        open_tracker("opencv:crst")[1]()


def test_opencv_takes_parameters():
    given = "samplerSearchWinSize=20.5,samplerTrackInRadius=4"
    name, factory = open_tracker(f"opencv:mil:{given}")
    assert name == f"opencv-mil-{given.lower()}"
    tracker = factory()
    frames, boxes = clip(4)
    tracker.init(frames[0], boxes[0])
    assert tracker.update(frames[1]).box.shape == (4,)
    # What was given arrives, and nothing else changes
    changed, usual = opencv._parameters("MIL", given), opencv.cv2.TrackerMIL_Params()
    assert (changed.samplerSearchWinSize, changed.samplerTrackInRadius) == (20.5, 4.0)
    assert changed.samplerInitInRadius == usual.samplerInitInRadius


@pytest.mark.parametrize("given", ["detect_thresh=0.05", "samplerSearchWinSize=wide", "x", ""])
def test_opencv_says_which_parameters_it_has(given):
    with pytest.raises(SiamtrackError, match=r"it has .*samplerSearchWinSize|expected a number"):
        open_tracker(f"opencv:mil:{given or ','}")[1]()


def test_opencv_without_contrib(monkeypatch):
    for place in (cv2, getattr(cv2, "legacy", None)):
        monkeypatch.delattr(place, "TrackerKCF_create", raising=False) if place else None
    with pytest.raises(SiamtrackError, match="has no TrackerKCF: it is in the contrib package"):
        open_tracker("opencv:kcf")[1]()


def test_opencv_keeps_its_box_when_it_says_that_it_failed(monkeypatch):
    class Fails:
        def init(self, frame, box): ...

        def update(self, frame):
            return False, (0, 0, 0, 0)

    monkeypatch.setattr(opencv, "_creator", lambda *_: Fails)
    tracker = opencv.OpenCVPeer("kcf")
    tracker.init(np.zeros((9, 9, 3), np.uint8), [1, 2, 3, 4])
    seen = tracker.update(np.zeros((9, 9, 3), np.uint8))
    assert (seen.box.tolist(), seen.score) == ([1, 2, 3, 4], 0.0)


@pytest.mark.parametrize("kind", ["nanotrack-v2", "nanotrack-v3", "fear-xs", "lightfc", "vittrack"])
def test_networks_that_are_not_there(kind, tmp_path):
    with pytest.raises(WeightsError, match="no such folder"):
        PEERS[kind](str(tmp_path / "none"))
    with pytest.raises(WeightsError, match=r"expected one file .*onnx.*, found none"):
        PEERS[kind](str(tmp_path))
    for name in ("template", "search", "x_backbone", "x_head")[: 1 if kind == "vittrack" else 4]:
        (tmp_path / f"{name}.onnx").write_bytes(b"no graph")
    with pytest.raises(Exception, match=r"ONNX Runtime cannot load it|[Pp]ars"):
        PEERS[kind](str(tmp_path))


@pytest.mark.skipif(not ANCHORS, reason="SIAMTRACK_ANCHORS is not set")
@pytest.mark.parametrize(
    ("kind", "folder"),
    [
        ("nanotrack-v2", "nanotrack_v2"),
        ("nanotrack-v3", "nanotrack_v3"),
        ("fear-xs", "fear_xs"),
        ("lightfc", "lightfc"),
        ("vittrack", "vittrack"),
    ],
)
def test_networks_of_others_follow_a_square(kind, folder):
    frames, boxes = clip(12)
    tracker = PEERS[kind](str(Path(ANCHORS) / folder), threads=1)
    tracker.init(frames[0], boxes[0])
    for frame in frames[1:]:
        seen = tracker.update(frame)
    assert np.abs(seen.box[:2] + seen.box[2:] / 2 - boxes[-1][:2] - 20).max() < 8
    assert np.isfinite(seen.score)


def test_patches_that_leave_the_frame():
    frame = np.full((20, 30, 3), 200, np.uint8)
    tensor, taken = stretched(frame, (-10.5, -5, 20, 20), 16, (100.0, 100.0, 100.0))
    assert taken == (-10, -5, 20, 20)
    assert tensor.shape == (1, 3, 16, 16)
    assert tensor[0, 0, 15, 15] > tensor[0, 0, 0, 0]
    far, _ = stretched(frame, (500, 500, 10, 10), 8, (100.0, 100.0, 100.0))
    assert np.ptp(far[0, 0]) == 0


@pytest.mark.parametrize("mode", ["good", "polygon"])
def test_trax_client(mode):
    name, factory = open_tracker(f"trax:{FAKE} {mode}")
    assert name == "trax"
    (toy,) = toys(1, 5)
    tracker = factory()
    for _ in range(2):
        result = run_tracker(tracker, toy)
        first = toy.boxes[0]
        np.testing.assert_allclose(result.boxes, first + np.outer(np.arange(5), [1, 0, 0, 0]))
        assert result.scores[1:].tolist() == [0.25] * 4
    tracker.close()
    tracker.close()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (f"{FAKE} dies", "ended where its 'state' was expected.*out of memory"),
        (f"{FAKE} nonsense", "answered .*around there.*expected a rectangle or a polygon"),
        ("/no/such/program", "does not start"),
        (f"{sys.executable} -c 'print(1)'", "ended where its 'hello' was expected; it printed: 1"),
    ],
)
def test_trax_trackers_that_misbehave(command, message):
    (toy,) = toys(1, 5)
    with pytest.raises(SiamtrackError, match=message):
        run_tracker(PEERS["trax"](command), toy)


def test_trax_trackers_that_are_silent():
    (toy,) = toys(1, 5)
    with pytest.raises(SiamtrackError, match=r"gave no answer within 0\.2 s"):
        run_tracker(TraxPeer(f"{FAKE} silent", timeout=0.2), toy)
    with pytest.raises(ValueError, match="expected a command"):
        TraxPeer(" ")


@pytest.mark.parametrize("version", [1, 4])
def test_trax_server(version, tmp_path):
    frames, boxes = clip(3)
    paths = []
    for index, frame in enumerate(frames):
        path = tmp_path / f"a {index}.png"
        cv2.imwrite(str(path), frame[..., ::-1])
        paths.append(path.as_uri())
    region = ",".join(str(value) for value in boxes[0])
    if version == 4:
        start = [
            Message("initialize", [region]),
            Message("initialize", ["1,1,9,1,9,9,1,9"]),
            Message("frame", [paths[0]]),
        ]
    else:
        start = [Message("initialize", [paths[0], region])]
    messages = [*start, Message("frame", [paths[1]]), Message("quit"), Message("frame", ["x"])]
    out = io.StringIO()
    serve(Still, "still", ["noise", *(message.line() for message in messages)], out)
    hello, *states = [parse(line) for line in out.getvalue().splitlines()]
    assert hello.properties["trax.name"] == "still"
    objects = 2 if version == 4 else 1
    assert [state.kind for state in states] == ["state"] * 2 * objects
    assert states[-objects].arguments == [",".join(f"{value:.4f}" for value in boxes[0])]
    assert states[-1].properties == {"confidence": "0.500000"}
    assert states[0].properties == {"confidence": "1"}


def test_ours_through_trax_is_ours():
    frames, boxes = clip(6)

    class Frames(list):
        files = ()

    sequence = Sequence("clip", Frames(frames), boxes)
    command = f"{shlex.quote(sys.executable)} -m siamtrack.evaluation.trax_server lite"
    there = run_tracker(PEERS["trax"](command), sequence)
    here = run_tracker(open_tracker("lite")[1](), sequence)
    np.testing.assert_allclose(there.boxes, here.boxes, atol=0.05)
