"""The table that `make bench` fills: its figures are those of the report."""

import runpy
import sys
from pathlib import Path

import pytest
from pages import filled

from siamtrack.benchmark.figures import read_report

pytestmark = pytest.mark.needs("onnx")

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def targets(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])  # for its import of roofline
    return runpy.run_path(str(BENCHMARKS / "targets.py"))


def test_ratios_are_those_of_rounds_and_peers_that_are_missing_are_said(targets):
    report = read_report(BENCHMARKS / "results" / "speed.json")
    entries = {each.name: each for each in report.trackers}
    ours, peer = entries["siamtrack-lite"], entries["nanotrack-v2"]
    found = targets["quicker"](report, "siamtrack-lite", "nanotrack-v2")
    assert float(found.rstrip("x")) == pytest.approx(peer.update.p50 / ours.update.p50, rel=0.1)
    assert targets["quicker"](report, "siamtrack-lite", "absent") == "not measured"


def test_the_peak_is_above_what_the_network_reaches(targets):
    report = read_report(BENCHMARKS / "results" / "speed.json")
    peak = targets["peak8"](1)
    assert peak > 0
    words = targets["of_peak"](report.trackers[0], 1000.0)
    assert words.endswith("of 1000 GMAC/s)")
    assert 1 < float(words.split("%")[0]) < 100


def test_the_page_has_a_place_for_the_table(targets):
    text = targets["PAGE"].read_text(encoding="utf-8")
    begin, end = targets["MARKS"]
    assert text.count(begin) == text.count(end) == 1
    new = filled(text, (begin, end), "a table\n")
    assert begin + "a table\n" + end in new
    assert filled(new, (begin, end), text.partition(begin)[2].partition(end)[0]) == text
    with pytest.raises(ValueError, match="has no <!-- targets: begin -->"):
        filled(text.replace(begin, ""), (begin, end), "")
