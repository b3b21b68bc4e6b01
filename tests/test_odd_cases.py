"""The odd cases of `benchmarks/odd_cases.py` on our side, and the load script at a small size."""

import json
import runpy
import sys
import time
from pathlib import Path

import pytest

from tests.processes import started

SCRIPTS = Path(__file__).parents[1] / "benchmarks"
ODD = runpy.run_path(str(SCRIPTS / "odd_cases.py"))


@pytest.mark.parametrize("case", ODD["CASES"])
def test_odd_cases_end_as_they_should(case, capsys):
    ODD["child"]("siamtrack", case)
    words = capsys.readouterr().out
    assert words.startswith(ODD["CASES"][case][0]), words
    assert "OpenCV(" not in words, "the sentence is ours"


@pytest.mark.slow
def test_load(tmp_path, monkeypatch):
    """Memory stays flat over 1,000 frames and 64 targets; threads and processes agree."""
    monkeypatch.syspath_prepend(str(SCRIPTS))  # so that worker processes find it too
    import load

    monkeypatch.setattr("sys.argv", ["load.py", "--frames", "1000", "--out", str(tmp_path / "a")])
    load.main()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_load_that_is_killed_leaves_what_it_measured(tmp_path):
    out = tmp_path / "load.json"
    order = [sys.executable, str(SCRIPTS / "load.py"), "--frames", "6000", "--part", "long_run"]
    with (tmp_path / "log").open("w") as log, started([*order, "--out", str(out)], stderr=log):
        end = time.monotonic() + 600
        while time.monotonic() < end and not out.exists():
            time.sleep(0.1)
    found = json.loads(out.read_text())
    assert found["finished"] is False
    assert found["long_run"]["resident_mb"]
    assert " frames, " in (tmp_path / "log").read_text()
