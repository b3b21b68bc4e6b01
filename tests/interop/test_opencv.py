import numpy as np

import siamtrack
from siamtrack.core.boxes import iou
from tests.helpers import clip


def test_shape_of_opencv_and_honest_ok():
    pictures, boxes = clip(8)
    tracker = siamtrack.OpenCVTracker(siamtrack.load(threads=1))
    tracker.init(pictures[0][..., ::-1], tuple(int(v) for v in boxes[0]))
    for picture, truth in zip(pictures[1:], boxes[1:], strict=True):
        ok, box = tracker.update(picture[..., ::-1])
        assert ok
        assert iou(box, truth) > 0.5
        assert isinstance(box, tuple)
    assert tracker.getTrackingScore() > 0.5
    empty = np.full_like(pictures[0], 90)
    answers = [tracker.update(empty)[0] for _ in range(8)]
    assert answers[-1] is False


def test_colours_are_swapped():
    pictures, boxes = clip(3)
    plain, adapted = siamtrack.load(threads=1), siamtrack.OpenCVTracker(siamtrack.load(threads=1))
    plain.init(pictures[0], boxes[0])
    adapted.init(np.ascontiguousarray(pictures[0][..., ::-1]), boxes[0])
    expected = plain.update(pictures[1]).box
    np.testing.assert_array_equal(adapted.update(pictures[1][..., ::-1])[1], expected)
