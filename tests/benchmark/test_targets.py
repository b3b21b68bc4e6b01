import numpy as np
import pytest

from siamtrack.benchmark.latency import many_targets, spread
from tests.benchmark.toys import SEARCH_SECONDS, model, toy_clip


def test_one_batch_against_as_many_trackers():
    toy, steps = model(), []
    found = many_targets(toy, toy_clip(6), (1, 3), 2, lambda: steps.append(0))
    assert [each.targets for each in found] == [1, 3]
    assert len(steps) == 4
    for each in found:
        assert len(each.together_ms) == len(each.apart_ms) == 2
        assert min(each.together_ms) >= SEARCH_SECONDS * 1000 * each.targets
    # 5 updates of one target both ways and twice; then 2 of three, in a batch and one by one
    assert toy.runtime.batches == 20 * [1] + 2 * (2 * [3] + 6 * [1])


@pytest.mark.parametrize("count", [1, 4, 7, 64])
def test_targets_are_spread_over_the_frame(count):
    boxes = spread(np.array([50.0, 20.0, 30.0, 10.0]), (320, 240), count)
    assert boxes.shape == (count, 4)
    assert len(np.unique(boxes, axis=0)) == count
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, :2] + boxes[:, 2:] <= [320, 240]).all()
