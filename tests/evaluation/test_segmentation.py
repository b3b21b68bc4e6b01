"""J and F against the definition, pixel by pixel."""

import math

import numpy as np
import pytest

from siamtrack.evaluation.segmentation import (
    contour,
    contour_accuracy,
    jaccard,
    mean_similarity,
    similarity,
)


def slow_contour(mask):
    height, width = mask.shape
    found = set()
    for y in range(height):
        for x in range(width):
            right, below = min(x + 1, width - 1), min(y + 1, height - 1)
            others = (mask[y, right], mask[below, x], mask[below, right])
            if any(other != mask[y, x] for other in others):
                found.add((y, x))
    return found


def slow_f(found, truth, bound):
    reach = math.ceil(bound * math.hypot(*found.shape))
    a, b = slow_contour(found), slow_contour(truth)
    if not a and not b:
        return 1.0
    if not a or not b:
        return 0.0

    def share(these, those):
        near = [any(math.dist(p, q) <= reach for q in those) for p in these]
        return sum(near) / len(near)

    precision, recall = share(a, b), share(b, a)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def test_f_is_what_the_definition_says():
    rng = np.random.default_rng(3)
    for _ in range(25):
        height, width = rng.integers(4, 24, 2)
        first = rng.random((height, width)) < rng.random()
        second = np.roll(first, rng.integers(-3, 4, 2), axis=(0, 1)) ^ (
            rng.random((height, width)) < 0.05
        )
        bound = rng.choice([0.008, 0.05, 0.1])
        assert {tuple(p) for p in np.argwhere(contour(first)).tolist()} == slow_contour(first)
        assert contour_accuracy(first, second, bound) == pytest.approx(slow_f(first, second, bound))


def square(side=200, shift=0):
    mask = np.zeros((side, side), bool)
    mask[50:150, 50 + shift : 150 + shift] = True
    return mask


def test_cases_of_the_definition():
    empty, here = np.zeros((200, 200)), square()
    assert jaccard(empty, empty) == contour_accuracy(empty, empty) == 1
    assert jaccard(here, here) == contour_accuracy(here, here) == 1
    assert jaccard(empty, here) == contour_accuracy(empty, here) == 0
    assert jaccard(here, empty) == contour_accuracy(here, empty) == 0
    # 0.8 % of a diagonal of 283 pixels is 3, rounded up
    assert contour_accuracy(square(shift=3), here) == 1
    assert 0.45 < contour_accuracy(square(shift=4), here) < 1
    assert jaccard(square(shift=3), here) == pytest.approx(97 / 103)
    # A mask that fills the frame has an area and no contour
    full = np.ones((200, 200))
    assert jaccard(full, here) == 0.25
    assert contour_accuracy(full, here) == contour_accuracy(here, full) == 0
    assert contour_accuracy(full, empty) == 1
    # 1 and more are pixels
    assert contour_accuracy(square(shift=4), here, bound=4) == 1


def test_mean_recall_and_decay():
    falling = similarity(np.linspace(1.0, 0.0, 41))
    assert falling.mean == pytest.approx(0.5)
    assert falling.recall == pytest.approx(20 / 41)  # over 0.5, not 0.5 itself
    assert falling.decay == pytest.approx(0.75)  # parts of 11 values that share their ends
    assert similarity([0.3]).decay == 0
    assert similarity([np.nan, 0.6, 0.8]).mean == pytest.approx(0.7)
    both = mean_similarity([falling, similarity([1.0])])
    assert (both.mean, both.decay) == (pytest.approx(0.75), pytest.approx(0.375))
    for values in ([], [np.nan]):
        with pytest.raises(ValueError, match="no values"):
            similarity(values)
    with pytest.raises(ValueError, match="no objects"):
        mean_similarity([])


def test_masks_of_different_sizes_are_no_pair():
    with pytest.raises(ValueError, match=r"shapes \(2, 3\) and \(3, 2\)"):
        jaccard(np.zeros((2, 3)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="expected"):
        contour_accuracy(np.zeros((2, 3, 1)), np.zeros((2, 3, 1)))
