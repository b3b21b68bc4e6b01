import numpy as np
import pytest

from siamtrack.core.tracks import Track, TrackState
from siamtrack.tracking.detections import associate


def track(id, *box):
    return Track(np.array(box, float), 0.9, TrackState.TRACKED, id)


def test_the_best_pairs_come_first_and_each_box_goes_to_one():
    tracks = [track(4, 0, 0, 10, 10), track(9, 4, 0, 10, 10)]
    priors, new = associate(tracks, [[3, 0, 10, 10], [50, 50, 5, 5], [1, 0, 10, 10]])
    assert {id: box.tolist() for id, box in priors.items()} == {
        9: [3, 0, 10, 10],
        4: [1, 0, 10, 10],
    }
    assert new.tolist() == [[50, 50, 5, 5]]


def test_a_box_that_overlaps_little_is_new():
    priors, new = associate([track(0, 0, 0, 10, 10)], [[6, 0, 10, 10]])  # IoU 0.25
    assert (priors, len(new)) == ({}, 1)
    assert len(associate([track(0, 0, 0, 10, 10)], [[6, 0, 10, 10]], least=0.2)[0]) == 1


@pytest.mark.parametrize("boxes", [[], np.zeros((0, 4))], ids=["list", "array"])
def test_nothing_found(boxes):
    priors, new = associate([track(0, 0, 0, 10, 10)], boxes)
    assert (priors, new.shape) == ({}, (0, 4))


def test_no_targets_yet():
    priors, new = associate([], [[1, 2, 3, 4]])
    assert (priors, new.tolist()) == ({}, [[1, 2, 3, 4]])


def test_what_comes_back_is_a_copy():
    boxes = np.array([[0.0, 0, 10, 10], [50, 50, 5, 5]])
    priors, new = associate([track(0, 0, 0, 10, 10)], boxes)
    priors[0][:] = new[:] = -1
    assert boxes.tolist() == [[0, 0, 10, 10], [50, 50, 5, 5]]


@pytest.mark.parametrize(
    ("boxes", "least", "message"),
    [
        ([[1, 2, 3]], 0.3, r"boxes of shape \(1, 3\): expected \(N, 4\)"),
        ([1, 2, 3, 4], 0.3, r"boxes of shape \(4,\): expected \(N, 4\)"),
        ([[1, 2, 3, np.nan]], 0.3, "not finite: drop them"),
        ([[1, 2, 3, 4]], 0.0, "least 0.0: expected an overlap above 0"),
    ],
)
def test_bad_arguments(boxes, least, message):
    with pytest.raises(ValueError, match=message):
        associate([], boxes, least=least)
