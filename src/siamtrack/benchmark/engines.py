"""Which engine is the fastest for a model on this machine: they take turns on the same patches."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

import numpy as np

from siamtrack.benchmark.footage import open_footage, write_generated
from siamtrack.benchmark.machine import this_machine
from siamtrack.evaluation.report.html import aligned
from siamtrack.packages.card import INT8, Model, load_model, model_folder, read_card
from siamtrack.runtimes.base import Response
from siamtrack.runtimes.engines import (
    EXACT,
    PACKAGES,
    Row,
    cores,
    fastest,
    installed,
    processor_kind,
)
from siamtrack.tracking.target import Target

FRAMES, CALLS = 8, 20
"""Patches that are compared; calls of an engine in a round."""
OUTPUTS = ("score", "distances", "presence", "features")


def measure_engines(
    models: Sequence[str],
    threads: int = 0,
    rounds: int = 5,
    done: Callable[[str], None] = lambda _: None,
) -> list[Row]:
    """Measure `onnx` and every other engine that is installed, in each precision of each model.

    Args:
        models: Names or folders.
        threads: Threads of each engine; 0: one for each core.
        rounds: Turns of each engine.
        done: Called with a few words after each turn.

    Raises:
        UnknownNameError: If there is no such model.
    """
    threads, machine = threads or cores(), this_machine()
    names = ["onnx", *(name for name in PACKAGES if installed(name))]
    found = []
    for model in models:
        card = read_card(model_folder(model))
        for precision in ("float32", "int8") if INT8 in card.sha256 else ("float32",):
            engines: dict[str, Model] = {}
            seconds = {}
            for name in names:
                clock = time.perf_counter()
                engines[name] = load_model(
                    model, runtime=name, threads=threads, precision=precision
                )
                seconds[name] = round(time.perf_counter() - clock, 2)
            times, away = _turns(engines, rounds, done)
            row = Row(
                processor=processor_kind(),
                model=card.name,
                graph=card.sha256[INT8 if precision == "int8" else "search"],
                precision=precision,
                threads=threads,
                milliseconds={name: round(1e3 * times[name], 3) for name in names},
                away={name: float(f"{away[name]:.1e}") for name in names},
                load_seconds=seconds,
                machine=machine.processor,
                versions={n: metadata.version(PACKAGES.get(n, "onnxruntime")) for n in names},
            )
            found.append(row)
    return found


def engine_table(rows: Sequence[Row]) -> str:
    """Return a line for each engine of each row, and what `auto` takes of them."""
    lines = [["model", "precision", "engine", "ms", "to onnx", "away", "load s", ""]]
    for row in rows:
        chosen = fastest(row.model, row.graph, row.precision, kind=row.processor, rows=[row])
        for name, ms in row.milliseconds.items():
            exact = row.away[name] <= EXACT
            lines.append(
                [
                    row.model,
                    row.precision,
                    name,
                    f"{ms:.2f}",
                    f"{ms / row.milliseconds['onnx']:.2f}",
                    f"{row.away[name]:.0e}",
                    f"{row.load_seconds.get(name, 0.0):.2f}",
                    "auto" if name == chosen else "" if exact else "not exact: only by its name",
                ]
            )
    kind = rows[0].processor or "of unknown kind" if rows else ""
    return f"{rows[0].machine} ({kind}), {rows[0].threads} threads\n{aligned(lines)}"


def _turns(
    engines: dict[str, Model], rounds: int, done: Callable[[str], None]
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the median seconds of each engine, and how far its answers are from those of onnx."""
    card = engines["onnx"].card
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "clip.mp4"
        footage = open_footage(str(file), write_generated(file, FRAMES))
        target = Target(engines["onnx"], footage.frames[0], footage.box)
        patches = [target.patches(frame, target.windows()[:1]) for frame in footage.frames]
    answers: dict[str, list[Response]] = {
        name: [model.runtime.respond(target.kernel, patch) for patch in patches]
        for name, model in engines.items()
    }
    away = {
        name: max(
            _apart(answer, truth, output)
            for answer, truth in zip(answers[name], answers["onnx"], strict=True)
            for output in OUTPUTS
        )
        for name in engines
    }
    times: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(rounds):
        for name, model in engines.items():
            for call in range(CALLS):
                clock = time.perf_counter()
                model.runtime.respond(target.kernel, patches[call % len(patches)])
                times[name].append(time.perf_counter() - clock)
            done(f"{card.name} in {name}")
    return {name: statistics.median(each) for name, each in times.items()}, away


def _apart(answer: Response, truth: Response, output: str) -> float:
    one, other = getattr(answer, output), getattr(truth, output)
    if one is None or other is None:
        return 0.0
    return float(np.abs(one - other).max() / max(float(np.abs(other).max()), 1e-9))
