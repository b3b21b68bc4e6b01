from dataclasses import replace

import numpy as np
import pytest

from siamtrack.benchmark.figures import (
    Benchmark,
    Fresh,
    Latency,
    Many,
    Measured,
    Round,
    Settings,
    middle,
    read_report,
    table,
)
from siamtrack.benchmark.machine import Machine, this_machine
from siamtrack.runtimes.engines import cores as usable_cores

MACHINE = Machine(
    "A processor",
    4,
    2,
    {"L2 unified": "1024K"},
    ("avx2", "avx512_vnni"),
    "an OS",
    {"python": "3.11"},
    "abc1234",
    0.1,
)
OURS = Round(
    Latency(7.0, 9.0),
    140.0,
    12.0,
    30.0,
    {"crop": Latency(0.2, 0.3), "network": Latency(6.0, 8.0), "post": Latency(0.8, 1.0)},
    0.14,
)
REPORT = Benchmark(
    settings=Settings("", ("lite", "opencv:mil"), 40, 2, 2, (1, 4)),
    machine=MACHINE,
    clip="generated clip",
    size=(640, 480),
    decode=(Latency(1.0, 2.0), Latency(1.5, 2.0)),
    trackers=(
        Measured(
            "lite",
            (OURS, replace(OURS, fps=150.0)),
            1.0,
            (Fresh(250.0, 200.0, 90.0, 700.0, 190.5, 0.25, 100, 5),),
        ),
        Measured(
            "opencv-mil",
            (Round(Latency(21.0, 30.0), 44.0, 25.0, 8.0),) * 2,
            3.0,
            (Fresh(250.0, 0.5, 60.0, 350.0, None, None, 100, None),),
        ),
    ),
    many=(Many(1, (8.0, 8.2), (8.0, 8.2), 1.0), Many(4, (30.0, 31.0), (33.0, 32.0), 0.94)),
    skipped=("opencv:kcf: not in this OpenCV",),
)


def test_percentiles_against_a_sorted_list():
    times = np.random.default_rng(0).permutation(101) / 1000
    assert Latency.of(times) == Latency(50.0, 95.0)
    assert middle([Latency(1, 9), Latency(5, 2), Latency(3, 4)]) == Latency(3, 4)


def test_json_comes_back_as_it_went(tmp_path):
    file = tmp_path / "speed.json"
    file.write_text(REPORT.to_json())
    assert read_report(file) == REPORT


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"machine": 3}'])
def test_other_json_is_no_report(tmp_path, text):
    file = tmp_path / "speed.json"
    file.write_text(text)
    with pytest.raises(ValueError, match="is no report of siamtrack bench"):
        read_report(file)


def test_table_has_every_figure():
    lines = table(REPORT).splitlines()
    assert lines[0].startswith(
        "generated clip: 40 frames of 640x480, rounds in turn: 2, threads: 2;"
    )
    cells = {line[:24].strip(): line[24:].split() for line in lines[2:9]}
    assert cells["lite"] == ["7.00", "9.00", "1.00", "145", "12.0", "700", "190", "+0.2", "5"]
    assert cells["network"] == ["6.00", "8.00", "85.7%"]
    assert cells["outside the network"] == ["14.0%"]
    assert cells["opencv-mil"] == ["21.00", "30.00", "3.00", "44", "25.0", "350", "-", "-", "-"]
    assert cells["decode"] == ["1.25", "2.00"]
    assert lines[-2].split() == ["4", "30.50", "32.50", "0.94"]
    assert lines[-1] == "skipped opencv:kcf: not in this OpenCV"


def test_a_busy_machine_is_said_to_be_one():
    assert "note:" not in table(REPORT)
    busy = replace(REPORT, machine=replace(MACHINE, load=3.5))
    assert "note: a load of 3.5 on 4 cores" in table(busy)
    assert not replace(MACHINE, load=None).busy


def test_this_machine():
    machine = this_machine()
    assert machine.processor
    assert 1 <= usable_cores() == machine.usable <= machine.cores
    assert machine.versions.keys() == {"python", "numpy", "opencv", "onnxruntime", "siamtrack"}
    assert machine.versions["numpy"] == np.__version__
