"""Reports: figures, order, and every format read back."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from siamtrack.errors import UnknownNameError
from siamtrack.evaluation import Policy, Report, merge
from siamtrack.evaluation.report.html import aligned, latex
from siamtrack.evaluation.report.plots import Line, line_plot, scatter_plot
from siamtrack.evaluation.scores import METRICS, score_sequence
from tests.evaluation.toys import toys


def scores(noise, times=True, dataset=None):
    rng = np.random.default_rng(5)
    rows = []
    for toy in dataset or toys():
        boxes = toy.boxes + rng.normal(0, noise, toy.boxes.shape)
        seconds = rng.uniform(0.001, 0.1, len(toy)) if times else ()
        rows.append(
            score_sequence(toy.name, boxes, toy.boxes, attributes=toy.attributes, times=seconds)
        )
    return tuple(rows)


@pytest.fixture
def report():
    trackers = {"worse_&_slow": scores(3.0), "<best>": scores(0.5), "middle": scores(1, False)}
    return Report("toys & co", trackers, notes=("two <frames> left out",))


def test_overall_is_the_mean_over_sequences_and_ranks(report):
    assert report.trackers == ("<best>", "middle", "worse_&_slow")
    for name in report.trackers:
        for metric in METRICS:
            values = [getattr(score, metric) for score in report.scores[name]]
            assert report.overall(name)[metric] == pytest.approx(sum(values) / len(values))
            assert report.values(name, metric) == dict(zip(toys().names, values, strict=True))


def test_a_callers_changes_do_not_reach_the_report(report):
    report.overall("middle")["success"] = 99
    assert report.overall("middle")["success"] < 1


def test_sequences_weigh_alike_whatever_their_length():
    truth = np.tile([0.0, 0, 8, 6], (100, 1))
    rows = (
        score_sequence("long", truth, truth),
        score_sequence("short", np.add(truth[:2], [50, 0, 0, 0]), truth[:2]),
    )
    assert Report("two", {"x": rows}).overall("x")["ao"] == 0.5


def test_attributes(report):
    groups = report.attributes("middle", "ao")
    values = list(report.values("middle", "ao").values())
    assert groups == {
        "OCC": (pytest.approx(np.mean(values)), 4),
        "SV": (pytest.approx(np.mean(values[1::2])), 2),
    }


def test_speed_is_frames_over_total_time_not_a_mean_of_rates(report):
    times = np.concatenate([score.times for score in report.of("<best>")])
    speed = report.speed("<best>")
    assert speed["fps"] == pytest.approx(len(times) / times.sum())
    assert speed["fps"] < 0.8 * np.mean(1 / times)
    expected = np.percentile(times, [50, 95, 99]) * 1000
    assert [speed[key] for key in ("p50_ms", "p95_ms", "p99_ms")] == pytest.approx(expected)
    assert report.speed("middle") is None
    partly = Report("x", {"x": (*scores(1), *scores(1, times=False))})
    assert partly.speed("x") is None


def test_table(report):
    title, header, *rows, note = report.table().splitlines()
    assert title == "toys & co, OPE, 4 sequences"
    assert header.split() == [
        "tracker",
        "success",
        "precision",
        "norm_precision",
        "ao",
        "sr50",
        "sr75",
        "fps",
    ]
    assert [row.split()[0] for row in rows] == list(report.trackers)
    for row, name in zip(rows, report.trackers, strict=True):
        overall = report.overall(name)
        found = [float(cell) for cell in row.split()[1:-1]]
        assert found == pytest.approx([overall[key] for key in header.split()[1:-1]], abs=5e-5)
    assert rows[1].split()[-1] == "-"
    assert note == "note: two <frames> left out"


def test_csv_has_every_figure_of_every_sequence(report):
    rows = list(csv.DictReader(io.StringIO(report.to_csv())))
    assert len(rows) == 12
    for row in rows:
        values = report.values(row["tracker"], "norm_precision_02")
        assert float(row["norm_precision_02"]) == pytest.approx(values[row["sequence"]], abs=1e-6)
        assert (row["fps"] == "") == (row["tracker"] == "middle")


def test_json_has_everything(report):
    content = json.loads(report.to_json())
    assert content["notes"] == ["two <frames> left out"]
    assert content["policy"] == {
        "without_area": "count",
        "skip_first": False,
        "clip": False,
        "pool": False,
    }
    tracker = content["trackers"]["<best>"]
    assert tracker["overall"] == report.overall("<best>")
    assert tracker["success_interval_95"] == list(report.interval("<best>"))
    assert tracker["attributes"]["SV"]["sequences"] == 2
    curve = tracker["sequences"]["Toy2"]["success_curve"]
    assert np.mean(curve) == pytest.approx(report.values("<best>")["Toy2"])
    assert content["trackers"]["middle"]["speed"] is None


def test_latex_escapes_and_carries_the_notes(report):
    text = report.to_latex()
    assert text.startswith("% toys & co, OPE, 4 sequences\n% note: two <frames> left out\n")
    assert r"worse\_\&\_slow & 0." in text
    assert latex([["a\\b~^", "100 %"]]).splitlines()[2] == (
        r"a\textbackslash b\textasciitilde \textasciicircum  & 100 \% \\"
    )


def test_html_is_one_file_that_fetches_nothing(report, tmp_path):
    path = report.to_html(tmp_path / "new" / "report.html")
    text = path.read_text(encoding="utf-8")
    assert "&lt;best&gt;" in text
    assert "<best>" not in text
    assert "two &lt;frames&gt; left out" in text
    assert not re.search(r"https?:|src=|<script|@import|url\(", text)
    assert text.count("<svg") == 4
    plots = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", text)]
    titles = [plot.attrib["aria-label"] for plot in plots]
    assert titles == ["Success", "Precision", "Normalized precision", "Speed and success"]
    legend = [
        element.text for element in plots[0].iter("text") if element.text and "[" in element.text
    ]
    assert legend == [f"{n} [{report.overall(n)['success']:.3f}]" for n in report.trackers]
    assert len(list(plots[0].iter("polyline"))) == 3
    assert len(list(plots[3].iter("circle"))) == 2  # only two trackers have times
    for name in report.trackers:  # every sequence of every tracker
        for value in report.values(name).values():
            assert f"{value:.4f}" in text
    assert "SV (2)" in text


def test_the_page_of_one_tracker_without_times_or_attributes():
    bare = tuple(score_sequence("a", t.boxes, t.boxes) for t in toys(1))
    html = Report("x", {"only": bare}).page()
    assert html.count("<svg") == 3
    assert "paired" not in html
    assert "attribute" not in html


def test_plotted_points_are_where_the_figures_are():
    x, y = np.array([0.0, 0.5, 1.0]), np.array([1.0, 0.25, 0.0])
    plot = ElementTree.fromstring(line_plot("t", "x", "y", [Line("a", x, y)]))
    (line,) = plot.iter("polyline")
    points = np.array([p.split(",") for p in line.attrib["points"].split()], dtype=float)
    np.testing.assert_allclose(np.interp(points[:, 0], points[[0, 2], 0], [0, 1]), x, atol=1e-3)
    height = points[2, 1] - points[0, 1]
    np.testing.assert_allclose((points[2, 1] - points[:, 1]) / height, y, atol=1e-3)
    speeds = [Line(str(v), np.array([v]), np.array([0.5])) for v in (10.0, 100.0, 999.0)]
    plot = ElementTree.fromstring(scatter_plot("t", "x", "y", speeds))
    places = [float(circle.attrib["cx"]) for circle in plot.iter("circle")]
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=0.3)


def test_compare_is_paired_over_common_sequences(report):
    test = report.compare("<best>", "worse_&_slow")
    assert (test.wins, test.losses) == (4, 0)
    short = Report("x", {"a": scores(0.5), "b": scores(3.0)[1:3]})
    assert short.compare("a", "b").wins == 2
    assert short.title() == "x, OPE, 2 or 4 sequences"


def test_unknown_names(report):
    with pytest.raises(UnknownNameError, match="unknown tracker 'midle': did you mean 'middle'"):
        report.overall("midle")
    with pytest.raises(UnknownNameError, match="unknown metric 'succes': did you mean 'success'"):
        report.values("middle", "succes")


def test_merge(report):
    more = Report("toys & co", {"other": scores(2.0)}, notes=("two <frames> left out", "more"))
    both = merge([report, more])
    assert set(both.trackers) == {*report.trackers, "other"}
    assert both.notes == ("two <frames> left out", "more")
    for bad, message in (
        ([], "no report to merge"),
        ([report, report], "two reports have the tracker '<best>'"),
        ([report, Report("other", {"x": scores(1)})], "reports differ"),
        ([report, Report("toys & co", {"x": scores(1)}, protocol="tre")], "reports differ"),
        ([report, Report("toys & co", {"x": scores(1)}, policy=Policy("drop"))], "reports differ"),
    ):
        with pytest.raises(ValueError, match=message):
            merge(bad)


def test_columns_line_up():
    lines = aligned([["a", "long head"], ["longer", "1"], ["b", "22"]]).splitlines()
    assert lines == ["a       long head", "longer          1", "b              22"]
