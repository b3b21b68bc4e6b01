import pickle

import numpy as np
import pytest

from siamtrack.data import open_dataset
from siamtrack.errors import DatasetError
from tests.helpers import clip, write_video

TRUTH = "10,20,40,60\nNaN,NaN,NaN,NaN\n12,20,42,60\n"


def test_video_with_edges_and_absent_frames(tmp_path):
    (tmp_path / "car").mkdir()
    (tmp_path / "notes").mkdir()
    frames = clip(3)[0]
    write_video(tmp_path / "car" / "car.mp4", frames)
    (tmp_path / "car" / "gt.txt").write_text(TRUTH)
    (car,) = open_dataset(f"tld:{tmp_path}")
    assert car.boxes[[0, 2]].tolist() == [[10, 20, 30, 40], [12, 20, 30, 40]]
    assert np.isnan(car.boxes[1]).all()
    assert len(list(car)) == 3
    for index in (2, 0, 1, 1, -1):  # any order, though a video is read forwards
        difference = car[index].astype(int) - frames[index]
        assert np.abs(difference).mean() < 12
    copy = pickle.loads(pickle.dumps(car))  # goes to another process
    assert (copy[1] == car[1]).all()


def test_images(tmp_path):
    import cv2

    (tmp_path / "car").mkdir()
    (tmp_path / "car" / "gt.txt").write_text(TRUTH)
    with pytest.raises(DatasetError, match=r"neither a video .* nor images"):
        open_dataset(f"tld:{tmp_path}")
    for index in range(3):
        cv2.imwrite(str(tmp_path / "car" / f"{index}.png"), np.zeros((4, 4, 3), np.uint8))
    assert len(open_dataset(f"tld:{tmp_path}")[0]) == 3
    (tmp_path / "car" / "0.png").unlink()
    with pytest.raises(DatasetError, match="2 frames need boxes of shape"):
        open_dataset(f"tld:{tmp_path}")


def test_a_video_that_ends_early(tmp_path):
    (tmp_path / "car").mkdir()
    write_video(tmp_path / "car" / "car.mp4", clip(2)[0])
    (tmp_path / "car" / "gt.txt").write_text(TRUTH)
    (car,) = open_dataset(f"tld:{tmp_path}")
    with pytest.raises(DatasetError, match=r"no frame 2 where 3 frames are annotated"):
        car[2]
    (tmp_path / "car" / "car.mp4").unlink()
    assert car.frames.missing() == (tmp_path / "car" / "car.mp4",)


def test_nothing_there(tmp_path):
    with pytest.raises(DatasetError, match=r"no folder with gt\.txt in it"):
        open_dataset(f"tld:{tmp_path}")
