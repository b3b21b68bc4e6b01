"""Running over a data set: files, resume after any end, processes, protocols."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from siamtrack.data.sequence import Dataset, Sequence
from siamtrack.errors import DatasetError, UnknownNameError
from siamtrack.evaluation import Policy, evaluate, evaluate_results, read_results
from siamtrack.evaluation.scores import score_sequence
from tests.evaluation.toys import Blob, Dies, Loses, Recorded, Squares, Still, toys, walk


def figures(report):
    """Return everything of a report but the speed."""
    content = report.to_dict()
    for tracker in content["trackers"].values():
        del tracker["speed"]
        for sequence in tracker["sequences"].values():
            del sequence["fps"]
    return content


@pytest.fixture
def log(tmp_path, monkeypatch):
    file = tmp_path / "starts.log"
    file.touch()
    monkeypatch.setenv("SIAMTRACK_TEST_LOG", str(file))
    return lambda: file.read_text().split()


def test_figures_are_those_of_the_boxes(tmp_path):
    dataset = toys()
    report = evaluate(Blob(), dataset)
    assert report.trackers == ("Blob",)
    for score, toy in zip(report.of("Blob"), dataset, strict=True):
        boxes = np.concatenate([toy.boxes[:1], np.add(toy.boxes[1:], [1 / 3, -1 / 3, 0, 0])])
        assert score.ao == pytest.approx(score_sequence("x", boxes, toy.boxes).ao, abs=1e-9)
        assert score.attributes == toy.attributes
    assert 0.9 < report.overall("Blob")["ao"] < 1
    assert report.speed("Blob")["fps"] > 0
    assert report.notes == ()


def test_files_are_plain_text_in_the_benchmarks_base(tmp_path):
    dataset = toys(2, origin=1)
    evaluate(Blob, dataset, out=tmp_path)
    names = sorted(path.name for path in (tmp_path / "Blob").iterdir())
    assert names == [f"Toy{k}{kind}.txt" for k in (0, 1) for kind in ("", "_score", "_time")]
    first = (tmp_path / "Blob" / "Toy0.txt").read_text().splitlines()[0]
    left, top, width, height = dataset[0].boxes[0]
    assert first == f"{left + 1:.4f},{top + 1:.4f},{width:.4f},{height:.4f}"
    again = evaluate_results(tmp_path, dataset)
    ran = evaluate(Blob, dataset, out=tmp_path)
    assert again.overall("Blob") == ran.overall("Blob")


def test_a_killed_run_goes_on_where_it_stopped(tmp_path, log):
    """The process ends as by kill -9; what was finished is not run again; the table is the same."""
    code = (
        "from tests.evaluation.toys import Dies, toys; from siamtrack.evaluation import evaluate;"
        f"evaluate(Dies(), toys(5), out={str(tmp_path / 'out')!r}, name='blob')"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": root}, check=False
    )
    assert done.returncode == 9
    finished = {path.name for path in (tmp_path / "out" / "blob").glob("Toy?.txt")}
    assert finished == {"Toy0.txt", "Toy1.txt"}
    resumed = evaluate(Recorded(), toys(5), out=tmp_path / "out", name="blob")
    assert len(log()) == 3
    whole = evaluate(Recorded(), toys(5), out=tmp_path / "other", name="blob")
    assert figures(resumed) == figures(whole)
    assert resumed.summary_rows()[1][:-1] == whole.summary_rows()[1][:-1]


@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        ("", lambda text: text[: len(text) // 2].rsplit("\n", 1)[0]),
        ("", lambda text: text.replace("\n", "\nx", 1)),
        ("", lambda text: ""),
        ("_time", lambda text: text.split("\n", 1)[1]),
        ("_score", lambda text: "a" + text),
    ],
    ids=["short", "no number", "empty", "short times", "bad scores"],
)
def test_damaged_files_are_run_again(kind, damage, tmp_path, log, caplog):
    whole = evaluate(Recorded(), toys(), out=tmp_path)
    file = tmp_path / "Recorded" / f"Toy2{kind}.txt"
    file.write_text(damage(file.read_text()))
    assert figures(evaluate(Recorded(), toys(), out=tmp_path)) == figures(whole)
    assert len(log()) == 5
    assert "Toy2.txt" in caplog.text


def test_missing_times_another_first_box_and_resume_off_run_again(tmp_path, log):
    evaluate(Recorded(), toys(), out=tmp_path)
    (tmp_path / "Recorded" / "Toy1_time.txt").unlink()
    evaluate(Recorded(), toys(), out=tmp_path)
    assert len(log()) == 5
    boxes = {toy.name: np.add(toy.boxes, [1, 0, 0, 0]) for toy in toys()}
    moved = Dataset("toys", [Sequence(toy.name, toy.frames, boxes[toy.name]) for toy in toys()])
    evaluate(Recorded(), moved, out=tmp_path)
    assert len(log()) == 9
    evaluate(Recorded(), moved, out=tmp_path)
    assert len(log()) == 9
    evaluate(Recorded(), moved, out=tmp_path, resume=False)
    assert len(log()) == 13


def test_failing_tracker_keeps_what_is_finished(tmp_path, log, caplog):
    class Fails(Recorded):
        def update(self, frame):
            if len(log()) == 3:
                raise RuntimeError("out of luck")
            return super().update(frame)

    with pytest.raises(RuntimeError, match="out of luck"):
        evaluate(Fails(), toys(), out=tmp_path, name="x")
    assert "Toy2: the run failed" in caplog.text
    assert sorted(path.name for path in (tmp_path / "x").glob("Toy?.txt")) == [
        "Toy0.txt",
        "Toy1.txt",
    ]


def test_several_processes_give_the_same_figures(tmp_path, log):
    alone = evaluate(Recorded, toys(), out=tmp_path / "one")
    both = evaluate(partial(Recorded), toys(), out=tmp_path / "two", workers=2, name="Recorded")
    assert figures(both) == figures(alone)
    pids = log()
    assert len(pids) == 8
    assert set(pids[:4]) == {str(os.getpid())}
    assert str(os.getpid()) not in pids[4:]


def test_workers_need_something_that_makes_trackers():
    for tracker, workers in ((Blob(), 2), (Blob, 0)):
        with pytest.raises(ValueError, match=f"workers {workers}: expected at least 1"):
            evaluate(tracker, toys(), workers=workers)


def test_names(tmp_path):
    evaluate(Still(), toys(1), out=tmp_path)
    evaluate(Still, toys(1), out=tmp_path)
    evaluate(Blob, toys(1), out=tmp_path, name="../my tracker: 2")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my-tracker-2", "still"]
    assert evaluate(Blob, toys(1), name="a/b").trackers == ("a/b",)


def test_lost_boxes_are_misses_and_are_counted_in_the_notes(tmp_path):
    report = evaluate(Loses(), toys(2), out=tmp_path)
    assert report.notes == ("Loses: 40 boxes are not finite and count as misses",)
    assert report.overall("Loses")["precision"] == pytest.approx(10 / 30)
    resumed = evaluate(Loses(), toys(2), out=tmp_path)
    assert figures(resumed) == figures(report)
    assert np.isnan(read_results(tmp_path / "Loses" / "Toy0.txt", absent=True)[10:]).all()


def test_absent_frames_do_not_count_but_are_counted():
    boxes = walk(3)
    boxes[:2], boxes[15:20] = np.nan, np.nan
    report = evaluate(Blob(), Dataset("gone", [Sequence("toy", Squares(boxes), boxes)]))
    assert report.notes == ("7 frames in 1 sequences have no true box to count",)
    assert report.of("Blob")[0].counted == 23
    assert len(report.of("Blob")[0].times) == 28
    assert report.overall("Blob")["sr50"] == 1


def test_protocols(tmp_path):
    dataset = toys(2, frames=40)
    temporal = evaluate(Blob(), dataset, protocol="tre", out=tmp_path)
    spatial = evaluate(Blob(), dataset, protocol="sre", out=tmp_path)
    assert (temporal.protocol, spatial.protocol) == ("tre", "sre")
    files = sorted(path.name for path in (tmp_path / "Blob" / "tre").glob("Toy0_??.txt"))
    assert files[0] == "Toy0_00.txt"
    assert len(files) == 20
    assert len(read_results(tmp_path / "Blob" / "tre" / "Toy0_19.txt")) == 20
    assert len(list((tmp_path / "Blob" / "sre").glob("Toy0_??.txt"))) == 12
    # TRE: the mean over runs of the figures of each run
    runs = []
    for path in sorted((tmp_path / "Blob" / "tre").glob("Toy0_??.txt")):
        boxes = read_results(path)
        runs.append(score_sequence("x", boxes, dataset[0].boxes[40 - len(boxes) :]).success)
    assert temporal.of("Blob")[0].success == pytest.approx(np.mean(runs), abs=1e-12)
    # SRE: only the first box is off, and it counts
    assert spatial.overall("Blob")["ao"] < evaluate(Blob(), dataset).overall("Blob")["ao"]
    assert figures(evaluate(Still(), dataset, protocol="tre", out=tmp_path, name="Blob")) == (
        figures(temporal)
    )
    with pytest.raises(UnknownNameError, match="unknown protocol 'vot'"):
        evaluate(Blob(), dataset, protocol="vot")


def test_policy_reaches_the_figures():
    first = evaluate(Still(), toys(), policy=Policy(skip_first=True))
    assert first.policy.skip_first
    assert [score.counted for score in first.of("still")] == [29] * 4
    assert first.overall("still")["ao"] < evaluate(Still(), toys()).overall("still")["ao"]


def test_missing_frame_on_disk_names_the_file(tmp_path):
    from siamtrack.data.sequence import ImageFrames

    files = [tmp_path / "0001.jpg", tmp_path / "0002.jpg"]
    dataset = Dataset("holes", [Sequence("toy", ImageFrames(files), walk(0, 2))])
    with pytest.raises(DatasetError, match=r"0001\.jpg: the frame is missing"):
        evaluate(Still(), dataset)
    assert dataset.check() == [
        f"toy: 2 of 2 frames are missing, the first is {tmp_path / '0001.jpg'}"
    ]


def test_what_the_data_set_lacks_is_noted():
    report = evaluate(Still(), Dataset("part", toys(1).sequences, missing=["Toy7"]))
    assert "note: the data set lacks Toy7" in report.table()


def test_dies_is_a_blob():
    """The tracker of the kill test differs from `Recorded` in its end alone."""
    assert figures(evaluate(Dies(), toys(2), name="x")) == figures(
        evaluate(Blob(), toys(2), name="x")
    )
