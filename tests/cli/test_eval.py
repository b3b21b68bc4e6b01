"""`siamtrack eval` from end to end on small data."""

import json
import re

import numpy as np
import pytest

from siamtrack.cli import main
from tests.data.trees import images, rows, write
from tests.helpers import clip

USER = """
import numpy as np
class Still:
    name = "still"
    def init(self, frame, box): self.box, self.score = box, 1.0
    def update(self, frame): return self
class Drifts(Still):
    name = "drifts"
    def update(self, frame):
        self.box = self.box + np.array([3.0, 0, 0, 0])
        return self
class Leaves(Still):
    name, stays = "leaves", 2
    def init(self, frame, box): super().init(frame, box); self.seen = 0
    def update(self, frame):
        self.seen += 1
        self.box = self.box + np.array([90.0 * (self.seen == self.stays), 0, 0, 0])
        return self
class Flees(Leaves):
    name, stays = "flees", 1
"""


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Two sequences in OTB's layout, and a file of trackers."""
    import cv2

    monkeypatch.chdir(tmp_path)
    frames, boxes = clip(8)
    for name in ("one", "two"):
        for number, frame in enumerate(frames, start=1):
            path = tmp_path / "data" / name / "img" / f"{number:04d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), frame[..., ::-1])
        write(path.parent.parent / "groundtruth_rect.txt", rows(np.add(boxes, [1, 1, 0, 0])))
    write(tmp_path / "user.py", USER)
    return tmp_path


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main(["eval", *map(str, arguments)])
    return stop.value.code


TWO = ("--tracker", "user.py:Still", "--tracker", "user.py:Drifts")


def test_our_default_prints_a_table(data, capsys):
    assert run("folder:data", "--threads", 1) == 0
    table = capsys.readouterr().out
    assert table.splitlines()[0] == "data, OPE, 2 sequences"
    assert table.splitlines()[2].startswith("base")


def test_trackers_reports_and_resuming(data, capsys):
    reports = [f"--report={name}" for name in ("r.html", "r.json", "r.csv", "r.tex")]
    assert run("folder:data", *TWO, "--out", "out", *reports, "--workers", 2) == 0
    table = capsys.readouterr().out
    page = (data / "r.html").read_text(encoding="utf-8")
    assert page.count("<video") == 2
    assert 'src="data:video/mp4;base64,' in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert "<script" not in page
    content = json.loads((data / "r.json").read_text())
    assert set(content["trackers"]) == {"still", "drifts"}
    assert (data / "r.csv").read_text().count("\n") == 5
    assert r"\begin{tabular}" in (data / "r.tex").read_text()
    # again: taken from the files; nothing is replaced unless asked
    assert run("folder:data", *TWO, "--out", "out", "--report", "r.json") == 2
    assert "r.json exists: choose another name, or give --overwrite" in capsys.readouterr().err
    assert run("folder:data", *TWO, "--out", "out", "--report", "r.json", "--overwrite") == 0
    assert capsys.readouterr().out == table
    # and read without running anything
    assert run("folder:data", "--results", "out", "--report", "again.html") == 0
    assert capsys.readouterr().out == table
    assert (data / "again.html").read_text(encoding="utf-8").count("<video") == 2


def test_the_report_shows_where_trackers_fail(data):
    """Also where a frame is damaged: hours of running are not lost over a video."""
    run("folder:data", "--tracker", "user.py:Leaves", "--tracker", "user.py:Flees", "--out", "out")
    page = data / "r.html"
    words = ["folder:data", "--report", page, "--overwrite", "--results"]
    assert run(*words, "out/leaves") == 0
    text = page.read_text(encoding="utf-8")
    assert "<h2>Where success is lowest</h2>" in text
    assert "Where they differ most" not in text
    assert text.count('preload="auto"') == 2  # by "metadata" alone, Chromium shows them black
    assert text.count("<video") == text.count("No overlap from frame 2 of 7 on.") == 2
    # Of two trackers: one sequence for each kind, none of them twice
    assert run(*words, "out/leaves", "--results", "out/flees", "--clips", 1) == 0
    text = page.read_text(encoding="utf-8")
    assert text.index("Where they differ most") < text.index("Where all fail")
    assert text.count("<video") == 2
    assert text.count("No overlap from frame 2 of 7 on.") == 1
    (data / "data" / "two" / "img" / "0004.jpg").write_bytes(b"no picture")
    assert run(*words, "out/leaves") == 0
    text = page.read_text(encoding="utf-8")
    assert text.count("<video") == 1
    assert re.search(r"<b>two</b>.*No video: [^<]*0004\.jpg", text)


def test_one_runs_and_one_is_read(data, capsys):
    run("folder:data", *TWO, "--out", "out")
    assert (
        run("folder:data", "--tracker", "user.py:Still", "--results", "out/drifts", "--json") == 0
    )
    text = capsys.readouterr().out
    assert set(json.loads(text[text.index("{") :])["trackers"]) == {"still", "drifts"}


@pytest.mark.parametrize("protocol", ["tre", "sre", "longterm", "vot", "vot-multistart"])
def test_protocols(protocol, data, capsys):
    assert run("folder:data", *TWO, "--protocol", protocol, "--report", "r.html") == 0
    assert f"data, {protocol.upper()}" in capsys.readouterr().out
    assert "<svg" in (data / "r.html").read_text(encoding="utf-8")


def test_server_data_sets_end_in_an_archive(data, capsys):
    folder = data / "server" / "test" / "GOT-10k_Test_000001"
    images(folder, range(1, 5))
    write(folder.parent / "list.txt", folder.name)
    write(folder / "groundtruth.txt", "10,20,8,6\n")
    spec, tracker = "got10k-test:server", ("--tracker", "user.py:Still")
    assert run(spec, *tracker) == 2
    assert "is evaluated by its server: give --out" in capsys.readouterr().err
    assert run(spec, *tracker, "--out", "out", "--submission", "still.zip") == 0
    assert (data / "still.zip").is_file()
    assert np.loadtxt(
        data / "out" / "still" / folder.name / f"{folder.name}_001.txt", delimiter=","
    ).shape == (4, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("folder:nowhere",), "nowhere does not exist"),
        (("folder:data", "--report", "r.doc"), "expected an ending of .html, .json, .csv, .tex"),
        (("folder:data", "--tracker", "user.py:Stil"), "has no class Stil; it has Still, Drifts"),
        (("folder:data", "--tracker", "opencv:kfc"), "did you mean 'kcf'"),
        (("folder:data", *TWO, "--tracker", "user.py:Still"), "two trackers are called 'still'"),
        (("folder:data", "--results", "data/one"), "neither it nor a folder in it has files"),
        (("folder:data", "--submission", "x.zip", *TWO), "give one tracker with --out"),
        (("folder:data", "--tracker", "fear-xs:nowhere"), "nowhere: no such folder"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message, data, capsys):
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
