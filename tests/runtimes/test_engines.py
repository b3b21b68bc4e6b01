"""The engine that `auto` takes: the fastest by a table, if it answers alike and is installed."""

import json
import logging
from dataclasses import replace

import pytest

from siamtrack.benchmark.machine import engine_table, measure_engines
from siamtrack.cli import main
from siamtrack.packages.card import load_model, model_made
from siamtrack.runtimes.engines import (
    TABLE,
    Row,
    cache_file,
    fastest,
    known_rows,
    merged,
    processor_kind,
    read_rows,
)

ROW = Row(
    "intel avx512-vnni",
    "lite",
    "g1",
    "float32",
    2,
    {"onnx": 6.2, "openvino": 4.2},
    {"onnx": 0.0, "openvino": 3e-6},
)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path / "siamtrack" / "engines.json"


def choose(row, there=True, kind=ROW.processor, graph="g1", model="lite", precision="float32"):
    return fastest(model, graph, precision, kind=kind, rows=[row], there=lambda name: there)


def test_the_fastest_exact_engine_is_taken_where_it_is_installed():
    assert choose(ROW) == "openvino"
    assert choose(ROW, there=False) == "onnx"
    assert choose(ROW, kind="amd avx512-vnni") == "onnx"
    assert choose(ROW, precision="int8") == "onnx"
    assert choose(ROW, graph="g2") == "openvino"  # newer weights of one name have one structure
    assert choose(ROW, graph="g2", model="mine") == "onnx"


def test_what_rounds_otherwise_or_gains_next_to_nothing_is_not_taken():
    assert choose(replace(ROW, away={"openvino": 7e-2})) == "onnx"
    assert choose(replace(ROW, away={})) == "onnx"
    assert choose(replace(ROW, milliseconds={"onnx": 4.4, "openvino": 4.2})) == "onnx"
    assert choose(replace(ROW, milliseconds={"onnx": 6.2, "openvino-bf16": 1.0})) == "onnx"


def test_a_row_of_the_very_graph_comes_first():
    other = replace(ROW, graph="g2", milliseconds={"onnx": 4.0, "openvino": 4.0})
    for graph, engine in (("g1", "openvino"), ("g2", "onnx")):
        found = fastest(
            "lite", graph, "float32", kind=ROW.processor, rows=[ROW, other], there=lambda name: True
        )
        assert found == engine


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("vendor_id\t: GenuineIntel\nflags\t\t: avx2 avx512_vnni amx_int8\n\nx: y", "intel amx"),
        ("vendor_id : AuthenticAMD\nflags : fma avx2", "amd avx2"),
        ("vendor_id : Someone\nflags : avx2", "x86 avx2"),
        ("Features\t: fp asimd asimddp", "arm neon-dot"),
        ("flags : sse2", ""),
        ("", ""),
    ],
)
def test_kinds_of_processor(text, kind):
    assert processor_kind(text) == kind


def test_the_table_of_the_package_can_be_read_and_names_its_machines():
    rows = read_rows(TABLE)
    assert len({row.key for row in rows}) == len(rows) >= 4
    assert all(row.machine and "onnx" in row.milliseconds for row in rows)
    assert all(set(row.milliseconds) == set(row.away) for row in rows)


def test_a_damaged_cache_is_a_warning_and_the_table_of_the_package(own_cache, caplog):
    own_cache.parent.mkdir()
    own_cache.write_text("{")
    with caplog.at_level(logging.WARNING):
        assert known_rows() == read_rows(TABLE)
    assert "is no table of engines" in caplog.text


def test_measured_rows_replace_old_ones_and_are_read_back(own_cache):
    assert cache_file() == own_cache
    newer = replace(ROW, milliseconds={"onnx": 5.0, "openvino": 5.0})
    own_cache.parent.mkdir()
    own_cache.write_text(merged([ROW, replace(ROW, model="mine")], [newer]))
    assert read_rows(own_cache) == [newer, replace(ROW, model="mine")]


def test_bench_measures_the_engines_that_are_here(own_cache, tmp_path, capsys):
    report = tmp_path / "table.json"
    words = ["bench", "--engines", "--rounds", "1", "--threads", "1", "--json", "--quiet"]
    with pytest.raises(SystemExit) as done:
        main([*words, "--report", str(report)])
    assert done.value.code == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["precision"] for row in rows} == {"float32", "int8"}
    assert all(min(row["milliseconds"].values()) > 0 for row in rows)
    assert all(row["away"]["onnx"] == 0 for row in rows)
    assert own_cache.read_text() == report.read_text()
    assert "base" in engine_table(read_rows(report))
    model = load_model("lite", threads=1)  # reads the new rows
    assert model.loaded.runtime == model_made("lite", "auto")["runtime"]


def test_engines_alone(capsys):
    with pytest.raises(SystemExit) as done:
        main(["bench", "--engines", "--targets", "4"])
    assert done.value.code == 2
    assert "--engines takes" in capsys.readouterr().err
    with pytest.raises(LookupError):
        measure_engines(["litte"])
