"""The script that labels clips without boxes, on small clips made here."""

import io
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

POOL = Path(__file__).parents[1] / "benchmarks" / "pool"
av = pytest.importorskip("av", reason="the pool's scripts read videos with PyAV")


@pytest.fixture(autouse=True)
def _scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(POOL))
    yield
    for name in ("build", "clones", "cutting", "stills", "videos", "pseudo"):
        sys.modules.pop(name, None)


class Matching:
    """Finds the patch of the first frame."""

    def __init__(self, score=0.9):
        self.score = score

    def init(self, frame, box):
        self.box = [round(value) for value in box]
        left, top, width, height = self.box
        self.patch = frame[top : top + height, left : left + width]

    def update(self, frame):
        self.box[:2] = cv2.minMaxLoc(cv2.matchTemplate(frame, self.patch, cv2.TM_SQDIFF))[2]
        return type("Seen", (), {"box": np.array(self.box, float), "score": self.score})()


class Drifting(Matching):
    """Goes right, whatever it sees."""

    def update(self, frame):
        self.box[0] += 4
        return type("Seen", (), {"box": np.array(self.box, float), "score": self.score})()


def frames(speed, pan=0, count=30, size=(320, 240)):
    """A textured square that goes right over a textured wall, seen by a camera that pans."""
    noise = np.random.default_rng(0)
    wall = cv2.resize(noise.integers(60, 120, (60, 140, 3), np.uint8), (560, size[1]))
    thing = cv2.resize(noise.integers(130, 255, (8, 8, 3), np.uint8), (50, 50))
    for index in range(count):
        picture = wall[:, pan * index : pan * index + size[0]].copy()
        left = 40 + speed * index
        picture[90:140, left : left + 50] = thing
        yield picture


def coded(pictures):
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.bit_rate = 320, 240, 4_000_000
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def tracks(pictures, tracker):
    import pseudo

    found = pseudo.labelled(coded(pictures), "clip", tracker, pseudo.Rules())
    return [(thing.frame, thing.box, thing.track) for picture in found for thing in picture.things]


@pytest.mark.parametrize("pan", [0, 3])
def test_what_moves_is_labelled_also_while_the_camera_pans(pan):
    import pseudo

    found = tracks(frames(4, pan), Matching())
    assert len(found) >= pseudo.Rules().shortest
    assert len({track for _, _, track in found}) <= 2  # of two shots, one object each
    for frame, box, _ in found:
        assert pseudo.iou(box, (40 + 4 * frame, 90, 50, 50)) > 0.4  # optical flow blurs the border


@pytest.mark.parametrize("pan", [0, 4])
def test_a_clip_in_which_nothing_moves_by_itself_gives_nothing(pan):
    assert tracks(frames(-pan, pan, count=9), Matching()) == []


def test_a_tracker_that_does_not_come_back_gives_nothing():
    assert tracks(frames(4), Drifting()) == []


def test_a_tracker_that_doubts_gives_nothing():
    assert tracks(frames(4), Matching(score=0.3)) == []


def test_a_cut_ends_a_track():
    import pseudo

    dark = [255 - picture for picture in frames(4, count=12)]
    found = list(pseudo.shots(coded([*frames(4, count=12), *dark]), pseudo.Rules()))
    assert [len(shot) for shot in found] == [12, 12]


def test_a_box_inside_of_a_moving_thing_does_not_stand_out():
    import pseudo

    mask = np.zeros((180, 320), np.uint8)
    mask[40:120, 60:200] = 1
    assert pseudo.stands_out(mask, 0.5, (120, 80, 280, 160))
    assert not pseudo.stands_out(mask, 0.5, (180, 120, 100, 60))
    assert not pseudo.stands_out(mask, 0.5, (420, 80, 60, 60))


def test_flat_areas_and_what_stays_in_its_place_are_no_objects():
    import pseudo

    wall = next(frames(0))
    goes = {index: (40 + 4 * index, 90, 50, 50) for index in range(8)}
    assert pseudo.shows(wall, goes)
    assert not pseudo.shows(wall, {index: goes[0] for index in range(8)})
    assert not pseudo.shows(np.full_like(wall, 200), goes)


def test_sources_have_commits_and_no_name_twice():
    import build
    import pseudo

    names = [source.split()[0] for source, _ in (*pseudo.CLIPS, *build.SOURCES)]
    assert len(names) == len(set(names))
    assert all(len(source.split()[2]) == 10 for source, _ in pseudo.CLIPS)
