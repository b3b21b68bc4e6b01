import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siamtrack.evaluation.scores import confidence_interval, paired_test

figures = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@settings(max_examples=30, deadline=None)
@given(figures)
def test_interval_holds_the_mean_and_depends_on_the_seed_alone(values):
    low, high = confidence_interval(values, resamples=500)
    assert min(values) - 1e-12 <= low <= high <= max(values) + 1e-12
    assert (low, high) == confidence_interval(values, resamples=500)
    narrow = confidence_interval(values, level=0.5, resamples=500)
    assert low <= narrow[0] <= narrow[1] <= high


def test_interval_is_that_of_the_central_limit_theorem():
    values = np.random.default_rng(3).uniform(0, 1, 400)
    low, high = confidence_interval(values)
    half = 1.96 * values.std() / math.sqrt(len(values))
    assert low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_interval_covers_the_true_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(200):
        low, high = confidence_interval(rng.beta(2, 1, 50), level=0.8, seed=trial, resamples=300)
        hits += low <= 2 / 3 <= high
    assert hits / 200 == pytest.approx(0.8, abs=0.09)


def by_flipping_coins(wins, losses):
    """Return the part of all outcomes that are at least as uneven as this one."""
    count = wins + losses
    outcomes = [bin(k).count("1") for k in range(2**count)]
    return sum(abs(2 * o - count) >= abs(wins - losses) for o in outcomes) / len(outcomes)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([-0.2, 0.0, 0.1]), min_size=1, max_size=10))
def test_sign_test_is_an_exact_count_of_coin_flips(differences):
    base = np.full(len(differences), 0.5)
    test = paired_test(base + differences, base, resamples=50)
    assert (test.wins, test.losses) == (differences.count(0.1), differences.count(-0.2))
    assert test.wins + test.losses + test.ties == len(differences)
    assert test.p_value == pytest.approx(by_flipping_coins(test.wins, test.losses))
    assert test.difference == pytest.approx(np.mean(differences))


def test_swapping_the_trackers_swaps_the_result():
    rng = np.random.default_rng(1)
    a, b = rng.uniform(0, 1, (2, 20))
    one, other = paired_test(a, b), paired_test(b, a)
    assert (one.wins, one.losses, one.p_value) == (other.losses, other.wins, other.p_value)
    assert one.difference == pytest.approx(-other.difference)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


def test_pairing_sees_what_two_intervals_cannot():
    """A small steady gain stands out from the spread of the sequences."""
    base = np.random.default_rng(2).uniform(0, 1, 50)
    test = paired_test(base + 0.01, base)
    assert test.low == pytest.approx(0.01)
    assert test.p_value < 1e-10
    a, b = confidence_interval(base + 0.01), confidence_interval(base)
    assert a[0] < b[1]


@pytest.mark.parametrize("values", [[], [[0.1]], 0.5])
def test_bad_values(values):
    with pytest.raises(ValueError, match="expected values of shape"):
        confidence_interval(values)


def test_bad_level_and_unequal_shapes():
    for level in (0, 1, 95):
        with pytest.raises(ValueError, match=f"level {level}: expected a number between 0 and 1"):
            confidence_interval([0.5], level=level)
    with pytest.raises(ValueError, match=r"got \(1,\) and \(2,\)"):
        paired_test([0.1], [0.1, 0.2])
