"""Evaluating files that exist already: layouts, and what is missing, short, long or damaged."""

import numpy as np
import pytest

from siamtrack.data.sequence import Dataset, NoFrames, Sequence
from siamtrack.errors import ResultsError
from siamtrack.evaluation import evaluate_results, write_results
from siamtrack.evaluation.scores import score_sequence
from tests.evaluation.toys import toys


@pytest.fixture
def dataset():
    return toys(3, origin=1)


def write(folder, dataset, shift=0.0, origin=1):
    for toy in dataset:
        write_results(
            folder / f"{toy.name}.txt", np.add(toy.boxes, [shift, 0, 0, 0]), origin=origin
        )
    return folder


def test_every_way_to_name_folders(dataset, tmp_path):
    near, far = (
        write(tmp_path / "r" / "near", dataset, 1),
        write(tmp_path / "r" / "far", dataset, 5),
    )
    (tmp_path / "r" / "readme.txt").write_text("not results")
    (tmp_path / "r" / "empty").mkdir()
    expected = {}
    for name, shift in (("near", 1.0), ("far", 5.0)):
        scores = [score_sequence("x", np.add(t.boxes, [shift, 0, 0, 0]), t.boxes) for t in dataset]
        expected[name] = np.mean([score.success for score in scores])
    for results in (tmp_path / "r", str(tmp_path / "r"), [far, near], {"near": near, "far": far}):
        report = evaluate_results(results, dataset)
        assert report.trackers == ("near", "far")
        for name in report.trackers:
            assert report.overall(name)["success"] == pytest.approx(expected[name], abs=1e-12)
    assert evaluate_results(near, dataset).trackers == ("near",)
    assert report.notes == ()
    assert [score.sequence for score in report.of("far")] == list(dataset.names)


def test_a_wrong_base_shows(dataset, tmp_path):
    """Boxes that are one pixel off by their base do not score as the truth."""
    right, wrong = write(tmp_path / "right", dataset), write(tmp_path / "wrong", dataset, origin=0)
    report = evaluate_results([right, wrong], dataset)
    assert report.overall("right")["ao"] == 1
    assert report.overall("wrong")["ao"] < 0.95


def test_missing_sequences(dataset, tmp_path):
    folder = write(tmp_path / "a", dataset)
    (folder / "Toy1.txt").unlink()
    with pytest.raises(ResultsError, match=r"no results of 1 of 3 sequences: Toy1; add them"):
        evaluate_results(folder, dataset)
    report = evaluate_results(folder, dataset, partial=True)
    assert report.notes == ("a: no results of Toy1",)
    assert len(report.of("a")) == 2
    (tmp_path / "b").mkdir()
    with pytest.raises(ResultsError, match="no results of 3 of 3 sequences"):
        evaluate_results({"b": tmp_path / "b"}, dataset, partial=True)


@pytest.mark.parametrize(("rows", "word"), [(27, "short"), (33, "long")])
def test_wrong_lengths(rows, word, dataset, tmp_path):
    folder = write(tmp_path / "a", dataset)
    boxes = np.resize(dataset["Toy2"].boxes, (rows, 4))
    write_results(folder / "Toy2.txt", boxes, origin=1)
    with pytest.raises(ResultsError, match=rf"Toy2\.txt: too {word}, line {rows} is the last"):
        evaluate_results(folder, dataset)
    for lengths in ("align", "cut"):
        report = evaluate_results(folder, dataset, lengths=lengths)
        compared = min(rows, 30)
        assert report.notes == (f"a: Toy2 has {rows} rows for 30 frames, {compared} compared",)
        assert report.of("a")[2].counted == compared
        assert report.values("a", "ao")["Toy2"] == 1
        assert f"note: a: Toy2 has {rows} rows" in report.table()


def test_rows_before_the_first_frame(tmp_path):
    boxes = toys(1)[0].boxes
    tiger = Sequence("Tiger1", NoFrames(25), boxes[5:], dropped_first=5)
    dataset = Dataset("some", [tiger])
    write_results(tmp_path / "a" / "Tiger1.txt", boxes)
    report = evaluate_results(tmp_path / "a", dataset)
    assert report.overall("a")["ao"] == 1
    assert report.notes == ("a: Tiger1 has 30 rows for 25 frames, 25 compared",)
    shifted = evaluate_results(tmp_path / "a", dataset, lengths="cut")
    assert shifted.overall("a")["ao"] < 0.9


def test_nan_rows(dataset, tmp_path):
    folder = write(tmp_path / "a", dataset)
    boxes = dataset["Toy0"].boxes.copy()
    boxes[3:6] = np.nan
    write_results(folder / "Toy0.txt", boxes, origin=1)
    with pytest.raises(ResultsError, match=r"Toy0\.txt, line 4: NaN .*3 such rows"):
        evaluate_results(folder, dataset)
    report = evaluate_results(folder, dataset, absent=True)
    assert report.values("a", "ao")["Toy0"] == pytest.approx(0.9)


def test_folders_that_hold_nothing(dataset, tmp_path):
    with pytest.raises(ResultsError, match="no such folder of raw results"):
        evaluate_results(tmp_path / "none", dataset)
    with pytest.raises(ResultsError, match=r"named after the sequences of toys, such as Toy0\.txt"):
        evaluate_results(tmp_path, dataset)


def test_two_folders_of_one_name(dataset, tmp_path):
    folders = [write(tmp_path / name / "results", dataset) for name in "ab"]
    with pytest.raises(ValueError, match="the same name; pass a mapping"):
        evaluate_results(folders, dataset)
    report = evaluate_results(dict(zip("ab", folders, strict=True)), dataset)
    assert set(report.trackers) == {"a", "b"}
