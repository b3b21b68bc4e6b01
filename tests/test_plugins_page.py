"""The package of docs/plug-ins.md, installed by pip, serves the commands of the page."""

import json
import os
import subprocess
import sys

import cv2
import pytest

from tests.helpers import clip
from tests.plugin_files import ROOT, documented


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Folder in which the package is installed."""
    target = tmp_path_factory.mktemp("target")
    source = documented(tmp_path_factory.mktemp("source"))
    command = "-m pip install --quiet --no-deps --no-build-isolation --no-index --target"
    subprocess.run([sys.executable, *command.split(), str(target), str(source)], check=True)
    return target


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Frames with boxes as a data set, and as rows to train on."""
    folder = tmp_path_factory.mktemp("data")
    pictures, boxes = clip(6)
    rows = []
    for index, (picture, box) in enumerate(zip(pictures, boxes.tolist(), strict=True)):
        cv2.imwrite(str(folder / f"{index}.png"), picture[..., ::-1])
        rows.append(",".join([f"{index}.png", "square", str(index), *map(str, box)]) + "\n")
    (folder / "boxes.csv").write_text("".join(rows))
    (folder / "boxes.txt").write_text("".join(",".join(map(str, b)) + "\n" for b in boxes.tolist()))
    return folder


@pytest.fixture
def run(place):
    def command(*words, code=0):
        paths = os.pathsep.join([str(place), str(ROOT / "src")])
        done = subprocess.run(
            [sys.executable, *words],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        )
        assert done.returncode == code, done.stderr
        return done.stdout

    return command


@pytest.mark.slow
def test_it_is_listed(run):
    rows = json.loads(run("-m", "siamtrack", "plugins", "--check", "--json"))
    mine = {(r["kind"], r["name"]) for r in rows if r["package"] == "track-by-match 1.0"}
    assert mine == {
        ("tracker", "match"),
        ("training data set", "rows"),
        ("runtime", "counted"),
        ("backbone", "tiny"),
        ("data set", "tracks"),
    }
    assert not any(row["problem"] for row in rows)


def test_the_tracker_is_evaluated_beside_ours(run, data):
    words = f"-m siamtrack eval folder:{data} --tracker match --tracker lite --json"
    report = json.loads(run(*words.split(), "--threads", "1"))
    table = json.dumps(report)
    assert "match" in table
    assert "lite" in table


def test_the_data_set_is_evaluated_on(run, data):
    words = f"-m siamtrack eval tracks:{data} --tracker match --json"
    (scores,) = json.loads(run(*words.split()))["trackers"].values()
    assert list(scores["sequences"]) == ["square"]


@pytest.mark.slow
def test_the_rows_are_trained_on(run, data, tmp_path):
    out = tmp_path / "sheet.png"
    run("-m", "siamtrack", "train", "--data", f"rows:{data}", "--sheet", str(out))
    assert out.stat().st_size > 10_000
    assert "6" in run("-m", "siamtrack", "data", "check", f"rows:{data}")


@pytest.mark.slow
def test_the_backbone_is_inspected(run):
    words = "-m siamtrack inspect tiny --repeats 0 --json"
    (found,) = json.loads(run(*words.split()))
    assert (found["stride"], found["shift_error"]) == (8, 0.0)


def test_the_runtime_runs_our_model(run, data):
    code = (
        "import siamtrack, sys\n"
        f"tracker = siamtrack.load(runtime='counted', threads=1)\n"
        f"print(len(list(siamtrack.track({str(data)!r}, (60, 70, 40, 40), tracker=tracker))))\n"
        "print(tracker.model.runtime.patches >= 5, 'track_by_match.tiny' in sys.modules)\n"
    )
    assert run("-c", code) == "6\nTrue False\n"
