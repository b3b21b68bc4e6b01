"""VOT's protocols against small cases worked out by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from siamtrack.data.sequence import Dataset, Sequence
from siamtrack.errors import ResultsError
from siamtrack.evaluation import evaluate_vot
from siamtrack.evaluation.vot import files, multistart, supervised
from siamtrack.evaluation.vot.multistart import failed_at, run_anchor
from siamtrack.evaluation.vot.regions import overlaps
from siamtrack.evaluation.vot.supervised import (
    FAILURE,
    INIT,
    RESULT,
    SKIPPED,
    SupervisedRun,
    fragments,
    run_supervised,
)
from tests.evaluation.toys import Blob, Squares, Still, toys, walk


def jumper(frames=40, at=20):
    """A target that is elsewhere from frame `at` on."""
    boxes = np.tile([10.0, 10, 12, 12], (frames, 1))
    boxes[at:, 0] = 50
    return Sequence("jump", Squares(boxes), boxes, size=(80, 60))


def test_a_lost_target_is_a_failure_and_a_new_start_five_frames_later():
    run = run_supervised(Still(), jumper())
    assert run.codes[[0, 19, 20, 21, 24, 25, 26]].tolist() == [
        INIT,
        RESULT,
        FAILURE,
        SKIPPED,
        SKIPPED,
        INIT,
        RESULT,
    ]
    assert run.failures == 1
    assert np.isnan(run.boxes[[0, 20, 22, 25]]).all()
    assert (run.times > 0).tolist() == [*[True] * 21, *[False] * 4, *[True] * 15]
    kept, failed = zip(*fragments(run, jumper()), strict=True)
    assert [len(part) for part in kept] == [20, 15]
    assert failed == (True, False)


def test_accuracy_leaves_out_ten_frames_after_each_start():
    sequence = jumper()
    run = run_supervised(Still(), sequence)
    run.boxes[10:20, 2] = 6  # half of the width: overlap 1/2
    assert supervised.accuracy([(run, sequence)]) == pytest.approx((10 * 0.5 + 5 * 1.0) / 15)
    assert supervised.accuracy([(run, sequence)], burn_in=1) == pytest.approx(
        (9 * 1 + 10 * 0.5 + 14 * 1.0) / 33
    )


def test_no_restart_where_there_is_no_target():
    boxes = jumper().boxes.copy()
    boxes[25:28] = np.nan
    run = run_supervised(Still(), Sequence("jump", Squares(boxes), boxes))
    assert run.codes[[25, 27, 28]].tolist() == [SKIPPED, SKIPPED, INIT]


def expected_slow(parts, n):
    """The mean over parts of the mean overlap in the n frames after the start, by its words."""
    means = []
    for overlap, failed in parts:
        after = list(overlap[1:])
        if failed:
            after += [0.0] * n
        if len(after) >= n:
            means.append(sum(after[:n]) / n)
    return sum(means) / len(means) if means else float("nan")


def test_expected_overlap_against_a_slow_oracle():
    rng = np.random.default_rng(0)
    parts = [(rng.random(k), bool(k % 2)) for k in (5, 9, 12, 20)]
    curve = supervised.expected_overlap_curve(parts, 20)
    assert curve[0] == 1
    np.testing.assert_allclose(curve[1:], [expected_slow(parts, n) for n in range(1, 20)])
    assert supervised.expected_average_overlap(curve, 3, 8) == pytest.approx(curve[3:9].mean())


def test_regions_are_counted_in_whole_pixels():
    box = np.array([[10.0, 10, 20, 10]])
    polygon = np.array(
        [[10.0, 10, 29, 10, 29, 19, 10, 19]]
    )  # its right and lower edge belong to it
    assert overlaps(box, polygon).tolist() == [1.0]
    assert overlaps(box, np.add(box, [0.4, -0.4, 0.3, 0.2])).tolist() == [1.0]
    assert overlaps(box, np.add(box, [5.4, 0, 0, 0]))[0] == pytest.approx(15 / 25)
    assert overlaps(box, polygon + np.tile([100.0, 0], 4)).tolist() == [0.0]
    assert overlaps(box, np.full((1, 8), np.nan)).tolist() == [0.0]
    assert overlaps(box, np.full((1, 4), np.nan)).tolist() == [0.0]
    outside = np.array([[-10.0, 0, 20, 10]])
    assert overlaps(outside, [[0.0, 0, 10, 10]], (80, 60)).tolist() == [1.0]
    assert overlaps(outside, [[0.0, 0, 9, 0, 9, 9, 0, 9]], (80, 60)).tolist() == [1.0]
    assert overlaps(outside - [50, 0, 0, 0], polygon, (80, 60)).tolist() == [0.0]


def test_two_rules_for_what_is_one_pixel_wide():
    thin = np.array([[10.0, 10, 1, 20]])
    assert overlaps(thin, np.add(thin, [0, 5, 0, 0])).tolist() == [1.0]  # together one column
    edge = np.array([[79.0, 10, 12, 20]])
    assert overlaps(edge, edge, (80, 60)).tolist() == [0.0]  # the frame shows one column
    assert overlaps(edge, edge, (81, 60)).tolist() == [1.0]


def test_overlaps_are_those_of_the_toolkit():
    """To the last bit, for 180 pairs of random boxes and polygons.

    `benchmarks/vot_agreement.py --overlaps` wrote the file.
    """
    cases = json.loads((Path(__file__).parent / "vot_overlaps.json").read_text())
    for kind in ("boxes", "box and polygon", "polygons"):
        found = [overlaps([a], [b], (80, 60))[0] for a, b, _ in cases[kind]]
        assert found == [value for _, _, value in cases[kind]]


def test_failure_of_a_run_from_an_anchor():
    assert failed_at(np.array([0, 1, *[0.05] * 10])) == 2
    assert failed_at(np.array([0, 1, *[0.05] * 9])) is None
    assert failed_at(np.array([0, 1, *[0.05] * 9, 0.5, *[0.0] * 12])) == 12


def test_anchors_run_both_ways():
    sequence = jumper()
    run = run_anchor(Blob(), sequence, 30, -1)
    assert run.frames(40).tolist() == list(range(30, -1, -1))
    overlap = multistart.anchor_overlaps(run, sequence)
    assert overlap[0] == 0
    assert overlap[1:].min() > 0.8
    lost = multistart.anchor_overlaps(run_anchor(Still(), sequence, 30, -1), sequence)
    assert failed_at(lost) == 11
    accuracy, robustness, tracked = multistart.accuracy_robustness([lost])
    assert (accuracy, robustness, tracked) == pytest.approx((10 / 11, 11 / 31, 11))


def test_multistart_curve_by_hand():
    """One run to the end, one that fails at once and has eleven frames."""
    good, bad = np.array([0, 1.0, 0.5, 1]), np.array([0, 0.9, *[0.0] * 12])
    assert failed_at(bad) == 2
    curve = multistart.expected_overlap_curve([good, bad], 20)
    assert curve[0] == 1
    np.testing.assert_allclose(curve[1:4], [(1 + 0.9) / 2, (0.75 + 0.45) / 2, (2.5 + 0.9) / 6])
    np.testing.assert_allclose(curve[4:14], 0.9 / np.arange(4, 14))  # the failed one alone
    np.testing.assert_allclose(curve[14:], 0.9 / np.arange(13, 19))  # the toolkit's n - 1
    alone = multistart.expected_overlap_curve([good], 8)
    assert np.isnan(alone[4:]).all()
    assert multistart.expected_average_overlap(alone, 2, 6) == pytest.approx((0.75 + 2.5 / 3) / 4)
    assert np.isnan(multistart.expected_average_overlap(alone, 4, 8))


def test_frames_without_a_target_end_a_failure_and_count_as_nothing():
    overlap = np.array([0, 1.0, *[0.0] * 6, np.nan, *[0.0] * 6])
    assert failed_at(overlap) is None
    assert failed_at(np.nan_to_num(overlap)) == 2
    assert multistart.accuracy_robustness([overlap]) == pytest.approx((1 / 15, 1, 15))


def test_longer_sequences_weigh_more():
    """Accuracy and failures per 100 frames by frames; the number of failures by sequences."""
    easy = np.tile([10.0, 10, 12, 12], (20, 1))
    data = Dataset("two", [jumper(), Sequence("easy", Squares(easy), easy, size=(80, 60))])
    figures = evaluate_vot({"still": Still}, data)
    rows, overall = figures.sequences["still"], figures.overall["still"]
    assert (rows["jump"]["failures"], rows["easy"]["failures"]) == (1, 0)
    assert overall["failures"] == 0.5
    assert overall["failures/100"] == pytest.approx(100 / 60)
    mean = (40 * rows["jump"]["accuracy"] + 20 * rows["easy"]["accuracy"]) / 60
    assert overall["accuracy"] == pytest.approx(mean)
    anchored = evaluate_vot({"still": Still}, data, protocol="vot-multistart")
    parts = anchored.sequences["still"]
    mean = (40 * parts["jump"]["robustness"] + 20 * parts["easy"]["robustness"]) / 60
    assert anchored.overall["still"]["robustness"] == pytest.approx(mean)


SQUARE = [0, 0, 10, 0, 10, 10, 0, 10]


def vot():
    polygons = [np.add(np.tile(walk(k, 60)[:, :2], 4), SQUARE) for k in range(2)]
    return Dataset(
        "VOT2018",
        [
            Sequence(f"s{k}", Squares(walk(k, 60)), walk(k, 60), polygons=p, size=(80, 60))
            for k, p in enumerate(polygons)
        ],
    )


@pytest.mark.parametrize("protocol", ["vot", "vot-multistart"])
def test_runs_are_files_that_are_resumed_and_read(protocol, tmp_path):
    trackers = {"blob": Blob, "still": Still}
    ran = evaluate_vot(trackers, vot(), protocol=protocol, out=tmp_path, interval=(5, 30))
    assert ran.trackers == ("blob", "still")
    assert ran.columns[:2] == ("EAO", "accuracy")
    names = sorted(p.name for p in (tmp_path / "blob" / "baseline" / "s0").glob("*.txt"))
    assert names[0] == ("s0_001.txt" if protocol == "vot" else "s0_00000000.txt")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.txt")}
    first, second = sorted(before)[:2]
    second.write_text("")
    again = evaluate_vot(trackers, vot(), protocol=protocol, out=tmp_path, interval=(5, 30))
    assert first.stat().st_mtime_ns == before[first]
    read = evaluate_vot(
        {name: tmp_path / name for name in trackers}, vot(), protocol=protocol, interval=(5, 30)
    )
    assert again.to_dict() == ran.to_dict() == read.to_dict()
    both = evaluate_vot(
        {"blob": Blob}, vot(), protocol=protocol, workers=2, interval=(5, 30), out=tmp_path / "two"
    )
    assert both.overall["blob"] == pytest.approx(ran.overall["blob"])


def test_years_have_intervals_and_others_need_one():
    assert "EAO" not in evaluate_vot({"b": Blob}, vot()).overall["b"]  # no run has 100 frames
    figures = evaluate_vot({"b": Blob}, toys())
    assert "no EAO: the data set has no interval" in figures.table()
    with pytest.raises(ValueError, match="expected vot or vot-multistart"):
        evaluate_vot({"b": Blob}, toys(), protocol="ope")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["1", "1,2,3,4"], "too short, 2 lines for 3 frames"),
        (["1", "1,2,3,4", "1,2,3,4", "0"], "too long"),
        (["1", "7", "0"], "line 2: '7' is neither"),
        (["1", "1,2,3", "0"], "line 2"),
        (["1", "nan,2,3,4", "0"], "line 2"),
        (["1", "1,2,3,4", "1,1,2,1,2,2,1,2"], "line 2: boxes and polygons are mixed"),
        (["1,2,3,4", "0", "0"], "line 1: expected 1, a start"),
    ],
)
def test_bad_files_name_file_and_line(lines, message, tmp_path):
    path = tmp_path / "s_001.txt"
    path.write_text("\n".join(lines) + "\n")
    sequence = Sequence("s", Squares(walk(0, 3)), walk(0, 3))
    with pytest.raises(ResultsError, match=message) as error:
        files.read_supervised(path, sequence)
    assert "s_001.txt" in str(error.value)
    with pytest.raises(ResultsError, match="cannot be read"):
        files.read_supervised(tmp_path / "none.txt", sequence)


def test_published_polygons_are_read(tmp_path):
    path = tmp_path / "s_001.txt"
    path.write_text("1\n10,20,20,20,20,30,10,30\n2\n")
    run = files.read_supervised(path, Sequence("s", Squares(walk(0, 3)), walk(0, 3)))
    assert isinstance(run, SupervisedRun)
    assert run.boxes.shape == (3, 8)
    assert run.failures == 1


def test_all_repetitions_count(tmp_path):
    """Two runs, of which one fails once: half a failure on average."""
    data = Dataset("jump", [jumper()])
    once = evaluate_vot({"t": Still}, data, out=tmp_path).overall["t"]
    assert once["failures"] == 1
    good = ["1", *(f"{left:g},10,12,12" for left in jumper().boxes[1:, 0])]
    second = tmp_path / "t" / "baseline" / "jump" / "jump_002.txt"
    second.write_text("\n".join(good) + "\n")
    both = evaluate_vot({"t": tmp_path / "t"}, data).overall["t"]
    assert both["failures"] == 0.5
    with pytest.raises(ResultsError, match=r"jump_001\.txt: cannot be read"):
        evaluate_vot({"t": tmp_path / "none"}, data)
