"""The traps in which evaluators of this field differ; each test says which side we are on."""

import numpy as np
import pytest

from siamtrack.core.boxes import center_error, iou
from siamtrack.data.sequence import Dataset, NoFrames, Sequence
from siamtrack.evaluation import POLICIES, Policy, evaluate, evaluate_results, write_results
from siamtrack.evaluation.report import Report
from siamtrack.evaluation.scores import score_sequence
from tests.evaluation.toys import Blob, toys

RNG = np.random.default_rng(5)
TRUTH = np.concatenate([RNG.uniform(20, 60, (40, 2)), RNG.uniform(8, 30, (40, 2))], axis=1)
GUESS = TRUTH + RNG.normal(0, 3, TRUTH.shape)


def test_success_is_strict_so_that_truth_against_itself_gets_20_of_21():
    assert score_sequence("x", TRUTH, TRUTH).success == pytest.approx(20 / 21)


def test_minus_one_conventions_cancel():
    """Right = left + width - 1 with +1 in each extent, and (w - 1) / 2 centres, change nothing."""
    p, t = GUESS, TRUTH
    low = np.maximum(p[:, :2], t[:, :2])
    high = np.minimum(p[:, :2] + p[:, 2:] - 1, t[:, :2] + t[:, 2:] - 1)
    both = np.maximum(high - low + 1, 0).prod(axis=1)
    union = p[:, 2:].prod(axis=1) + t[:, 2:].prod(axis=1) - both
    np.testing.assert_allclose(iou(p, t), both / union, atol=1e-12)
    one_less = (p[:, :2] + (p[:, 2:] - 1) / 2) - (t[:, :2] + (t[:, 2:] - 1) / 2)
    np.testing.assert_allclose(center_error(p, t), np.linalg.norm(one_less, axis=1), atol=1e-12)


def test_an_offset_at_reading_does_change_figures():
    wrong = score_sequence("x", GUESS - [1, 1, 0, 0], TRUTH)
    assert wrong.success != score_sequence("x", GUESS, TRUTH).success


def test_integer_boxes_cost_accuracy():
    assert score_sequence("x", TRUTH.round(), TRUTH).ao < 0.99


def test_absent_frames_are_in_neither_sum_nor_divisor():
    truth = TRUTH.copy()
    truth[10:20] = np.nan
    kept = np.r_[0:10, 20:40]
    assert score_sequence("x", GUESS, truth).metrics() == pytest.approx(
        score_sequence("x", GUESS[kept], TRUTH[kept]).metrics()
    )


def test_invalid_frames_are_hits_for_no_metric_of_ours():
    truth = TRUTH.copy()
    truth[5, 2:] = 0
    far = GUESS.copy()
    far[5] = [500, 500, 5, 5]
    ours = score_sequence("x", far, truth)
    theirs = score_sequence("x", far, truth, policy=POLICIES["otb-toolkit"])
    assert theirs.precision - ours.precision == pytest.approx(1 / 40)


def test_a_prediction_that_is_not_finite_is_a_miss_not_the_box_before():
    lost = TRUTH.copy()
    lost[7] = np.nan
    score = score_sequence("x", lost, TRUTH)
    assert (score.precision, score.sr50, score.ao) == pytest.approx((39 / 40,) * 3)


def test_the_first_frame_counts_unless_the_benchmark_says_otherwise():
    bad = TRUTH.copy()
    bad[1:] = [900, 900, 5, 5]
    assert score_sequence("x", bad, TRUTH).sr50 == pytest.approx(1 / 40)
    assert score_sequence("x", bad, TRUTH, policy=Policy(skip_first=True)).sr50 == 0


def test_speed_is_frames_over_total_time():
    """The mean of 1/t would say 500.5 frames per second here."""
    times = np.array([0.001, 1.0] * 5)
    score = score_sequence("x", TRUTH[:10], TRUTH[:10], times=times)
    report = Report("x", {"t": (score,)})
    assert report.speed("t")["fps"] == pytest.approx(10 / 5.005)
    assert report.speed("t")["p95_ms"] == pytest.approx(1000)
    assert report.speed("t")["p50_ms"] == pytest.approx(500.5)


def got10k(size=(64, 48)):
    truth = TRUTH[:10]
    short = np.array([[5.0, 5, 10, 10]] * 4)
    return Dataset(
        "GOT-10k val",
        [
            Sequence("a", NoFrames(10), truth, size=size),
            Sequence("b", NoFrames(4), short, size=size),
        ],
        policy="got10k",
        nested=True,
    )


def test_got10k_clips_skips_the_first_frame_and_pools_frames(tmp_path):
    """By hand, as its paper and its toolkit have it."""
    data = got10k()
    guesses = {"a": GUESS[:10], "b": np.array([[5.0, 5, 10, 10]] * 4)}
    for name, boxes in guesses.items():
        write_results(tmp_path / "ours" / name / f"{name}_001.txt", boxes)
        np.savetxt(tmp_path / "ours" / name / f"{name}_time.txt", np.full(len(boxes), 0.01))
    report = evaluate_results(tmp_path / "ours", data)

    def inside(boxes):
        """Counted from 1; a box that begins outside keeps its width."""
        place = np.clip(boxes[:, :2] + 1, 0, [64, 48])
        return np.concatenate([place, np.clip(boxes[:, 2:], 0, [64, 48] - place)], axis=1)

    overlap = [iou(inside(guesses[s.name][1:]), inside(s.boxes[1:])) for s in data]
    pooled = np.concatenate(overlap)
    assert report.overall("ours")["ao"] == pytest.approx(pooled.mean(), abs=1e-4)
    assert report.overall("ours")["sr50"] == pytest.approx((pooled > 0.5).mean(), abs=1e-9)
    assert report.speed("ours")["fps"] == pytest.approx(100)
    assert report.curve("ours").shape == (21,)
    low, high = report.interval("ours", "ao")
    assert low <= report.overall("ours")["ao"] <= high


def test_clipping_needs_the_size(tmp_path):
    write_results(tmp_path / "t" / "a" / "a_001.txt", GUESS[:10])
    write_results(tmp_path / "t" / "b" / "b_001.txt", [[5.0, 5, 10, 10]] * 4)
    with pytest.raises(ValueError, match="its size is not known"):
        evaluate_results(tmp_path / "t", got10k(size=None))


def test_repetitions_are_averaged(tmp_path):
    data = got10k(size=(200, 200))
    write_results(tmp_path / "t" / "a" / "a_001.txt", TRUTH[:10])
    write_results(tmp_path / "t" / "a" / "a_002.txt", np.add(TRUTH[:10], [900, 0, 0, 0]))
    write_results(tmp_path / "t" / "b" / "b_001.txt", [[5.0, 5, 10, 10]] * 4)
    assert evaluate_results(tmp_path / "t", data).values("t", "sr50") == {"a": 0.5, "b": 1.0}


def test_results_of_a_nested_data_set_are_written_in_its_layout(tmp_path):
    data = Dataset("nested", toys(2).sequences, nested=True)
    report = evaluate(Blob, data, out=tmp_path)
    names = sorted(p.relative_to(tmp_path / "Blob").as_posix() for p in tmp_path.rglob("*.txt"))
    assert names[:3] == ["Toy0/Toy0_001.txt", "Toy0/Toy0_001_score.txt", "Toy0/Toy0_time.txt"]
    again = evaluate_results(tmp_path, data)
    assert again.overall("Blob") == report.overall("Blob")
    assert again.speed("Blob")["fps"] == pytest.approx(report.speed("Blob")["fps"])
