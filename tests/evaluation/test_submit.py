import zipfile

import numpy as np
import pytest

from siamtrack.data.sequence import Dataset
from siamtrack.errors import DatasetError, ResultsError
from siamtrack.evaluation import evaluate, evaluate_results, run_dataset, write_submission
from tests.evaluation.toys import Blob, toys


@pytest.fixture(params=[False, True], ids=["flat", "nested"])
def case(request, tmp_path):
    data = Dataset("server", toys(2).sequences, hidden=True, nested=request.param)
    run_dataset(Blob, data, out=tmp_path, name="blob")
    return data, tmp_path / "blob", request.param


def test_archive_has_the_layout_of_the_server(case, tmp_path):
    data, folder, nested = case
    path = write_submission(folder, data, tmp_path / "out" / "blob.zip")
    wanted = (
        ["Toy0/Toy0_001.txt", "Toy0/Toy0_time.txt", "Toy1/Toy1_001.txt", "Toy1/Toy1_time.txt"]
        if nested
        else ["Toy0.txt", "Toy1.txt"]
    )
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == wanted
    with pytest.raises(FileExistsError, match=r"blob\.zip exists"):
        write_submission(folder, data, path)


def test_what_is_wrong_is_named_before_anything_is_written(case, tmp_path):
    data, folder, nested = case
    first = folder / "Toy0" / "Toy0_001.txt" if nested else folder / "Toy0.txt"
    lines = first.read_text().splitlines()
    for text, message in (
        ("\n".join(lines[:-1]), "29 rows, expected 30"),
        ("\n".join(["1,1,1,1", *lines[1:]]), "line 1: not the box that was given"),
        ("\n".join([lines[0], "nan,nan,nan,nan", *lines[2:]]), "line 2: NaN"),
    ):
        first.write_text(text)
        with pytest.raises(ResultsError, match=message):
            write_submission(folder, data, tmp_path / "x.zip")
    first.unlink()
    with pytest.raises(ResultsError, match="Toy0: no results"):
        write_submission(folder, data, tmp_path / "x.zip")
    assert not list(tmp_path.glob("*.zip")) + list(tmp_path.glob(".*.part"))


def test_hidden_truth_is_not_evaluated(case):
    data, folder, _ = case
    with pytest.raises(DatasetError, match="a server has the others"):
        evaluate(Blob, data)
    with pytest.raises(ResultsError, match="only its server"):
        evaluate_results(folder, data)


def test_runs_come_back_in_order():
    runs = run_dataset(Blob(), toys(2))
    assert [run.sequence.name for run in runs] == ["Toy0", "Toy1"]
    assert np.isfinite(runs[0].result.boxes).all()
