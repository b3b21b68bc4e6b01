import numpy as np
import pytest

import siamtrack
from siamtrack.core.boxes import iou
from siamtrack.tracking.follow import follow
from tests.helpers import clip


def test_targets_start_at_any_frame_and_again():
    pictures, boxes = clip(8)
    tracker = siamtrack.load(threads=1)
    starts = {2: {0: boxes[2]}, 4: {5: (20, 20, 30, 30)}, 6: {0: boxes[6]}}
    results = list(follow(pictures, starts, tracker))
    ids = [[track.id for track in tracks] for _, tracks in results]
    assert ids == [[], [], [0], [0], [0, 5], [0, 5], [0, 5], [0, 5]]
    np.testing.assert_array_equal(results[6][1][0].box, boxes[6])
    assert iou(results[7][1][0].box, boxes[7]) > 0.5


def test_stride_and_span():
    pictures, boxes = clip(12, speed=1.0)
    tracker = siamtrack.load(threads=1)
    results = list(follow(pictures, {2: {0: boxes[2]}}, tracker, start=2, end=11, stride=3))
    assert [frame.index for frame, _ in results] == [2, 5, 8]
    assert iou(results[-1][1][0].box, boxes[8]) > 0.5
    with pytest.raises(ValueError, match="frame 4, which is not taken"):
        follow(pictures, {4: {0: boxes[4]}}, tracker, start=2, stride=3)


def test_what_is_open_has_its_span():
    pictures, boxes = clip(12, speed=1.0)
    tracker = siamtrack.load(threads=1)
    video = siamtrack.open_video(pictures, start=2, end=11, stride=3)
    assert [frame.index for frame, _ in siamtrack.track(video, boxes[2], tracker=tracker)] == [
        2,
        5,
        8,
    ]
    again = siamtrack.open_video(pictures, start=2)
    assert len(list(follow(again, {2: {0: boxes[2]}}, tracker, start=2))) == 10
    with pytest.raises(ValueError, match=r"start=4.*was opened with Span\(start=2.*say .* once"):
        follow(again, {2: {0: boxes[2]}}, tracker, start=4)
    with pytest.raises(ValueError, match="no box for frame 2"):
        siamtrack.track(again, boxes={0: boxes[0]}, tracker=tracker)
