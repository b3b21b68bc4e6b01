"""Metrics against slow oracles: loops over frames and thresholds, written from the definitions."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from siamtrack.evaluation import metrics
from siamtrack.evaluation.metrics import Policy, errors
from siamtrack.evaluation.scores import Case, average, score_cases, score_sequence

quick = settings(max_examples=60, deadline=None)
coordinate = st.floats(-50, 150, width=32) | st.integers(-20, 60).map(float)
size = st.integers(0, 40).map(float) | st.floats(0.125, 90, width=32)


@st.composite
def runs(draw, bad=True):
    """Predicted and true boxes; NaN, infinity and boxes without area among them if `bad`."""
    count = draw(st.integers(1, 12))
    pairs = []
    for _ in range(2):
        place = draw(arrays(float, (count, 2), elements=coordinate))
        extent = draw(arrays(float, (count, 2), elements=size if bad else size.filter(bool)))
        pairs.append(np.concatenate([place, extent], axis=1))
    predicted, truth = pairs
    for row in range(count):
        if draw(st.booleans()):  # near boxes too: random ones hardly ever overlap
            predicted[row] = truth[row] + draw(st.integers(-6, 6))
            predicted[row, 2:] = truth[row, 2:]
    if bad:
        for boxes, kind in ((predicted, math.inf), (predicted, math.nan), (truth, math.nan)):
            row = draw(st.integers(0, 2 * count))
            if row < count:
                boxes[row, draw(st.integers(0, 3))] = kind
    return predicted, truth


def oracle(predicted, truth, without_area="count", skip_first=False):
    """Return (overlap, distance, normalized) of the counted frames, in inclusive 1-based pixels.

    OTB's own scripts count pixels from 1 and ends as left + width - 1; the constants cancel.
    """
    rows, first = [], True
    for p, t in zip(predicted.tolist(), truth.tolist(), strict=True):
        if not all(map(math.isfinite, t)):
            continue
        if first and skip_first:
            first = False
            continue
        first = False
        area = t[2] > 0 and t[3] > 0
        if not area and without_area == "drop":
            continue
        touches = t[0] + 1 <= 0 or t[1] + 1 <= 0
        if without_area == "otb-toolkit" and (not area or touches):
            rows.append((-1.0, -1.0, -1.0))
            continue
        if not all(map(math.isfinite, p)):
            rows.append((0.0, math.inf, math.inf))
            continue
        a, b = [p[0] + 1, p[1] + 1, *p[2:]], [t[0] + 1, t[1] + 1, *t[2:]]
        inside = 1.0
        for k in (0, 1):
            end = min(a[k] + a[k + 2] - 1, b[k] + b[k + 2] - 1)
            inside *= max(0.0, end - max(a[k], b[k]) + 1)
        union = a[2] * a[3] + b[2] * b[3] - inside
        offset = [a[k] + (a[k + 2] - 1) / 2 - b[k] - (b[k + 2] - 1) / 2 for k in (0, 1)]
        relative = math.hypot(offset[0] / t[2], offset[1] / t[3]) if area else math.inf
        rows.append((inside / union if union > 0 else 0.0, math.hypot(*offset), relative))
    return rows


@quick
@given(runs(), st.sampled_from(["count", "drop", "otb-toolkit"]), st.booleans())
def test_errors_agree_with_the_oracle(run, without_area, skip_first):
    predicted, truth = run
    expected = oracle(predicted, truth, without_area, skip_first)
    policy = Policy(without_area, skip_first)
    if not expected:
        with pytest.raises(ValueError, match="no frame counts"):
            errors(predicted, truth, policy)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = errors(predicted, truth, policy)
    overlap, distance, normalized = np.array(expected).T
    np.testing.assert_allclose(found.overlap, overlap, atol=1e-6)
    np.testing.assert_allclose(found.distance, distance, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.normalized, normalized, rtol=1e-9, atol=1e-9)


@quick
@given(st.lists(st.floats(-1, 1) | st.sampled_from([0.05 * k for k in range(21)]), min_size=1))
def test_success_curve_counts_frames_strictly_above(values):
    thresholds = np.linspace(0, 1, 21).tolist()
    expected = [sum(v > t for v in values) / len(values) for t in thresholds]
    assert metrics.success_curve(values).tolist() == pytest.approx(expected, abs=1e-15)
    assert metrics.success_rate(values, 0.5) == pytest.approx(expected[10], abs=1e-15)


@quick
@given(st.lists(st.floats(0, 60) | st.integers(0, 55) | st.just(math.inf), min_size=1))
def test_precision_curves_count_frames_up_to_and_with_the_threshold(values):
    expected = [sum(v <= t for v in values) / len(values) for t in range(51)]
    assert metrics.precision_curve(values).tolist() == pytest.approx(expected, abs=1e-15)
    shares = [value / 100 for value in values]
    thresholds = np.linspace(0, 0.5, 51).tolist()
    expected = [sum(v <= t for v in shares) / len(shares) for t in thresholds]
    assert metrics.normalized_precision_curve(shares).tolist() == pytest.approx(expected, abs=1e-15)


@quick
@given(st.lists(runs(), min_size=1, max_size=4), st.sampled_from(["count", "otb-toolkit"]))
def test_many_sequences_at_once_score_like_each_alone(pairs, without_area):
    cases = [Case(f"toy{k}", *pair, size=(90, 70)) for k, pair in enumerate(pairs)]
    policy = Policy(without_area, clip=True)
    if any(not np.isfinite(case.truth).all(axis=1).any() for case in cases):
        with pytest.raises(ValueError, match="no frame counts"):
            score_cases(cases, policy)
        return
    for case, score in zip(cases, score_cases(cases, policy), strict=True):
        alone = score_sequence(case.name, case.predicted, case.truth, policy=policy, size=case.size)
        assert (score.sequence, score.frames, score.counted) == (
            alone.sequence,
            alone.frames,
            alone.counted,
        )
        assert score.metrics() == pytest.approx(alone.metrics(), abs=1e-12)
        for kind in ("success_curve", "precision_curve", "norm_precision_curve"):
            assert getattr(score, kind).tolist() == getattr(alone, kind).tolist()


def test_values_that_are_no_numbers_are_misses():
    assert metrics.success_curve([math.nan, 0.5]).tolist() == [0.5] * 10 + [0] * 11
    assert metrics.precision_curve([math.nan, 0.0]).tolist() == [0.5] * 51


@quick
@given(runs(bad=False))
def test_truth_against_itself_gets_twenty_of_21(run):
    score = score_sequence("toy", run[1], run[1])
    assert score.success == pytest.approx(20 / 21, abs=1e-15)
    figures = score.precision, score.norm_precision, score.ao, score.sr50, score.sr75
    assert figures == pytest.approx((1, 1, 1, 1, 1))


@quick
@given(runs(bad=False), st.integers(-40, 40), st.sampled_from([0.5, 2.0, 4.0]))
def test_moving_and_scaling_everything(run, move, scale):
    predicted, truth = (np.add(np.round(boxes), [0, 0, 1, 1]) for boxes in run)
    before = errors(predicted, truth)
    moved = errors(*(np.add(boxes, [move, -move, 0, 0]) for boxes in (predicted, truth)))
    scaled = errors(predicted * scale, truth * scale)
    for after, factor in ((moved, 1), (scaled, scale)):
        np.testing.assert_allclose(after.overlap, before.overlap, atol=1e-12)
        np.testing.assert_allclose(after.distance, before.distance * factor, atol=1e-9)
        np.testing.assert_allclose(after.normalized, before.normalized, atol=1e-9)


def test_thresholds_are_on_the_strict_side_in_success_and_not_in_precision():
    truth = [[0, 0, 10, 10]] * 2
    half = score_sequence("half", [[0, 0, 10, 5], [0, 0, 10, 5.01]], truth)
    assert half.sr50 == 0.5  # an overlap of exactly 0.5 does not succeed
    assert half.success_curve[10] == 0.5
    far = score_sequence("far", [[20, 0, 10, 10], [0, 20.001, 10, 10]], truth)
    assert far.precision == 0.5  # an error of exactly 20 px is precise


def test_normalized_precision_by_hand():
    # truth 10 x 20; center off by (1, 4): (0.1, 0.2), length 0.2236
    score = score_sequence("toy", [[1, 4, 10, 20]], [[0, 0, 10, 20]])
    assert score.norm_precision_02 == 0
    assert score.norm_precision_curve.tolist() == [0.0] * 23 + [1.0] * 28
    assert score.norm_precision == pytest.approx(28 / 51)


def test_absent_frames_do_not_count_and_lost_boxes_are_misses():
    truth = [[0, 0, 8, 6], [math.nan] * 4, [0, 0, 8, 6]]
    lost = score_sequence("toy", [[0, 0, 8, 6], [0, 0, 8, 6], [math.nan] * 4], truth)
    assert (lost.frames, lost.counted) == (3, 2)
    assert lost.precision_curve.tolist() == [0.5] * 51
    assert lost.success == pytest.approx(0.5 * 20 / 21)
    assert (lost.ao, lost.norm_precision) == (0.5, 0.5)


def test_frame_without_area_under_each_policy():
    truth, predicted = [[5, 5, 8, 6], [5, 5, 0, 6]], [[5, 5, 8, 6]] * 2
    count, drop, toolkit = (
        score_sequence("toy", predicted, truth, policy=Policy(kind))
        for kind in ("count", "drop", "otb-toolkit")
    )
    assert [score.counted for score in (count, drop, toolkit)] == [2, 1, 2]
    assert [score.sr50 for score in (count, drop, toolkit)] == [0.5, 1.0, 0.5]
    assert [score.precision_curve[0] for score in (count, drop, toolkit)] == [0.5, 1.0, 1.0]
    assert [score.ao for score in (count, drop, toolkit)] == [0.5, 1.0, 0.5]
    assert count.norm_precision == 0.5


def test_official_toolkit_misses_a_box_at_the_border_in_success_only():
    truth = [[5, 5, 8, 6], [-1, 5, 8, 6], [-0.5, 5, 8, 6]]
    score = score_sequence("toy", truth, truth, policy=Policy("otb-toolkit"))
    assert score.sr50 == pytest.approx(2 / 3)
    assert score.precision == 1
    assert score_sequence("toy", truth, truth).sr50 == 1


def test_skip_first_leaves_out_the_first_annotated_frame():
    truth = [[math.nan] * 4, [0, 0, 8, 6], [0, 0, 8, 6]]
    predicted = [[0, 0, 8, 6], [0, 0, 8, 6], [50, 50, 8, 6]]
    assert score_sequence("toy", predicted, truth).ao == 0.5
    skipped = score_sequence("toy", predicted, truth, policy=Policy(skip_first=True))
    assert (skipped.ao, skipped.counted) == (0, 1)


@pytest.mark.parametrize(
    ("predicted", "truth", "message"),
    [
        ([[0, 0, 1, 1]], [[0, 0, 1, 1]] * 2, "expected two arrays"),
        ([0, 0, 1, 1], [0, 0, 1, 1], "expected two arrays"),
        ([[0, 0, 1]], [[0, 0, 1]], "expected two arrays"),
        ([[0, 0, 1, 1]], [[math.nan] * 4], "no frame counts"),
        (np.zeros((0, 4)), np.zeros((0, 4)), "no frame counts"),
    ],
)
def test_bad_input(predicted, truth, message):
    with pytest.raises(ValueError, match=message):
        errors(predicted, truth)


def test_empty_curves_and_unknown_policies_are_errors():
    for curve in (metrics.success_curve, metrics.precision_curve):
        with pytest.raises(ValueError, match="no frame"):
            curve([])
    with pytest.raises(ValueError, match="'dorp': expected count, drop or otb-toolkit"):
        Policy("dorp")


def test_average_of_runs_weighs_them_alike():
    truth = np.tile([0.0, 0, 8, 6], (10, 1))
    good = score_sequence("toy", truth, truth, times=[0.1] * 10)
    bad = score_sequence("toy", np.add(truth[:2], [90, 0, 0, 0]), truth[:2], times=[0.3] * 2)
    both = average([good, bad])
    assert both.success == pytest.approx(10 / 21)
    assert (both.counted, both.ao, both.sr50, both.precision) == (6, 0.5, 0.5, 0.5)
    assert both.fps == pytest.approx(12 / 1.6)
    assert average([good]) is good
