"""Raw results files: what is read, what is refused and with which words, what is written."""

import os
import stat

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from siamtrack.data.sequence import Dataset, NoFrames, Sequence
from siamtrack.errors import ResultsError
from siamtrack.evaluation import read_results, write_results
from siamtrack.evaluation.results import find_results, fit_lengths

ROWS = [[2.0, 3.0, 10.0, 20.0], [4.0, 5.0, 11.0, 21.0]]


def sequence(name, rows=3, **options):
    return Sequence(name, NoFrames(rows), np.tile([0.0, 0, 8, 6], (rows, 1)), **options)


@pytest.fixture
def dataset():
    names = ("Jogging-1", "Jogging-2", "FaceOcc1", "Human4-2", "Car2", "Car24")
    return Dataset("some", map(sequence, names), aliases={"Human4": "Human4-2"})


@pytest.mark.parametrize(
    "text",
    [
        "2,3,10,20\n4,5,11,21\n",
        "2\t3\t10\t20\r\n4\t5\t11\t21\r\n",
        "2 3 10 20\n4 5 11 21",
        "2.0, 3.0, 10.0, 20.0\n4.0 ,5.0 ,11.0 ,21.0\n\n\n",
        "2;3;10;20\n4;5;11;21\n",
        "\ufeff2,3,10,20,\n4,5,11,21,\n",
        "  2  3  1e1  20\n4,5\t11 21\n",
        "2,3,12,3,12,23,2,23\n4,26,15,26,15,5,4,5\n",
    ],
    ids=["commas", "tabs", "spaces", "mixed", "semicolons", "bom", "ragged", "polygons"],
)
def test_spellings_of_the_same_boxes(text, tmp_path):
    file = tmp_path / "toy.txt"
    file.write_bytes(text.encode())
    assert read_results(file).tolist() == ROWS
    assert read_results(file, origin=1).tolist() == [[1, 2, 10, 20], [3, 4, 11, 21]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "toy.txt: the file is empty"),
        ("\n \n", "toy.txt: the file is empty"),
        ("1,2,3,4\n1,2,3\n", "toy.txt, line 2: '1,2,3' is not a row of 4 numbers"),
        ("1,2,3,4\n\n1,2,3,4\n", "toy.txt, line 2: '' is not a row"),
        ("1,2,3\n", "toy.txt, line 1: '1,2,3' is not a row of 4 or 8 numbers"),
        ("1,2,3,4\n1,2,3,x\n", "toy.txt, line 2: '1,2,3,x'"),
        ("1,2,3,4\n1,2,inf,4\n", "toy.txt, line 2: '1,2,inf,4'"),
        ("1,2,3,4\n5,6,7,8\nnan,nan,nan,nan\n", "toy.txt, line 3: NaN where a box .*1 such row"),
        ("1,2,3,4\n1,2,3,NaN\n", "toy.txt, line 2: NaN"),
        ("1,2,3,4\n1,2,3,4,5,6,7,8\n", "toy.txt, line 2: .* row of 4 numbers"),
    ],
)
def test_bad_files_are_named_with_their_line(text, message, tmp_path):
    file = tmp_path / "toy.txt"
    file.write_text(text)
    with pytest.raises(ResultsError, match=message):
        read_results(file)


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(ResultsError, match=r"none\.txt: cannot be read"):
        read_results(tmp_path / "none.txt")
    (tmp_path / "picture.txt").write_bytes(bytes(range(256)))
    with pytest.raises(ResultsError, match=r"picture\.txt: cannot be read as text"):
        read_results(tmp_path / "picture.txt")


def test_absent_rows_are_kept_when_asked(tmp_path):
    file = tmp_path / "toy.txt"
    file.write_text("1,2,3,4\nnan,nan,nan,nan\n")
    rows = read_results(file, absent=True, origin=1)
    assert rows[0].tolist() == [0, 1, 3, 4]
    assert np.isnan(rows[1]).all()


@settings(max_examples=30, deadline=None)
@given(
    arrays(float, st.tuples(st.integers(1, 9), st.just(4)), elements=st.floats(-1e4, 1e4)),
    st.sampled_from([0, 1]),
)
def test_written_boxes_come_back(tmp_path_factory, boxes, origin):
    file = tmp_path_factory.mktemp("written") / "a" / "toy.txt"
    write_results(file, boxes, origin=origin)
    np.testing.assert_allclose(read_results(file, origin=origin), boxes, atol=0.51e-4, rtol=1e-12)
    first = [float(token) for token in file.read_text().splitlines()[0].split(",")]
    assert first[2:] == pytest.approx(boxes[0, 2:], abs=1e-4)
    assert first[:2] == pytest.approx(boxes[0, :2] + origin, abs=1e-4)


def test_writing_is_all_or_nothing_and_others_may_read(tmp_path):
    file = tmp_path / "toy.txt"
    write_results(file, ROWS)
    before = file.read_text()
    with pytest.raises(TypeError):
        write_results(file, np.array([["x", "y", "z", "w"]], dtype=object))
    from siamtrack.evaluation.results import write_rows

    with pytest.raises(TypeError):
        write_rows(file, np.array(["not", "a", "number"]), decimals=4)
    assert file.read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["toy.txt"]
    if os.name == "posix":
        umask = os.umask(0)
        os.umask(umask)
        assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~umask


@pytest.mark.needs("scipy")
class TestMatlab:
    @pytest.fixture(autouse=True)
    def io(self):
        from scipy.io import savemat

        self.savemat = savemat

    def cell(self, *entries):
        cell = np.empty((1, len(entries)), dtype=object)
        for index, entry in enumerate(entries):
            cell[0, index] = entry
        return cell

    def test_first_entry_of_the_cell_is_the_one_pass_run(self, tmp_path):
        tre = {"res": np.zeros((1, 4)), "type": "rect", "len": 1}
        one_pass = {"res": np.array(ROWS), "type": "rect", "len": 2}
        self.savemat(tmp_path / "toy.mat", {"results": self.cell(one_pass, tre)})
        assert read_results(tmp_path / "toy.mat").tolist() == ROWS

    def test_a_single_entry_and_a_plain_matrix(self, tmp_path):
        one = self.cell({"res": np.array(ROWS), "type": "rect"})
        self.savemat(tmp_path / "a.mat", {"results": one})
        self.savemat(tmp_path / "b.mat", {"result": np.array(ROWS, dtype=np.uint16)})
        assert read_results(tmp_path / "a.mat", origin=1)[0].tolist() == [1, 2, 10, 20]
        assert read_results(tmp_path / "b.mat", origin=1)[0].tolist() == [1, 2, 10, 20]

    def test_what_is_no_box_is_refused(self, tmp_path):
        file = tmp_path / "toy.mat"
        self.savemat(file, {"results": self.cell({"res": np.zeros((3, 6)), "type": "ivtAff"})})
        with pytest.raises(ResultsError, match="type 'ivtAff', expected 'rect'"):
            read_results(file)
        self.savemat(file, {"result": np.zeros((4, 3))})
        with pytest.raises(ResultsError, match=r"expected a cell 'results'.*got \(4, 3\)"):
            read_results(file)
        self.savemat(file, {"other": np.zeros((4, 4))})
        with pytest.raises(ResultsError, match=r"expected a cell 'results'.*other"):
            read_results(file)
        self.savemat(file, {"result": np.array([[1, 2, 3, 4], [1, np.nan, 3, 4]])})
        with pytest.raises(ResultsError, match=r"toy\.mat, line 2: NaN"):
            read_results(file)
        file.write_bytes(b"no MATLAB file at all")
        with pytest.raises(ResultsError, match="not a MATLAB file"):
            read_results(file)


def test_files_are_found_in_every_spelling(dataset, tmp_path):
    names = ("jogging.1.txt", "Jogging_2.txt", "faceocc1.csv", "Human4.txt", "Car2_KCF.mat")
    others = ("Car24_time.txt", "Car24_score.txt", "notes.md", "unknown.txt")
    for name in (*names, *others):
        (tmp_path / name).write_text("1,2,3,4\n")
    found = find_results(tmp_path, dataset)
    assert {name: path.name for name, path in found.items()} == dict(
        zip(("Jogging-1", "Jogging-2", "FaceOcc1", "Human4-2", "Car2"), names, strict=True)
    )


def test_longest_name_owns_a_mat_file_and_text_files_have_no_suffixes(dataset, tmp_path):
    for name in ("Jogging_1_siamfc3s.mat", "Car24_MDNet_v2.mat", "Car2_MDNet_v2.txt"):
        (tmp_path / name).touch()
    assert set(find_results(tmp_path, dataset)) == {"Jogging-1", "Car24"}


def test_two_files_of_one_sequence_and_missing_folders(dataset, tmp_path):
    (tmp_path / "Car2.txt").touch()
    (tmp_path / "car2.csv").touch()
    with pytest.raises(ResultsError, match=r"both .* belong to Car2; remove one"):
        find_results(tmp_path, dataset)
    with pytest.raises(ResultsError, match="no such folder"):
        find_results(tmp_path / "none", dataset)


def test_lengths(tmp_path):
    target, file = sequence("Tiger1", rows=4, dropped_first=2), tmp_path / "Tiger1.txt"
    rows = np.arange(28.0).reshape(7, 4)
    for lengths in ("strict", "align", "cut"):
        boxes, truth = fit_lengths(rows[:4], target, file, lengths)
        assert boxes.tolist() == rows[:4].tolist()
        assert len(truth) == 4
    for lengths in ("strict", "align"):  # the benchmark's own rows: those before the first go
        assert fit_lengths(rows[:6], target, file, lengths)[0].tolist() == rows[2:6].tolist()
    assert fit_lengths(rows[:6], target, file, "cut")[0].tolist() == rows[:4].tolist()
    assert [len(part) for part in fit_lengths(rows[:3], target, file, "align")] == [3, 3]
    assert [len(part) for part in fit_lengths(rows, target, file, "align")] == [4, 4]
    with pytest.raises(ResultsError, match=r"Tiger1\.txt: too short, line 3 is the last.*4 frames"):
        fit_lengths(rows[:3], target, file, "strict")
    with pytest.raises(ResultsError, match="too long, line 7 is the last"):
        fit_lengths(rows, target, file, "strict")
    with pytest.raises(ValueError, match="'tsrict': expected strict, align or cut"):
        fit_lengths(rows, target, file, "tsrict")
