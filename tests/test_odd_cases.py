"""The odd cases of `benchmarks/odd_cases.py` on our side, and the load script at a small size."""

import runpy
from pathlib import Path

import pytest

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
