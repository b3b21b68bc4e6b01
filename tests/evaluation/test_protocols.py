import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siamtrack.core.boxes import centers
from siamtrack.data.sequence import Sequence
from siamtrack.errors import UnknownNameError
from siamtrack.evaluation.protocols import PROTOCOLS
from tests.evaluation.toys import Squares, walk


def sequence(boxes):
    return Sequence("toy", Squares(boxes), boxes)


def test_one_pass_is_the_whole_sequence_from_the_first_true_box():
    boxes = walk(0)
    boxes[:3] = np.nan
    toy = sequence(boxes)
    (start,) = PROTOCOLS["ope"](toy)
    assert (start.label, start.frame, start.box) == ("", None, None)
    assert start.rows(toy) == len(start.truth(toy)) == 30
    row, box = start.begin(toy)
    assert (row, box.tolist()) == (3, boxes[3].tolist())


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 300), st.lists(st.integers(0, 299), max_size=40), st.integers(0, 2**16))
def test_temporal_starts(frames, gaps, seed):
    boxes = np.tile([5.0, 5, 8, 6], (frames, 1))
    for index, gap in enumerate(gaps):
        if gap < frames:
            boxes[gap] = np.nan if index % 2 else [5, 5, 0, 6]
    if not (boxes[:, 2] > 0).any():
        return
    toy = sequence(boxes)
    starts = PROTOCOLS["tre"](toy)
    where = [start.frame for start in starts]
    assert 1 <= len(starts) <= 20
    assert where[0] == toy.init_frame
    assert where == sorted(set(where))
    assert [start.label for start in starts] == [f"{k:02d}" for k in range(len(starts))]
    for start in starts:  # each begins on a usable box and covers the rest
        row, box = start.begin(toy)
        assert (row, box[2] > 0) == (0, True)
        assert start.rows(toy) == len(start.truth(toy)) == frames - start.frame


def test_temporal_starts_by_hand():
    where = [start.frame for start in PROTOCOLS["tre"](sequence(walk(0, frames=210)))]
    assert where == [10 * k for k in range(20)]  # the last run has 20 frames
    boxes = walk(0, frames=210)
    boxes[10:13] = np.nan  # a start without a box moves to the next frame with one
    assert [s.frame for s in PROTOCOLS["tre"](sequence(boxes))][:3] == [0, 13, 20]
    short = [start.frame for start in PROTOCOLS["tre"](sequence(walk(0, frames=12)))]
    assert short == [0]


def test_spatial_starts_by_hand():
    boxes = np.tile([10.0, 20, 30, 40], (3, 1))
    toy = sequence(boxes)
    starts = PROTOCOLS["sre"](toy)
    found = [start.box.tolist() for start in starts]
    shifted = [
        [7, 20],
        [13, 20],
        [10, 16],
        [10, 24],
        [7, 16],
        [13, 16],
        [7, 24],
        [13, 24],
    ]
    assert [box[:2] for box in found[:8]] == shifted
    assert all(box[2:] == [30, 40] for box in found[:8])
    scaled = np.array(found[8:])
    np.testing.assert_allclose(scaled[:, 2:] / [30, 40], [[s, s] for s in (0.8, 0.9, 1.1, 1.2)])
    np.testing.assert_allclose(centers(scaled), np.tile([25, 40], (4, 1)))
    assert all(start.frame is None and start.rows(toy) == 3 for start in starts)
    assert starts[0].begin(toy)[1].tolist() == found[0]


def test_unknown_protocol():
    with pytest.raises(UnknownNameError, match="unknown protocol 'opr': did you mean 'ope'"):
        PROTOCOLS["opr"]
