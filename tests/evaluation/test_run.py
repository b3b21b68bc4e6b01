import time

import numpy as np
import pytest

from siamtrack.data.sequence import NoFrames, Sequence
from siamtrack.errors import DatasetError
from siamtrack.evaluation import run_tracker
from tests.evaluation.toys import Blob, Found, Loses, Squares, Still, toys, walk


def test_results_begin_with_the_given_box_and_follow_the_tracker():
    toy = toys()[0]
    result = run_tracker(Blob(), toy)
    assert result.boxes[0].tolist() == toy.boxes[0].tolist()
    np.testing.assert_allclose(result.boxes[1:] - toy.boxes[1:], [[1 / 3, -1 / 3, 0, 0]] * 29)
    assert np.isnan(result.scores[0])
    assert ((result.scores[1:] > 0) & (result.scores[1:] <= 1)).all()
    assert (result.times > 0).all()
    assert result.fps == pytest.approx(30 / result.times.sum())


def test_rows_before_the_first_true_box_are_not_results():
    boxes = walk(0)
    boxes[:4] = np.nan
    boxes[20:25] = np.nan
    result = run_tracker(Blob(), Sequence("toy", Squares(boxes), boxes))
    assert np.isnan(result.boxes[:4]).all()
    assert (result.times[:4] == 0).all()
    assert np.isfinite(result.boxes[4:]).all()  # the tracker is asked in absent frames too
    later = run_tracker(Still(), Sequence("toy", Squares(boxes), boxes), start=10, box=[1, 2, 3, 4])
    assert later.boxes.tolist() == [[1, 2, 3, 4]] * 20


def test_boxes_that_are_not_finite_become_nan_with_a_warning(caplog):
    result = run_tracker(Loses(), toys()[0])
    assert np.isnan(result.boxes[10:]).all()
    assert np.isfinite(result.boxes[:10]).all()
    assert "Toy0: 20 of 30 boxes are not finite" in caplog.text


def test_a_tracker_cannot_change_the_truth():
    class Vandal(Still):
        def init(self, frame, box):
            box[:] = -1
            self.box = [0, 0, 1, 1]

    toy = toys()[0]
    before = toy.boxes.copy()
    result = run_tracker(Vandal(), toy)
    assert toy.boxes.tolist() == before.tolist()
    assert result.boxes[0].tolist() == before[0].tolist()


def test_reading_frames_is_not_timed():
    class Slow(Squares):
        def __getitem__(self, index):
            time.sleep(0.01)
            return super().__getitem__(index)

    boxes = walk(0, frames=5)
    # the median: a busy machine may take the processor away in the middle of one update
    times = run_tracker(Still(), Sequence("toy", Slow(boxes), boxes)).times
    assert np.median(times) < 0.01


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "expected an object with box and score"),
        ((True, (1, 2, 3, 4)), "expected an object with box and score"),
        (Found(None), r"expected \(4,\)|box and score"),
        (Found([1, 2, 3]), r"box of shape \(3,\): expected \(4,\)"),
        (Found(7.0), r"box of shape \(\): expected \(4,\)"),
        (Found([1, 2, 3, 4], score=None), "box and score"),
    ],
)
def test_wrong_answers_are_named(answer, message):
    class Wrong(Still):
        def update(self, frame):
            return answer

    with pytest.raises(TypeError, match=message):
        run_tracker(Wrong(), toys()[0])


def test_bad_starts():
    toy = toys()[0]
    for start in (-1, 30):
        with pytest.raises(ValueError, match=f"start {start}: expected a frame from 0 to 29"):
            run_tracker(Still(), toy, start=start)
    boxes = walk(0)
    boxes[5] = np.nan
    with pytest.raises(ValueError, match="toy: frame 5 has no box to start with"):
        run_tracker(Still(), Sequence("toy", Squares(boxes), boxes), start=5)
    with pytest.raises(DatasetError, match="annotations without frames"):
        run_tracker(Still(), Sequence("toy", NoFrames(3), walk(0, 3)))
