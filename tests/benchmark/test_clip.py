import cv2
import numpy as np
import pytest

from siamtrack.benchmark.footage import decoding, open_footage, write_generated
from siamtrack.core.boxes import iou
from siamtrack.errors import DatasetError, VideoError
from tests.helpers import clip, write_video


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "video.mp4", clip(12)[0])


def folder(path, frames=5, boxes=1):
    (path / "img").mkdir(parents=True)
    for index, picture in enumerate(clip(frames)[0]):
        cv2.imwrite(str(path / "img" / f"{index:04}.png"), picture)
    rows = "".join("60,70,40,40\n" for _ in range(frames))
    for number in range(boxes):
        (path / ("boxes.txt" if not number else f"boxes.{number}.txt")).write_text(rows)
    return path


def test_generated_clip_is_the_same_every_time(tmp_path):
    first = write_generated(tmp_path / "a.mp4", 8)
    write_generated(tmp_path / "b.mp4", 8)
    one, two = (open_footage(str(tmp_path / name), first) for name in ("a.mp4", "b.mp4"))
    assert one.size == (640, 480)
    assert np.array_equal(one.frames, two.frames)
    # the target stands out from what was there before, and from one frame to the next it moves
    left, top, width, height = first.astype(int)
    inside = one.frames[0][top : top + height, left : left + width].astype(int)
    assert np.abs(inside - one.frames[7][top : top + height, left : left + width]).mean() > 20


def test_video_with_a_box(video):
    found = open_footage(str(video), (60, 70, 40, 40), 10)
    assert (found.name, len(found.frames), found.size) == ("video.mp4", 10, (256, 192))
    assert np.array_equal(list(found.read()), found.frames)
    times = decoding(found)
    assert len(times) == 9
    assert min(times) > 0


def test_folder_with_boxes(tmp_path):
    found = open_footage(str(folder(tmp_path / "walk")))
    assert found.name == "walk"
    assert iou(found.box, [60, 70, 40, 40]) == 1
    assert len(found.frames) == 5


def test_bad_sources(tmp_path, video):
    with pytest.raises(ValueError, match=r"video.mp4: give .* --box LEFT TOP WIDTH HEIGHT"):
        open_footage(str(video))
    with pytest.raises(VideoError, match="does not exist"):
        open_footage(str(tmp_path / "absent.mp4"), (0, 0, 5, 5))
    with pytest.raises(DatasetError, match="does not exist"):
        open_footage(str(tmp_path / "absent"))
    with pytest.raises(DatasetError, match=r"2 targets \(walk-1, walk\): give the folder of one"):
        open_footage(str(folder(tmp_path / "walk", boxes=2)))
    with pytest.raises(ValueError, match="lies outside the frame"):
        open_footage(str(video), (900, 0, 5, 5))


@pytest.mark.parametrize("count", [-1, 0, 2])
def test_numbers_of_frames_that_are_too_small(video, count):
    with pytest.raises(ValueError, match=f"frames {count}: expected 3 or more"):
        open_footage(str(video), (60, 70, 40, 40), count)


def test_sources_that_are_too_short(tmp_path, video):
    with pytest.raises(ValueError, match=r"has 12 frames .* 50 are needed: .* or --frames 12"):
        open_footage(str(video), (60, 70, 40, 40), 50)
    short = write_video(tmp_path / "short.mp4", clip(2)[0])
    with pytest.raises(ValueError, match=r"has 2 frames .* 3 are needed: give a longer one"):
        open_footage(str(short), (60, 70, 40, 40))
