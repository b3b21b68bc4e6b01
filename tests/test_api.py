import subprocess
import sys

import numpy as np
import pytest

import siamtrack
from siamtrack.core.boxes import iou
from siamtrack.errors import VideoError
from tests.helpers import clip, write_video


@pytest.fixture(scope="module")
def tracker():
    return siamtrack.load(threads=1)


@pytest.mark.needs("torch")
def test_public_names_are_what_the_docs_say():
    assert siamtrack.__all__ == sorted(siamtrack.__all__)
    assert set(siamtrack.__all__) <= set(dir(siamtrack))
    for name in siamtrack.__all__:
        thing = getattr(siamtrack, name)
        assert callable(thing), f"{name} is {thing}: a module hides the public name"
        assert thing.__doc__
    with pytest.raises(AttributeError, match="no attribute 'trak'"):
        siamtrack.trak  # noqa: B018


def test_importing_and_tracking_need_no_torch():
    code = """
import sys
for name in ("torch", "onnx", "matplotlib", "scipy", "openvino"):
    sys.modules[name] = None  # importing it raises ImportError
import numpy as np, siamtrack, siamtrack.cli
tracker = siamtrack.load(threads=1)
picture = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
tracker.init(picture, (40, 30, 20, 30))
print(tracker.update(picture).box.shape)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "(4,)\n", done.stderr


def test_importing_is_light():
    code = "import sys, siamtrack; print('cv2' in sys.modules, 'onnxruntime' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"


def test_track_a_video_file(tmp_path, tracker):
    pictures, boxes = clip(12)
    path = write_video(tmp_path / "a.mp4", pictures)
    results = list(siamtrack.track(path, box=boxes[0], tracker=tracker))
    assert [frame.index for frame, _ in results] == list(range(12))
    np.testing.assert_array_equal(results[0][1].box, boxes[0])
    found = np.array([track.box for _, track in results])
    assert iou(found, boxes).mean() > 0.6


def test_track_starts_again_where_boxes_say(tracker):
    pictures, boxes = clip(10)
    results = siamtrack.track(pictures, boxes={2: boxes[2], 6: boxes[6]}, start=2, tracker=tracker)
    tracks = {frame.index: track for frame, track in results}
    np.testing.assert_array_equal(tracks[6].box, boxes[6])
    assert list(tracks) == list(range(2, 10))
    assert {track.id for track in tracks.values()} == {0}


def test_track_twice_gives_the_same(tracker):
    pictures, boxes = clip(6)
    first, second = (
        [t.box for _, t in siamtrack.track(pictures, boxes[0], tracker=tracker)] for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_no_first_box(tracker):
    pictures, boxes = clip(4)
    with pytest.raises(ValueError, match=r"no box for frame 0: give box="):
        siamtrack.track(pictures, boxes={2: boxes[2]}, tracker=tracker)
    with pytest.raises(ValueError, match="starts in frame 3, which is not taken"):
        siamtrack.track(pictures, boxes[0], boxes={3: boxes[3]}, stride=2, tracker=tracker)


def test_the_name_of_a_model_is_no_tracker():
    pictures, boxes = clip(4)
    with pytest.raises(ValueError, match=r"give tracker=siamtrack.load\('lite'\)"):
        siamtrack.track(pictures, boxes[0], tracker="lite")


def test_source_that_breaks_keeps_what_came_before(tmp_path, tracker):
    pictures, boxes = clip(6)
    import cv2

    for index, picture in enumerate(pictures):
        cv2.imwrite(str(tmp_path / f"{index}.png"), picture[..., ::-1])
    (tmp_path / "4.png").write_bytes(b"no picture")
    seen = []
    results = siamtrack.track(tmp_path, boxes[0], tracker=tracker)
    with pytest.raises(VideoError, match=r"4\.png"):
        seen.extend(frame.index for frame, _ in results)
    assert seen == [0, 1, 2, 3]
