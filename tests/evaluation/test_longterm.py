import numpy as np
import pytest

from siamtrack.data.sequence import Dataset, NoFrames, Sequence
from siamtrack.errors import ResultsError
from siamtrack.evaluation import longterm_report, run_dataset
from siamtrack.evaluation.longterm import longterm, presence_auc, read_runs
from tests.evaluation.toys import Blob, Squares, walk


def case():
    """Ten frames, of which the last four lack the target; half overlap throughout."""
    truth = np.tile([0.0, 0, 10, 10], (10, 1))
    truth[6:] = np.nan
    boxes = np.tile([0.0, 0, 5, 10], (10, 1))
    scores = np.array([np.nan, 0.9, 0.9, 0.5, 0.5, 0.2, 0.1, 0.1, 0.6, 0.1])
    return Sequence("toy", NoFrames(10), truth), boxes, scores


def test_precision_and_recall_by_hand():
    result = longterm([case()], np.array([0.05, 0.4, 0.55, 0.95]))
    np.testing.assert_allclose(result.precision, [2.5 / 9, 2 / 5, 1 / 3, 1])
    np.testing.assert_allclose(result.recall, [2.5 / 5, 2 / 5, 1 / 5, 0])
    assert result.figures() == pytest.approx(
        {"F": 0.4, "precision": 0.4, "recall": 0.4, "threshold": 0.4}
    )


def test_a_box_that_is_not_finite_reports_nothing():
    sequence, boxes, scores = case()
    boxes[8] = np.nan
    assert longterm([(sequence, boxes, scores)], np.array([0.4])).precision[0] == 0.5


def test_sequences_weigh_alike_and_thresholds_come_from_the_scores():
    sequence, boxes, _ = case()
    perfect = (sequence, sequence.boxes, np.where(np.isnan(sequence.boxes[:, 0]), 0.0, 1.0))
    result = longterm([case(), perfect])
    assert {0.0, 0.1, 0.9, 1.0} <= set(result.thresholds.tolist())
    at = result.thresholds.tolist().index(0.9)
    np.testing.assert_allclose(result.recall[at], (0.2 + 1) / 2)
    for runs, message in (([], "no run"), ([(sequence, boxes, np.full(10, np.nan))], "no score")):
        with pytest.raises(ValueError, match=message):
            longterm(runs)


def test_roc_auc_by_hand_with_ties_and_frames_without_a_box():
    """Visible: 0.9 0.9 0.5 0.5 0.2; absent: 0.1 0.1 0.6 0.1; the first frame is given.

    Against each 0.1 all five win; against 0.6 two do: (3 * 5 + 2) / 20.
    """
    sequence, boxes, scores = case()
    assert presence_auc([case()]) == pytest.approx(17 / 20)
    scores[8] = 0.5  # ties with two of the visible: 2 wins and 2 halves
    assert presence_auc([(sequence, boxes, scores)]) == pytest.approx((15 + 2 + 1) / 20)
    boxes[1] = np.nan  # a visible frame without a box ranks last: one win less, and three more
    assert presence_auc([(sequence, boxes, scores)]) == pytest.approx((12 + 1 + 1) / 20)
    scores[:] = np.nan
    assert presence_auc([(sequence, boxes, scores)]) == 0.5


def test_roc_auc_takes_the_frames_of_all_runs_together():
    """Scores that are right in each sequence but not on one scale rank badly together."""
    sequence, boxes, _ = case()
    there = np.isfinite(sequence.boxes[:, 0])
    low, high = np.where(there, 0.2, 0.1), np.where(there, 0.9, 0.8)
    assert presence_auc([(sequence, boxes, low)]) == 1
    together = [(sequence, boxes, low), (sequence, boxes, high)]
    assert presence_auc(together) == pytest.approx(3 / 4)


def test_no_roc_auc_without_absence():
    boxes = np.tile([0.0, 0, 10, 10], (4, 1))
    always = Sequence("always", NoFrames(4), boxes)
    assert presence_auc([(always, boxes, np.arange(4.0))]) is None


def test_report(tmp_path):
    boxes = walk(0)
    boxes[15:] = np.nan
    data = Dataset("gone", [Sequence("a", Squares(boxes), boxes)])
    figures = longterm_report({"blob": run_dataset(Blob, data)}, data)
    assert figures.overall["blob"]["F"] > 0.8
    assert figures.table().splitlines()[1].split() == [
        "tracker",
        "F",
        "precision",
        "recall",
        "threshold",
        "ROC",
        "AUC",
    ]
    assert figures.overall["blob"]["ROC AUC"] == 1
    assert figures.sequences["blob"]["a"]["ROC AUC"] == 1
    assert "ROC AUC" in figures.to_json()
    assert "blob" in figures.to_csv()
    assert "<svg" in figures.to_html(tmp_path / "page.html").read_text(encoding="utf-8")


def test_runs_are_read_with_their_scores(tmp_path):
    boxes = walk(0)
    data = Dataset("toys", [Sequence("a", Squares(boxes), boxes)])
    ran = longterm_report({"blob": run_dataset(Blob, data, out=tmp_path, name="blob")}, data)
    read = longterm_report({"blob": read_runs(tmp_path / "blob", data)}, data)
    assert read.to_dict() == ran.to_dict()
    scores = tmp_path / "blob" / "a_score.txt"
    scores.write_text("0.5\n")
    with pytest.raises(ResultsError, match=r"a_score\.txt: 1 scores for 30 boxes"):
        read_runs(tmp_path / "blob", data)
    scores.unlink()
    with pytest.raises(ResultsError, match=r"a_score\.txt: cannot be read"):
        read_runs(tmp_path / "blob", data)
    (tmp_path / "blob" / "a.txt").unlink()
    with pytest.raises(ResultsError, match="no results of a"):
        read_runs(tmp_path / "blob", data)
