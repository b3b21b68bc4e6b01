"""What a speed depends on: processor, system, versions, what else runs, and the engine.

Engines take turns on the same patches.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from siamtrack.benchmark.footage import open_footage, write_generated
from siamtrack.evaluation.report.html import aligned
from siamtrack.packages.card import INT8, Model, load_model, model_folder, read_card
from siamtrack.runtimes.base import Response
from siamtrack.runtimes.engines import (
    EXACT,
    PACKAGES,
    Row,
    cores,
    cpu_info,
    fastest,
    installed,
    processor_kind,
)
from siamtrack.tracking.target import Target

FLAGS: tuple[str, ...] = (
    *("avx", "avx2", "fma", "avx512f", "avx512bw", "avx512_bf16", "avx512_vnni", "avx_vnni"),
    *("amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm", "bf16", "sve"),
)
"""Instructions that decide how fast float and integer networks are."""


@dataclass(frozen=True)
class Machine:
    """Where something was measured; empty where something is not known.

    Attributes:
        cores: Logical processors; `usable` are those that this process may use.
        caches: Level and kind to size, such as {"L2 unified": "1024K"}.
        flags: Those of `FLAGS` that it has.
        versions: Of Python and of the packages that do the work.
        commit: Of the checkout that siamtrack runs from.
        load: Average number of running threads over the last minute, before the start.
    """

    processor: str
    cores: int
    usable: int
    caches: dict[str, str]
    flags: tuple[str, ...]
    system: str
    versions: dict[str, str]
    commit: str
    load: float | None

    @property
    def busy(self) -> bool:
        """Whether others kept more than a quarter of the cores occupied."""
        return self.load is not None and self.load > 0.25 * self.cores


def this_machine() -> Machine:
    """Describe the machine."""
    info = cpu_info()
    known = set(info.get("flags", info.get("Features", "")).split())
    return Machine(
        processor=info.get("model name") or platform.processor() or platform.machine(),
        cores=os.cpu_count() or 1,
        usable=cores(),
        caches=_caches(Path("/sys/devices/system/cpu/cpu0/cache")),
        flags=tuple(flag for flag in FLAGS if flag in known),
        system=platform.platform(),
        versions=_versions(),
        commit=_commit(),
        load=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    )


def _caches(folder: Path) -> dict[str, str]:
    found = {}
    for place in sorted(folder.glob("index*")):
        try:
            level, kind, size = (
                (place / name).read_text(encoding="utf-8").strip()
                for name in ("level", "type", "size")
            )
        except OSError:
            continue
        found[f"L{level} {kind.lower()}"] = size
    return found


def _versions() -> dict[str, str]:
    import cv2
    import numpy as np
    import onnxruntime

    import siamtrack

    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": f"{cv2.__version__}{_contrib()}",
        "onnxruntime": onnxruntime.__version__,
        "siamtrack": siamtrack.__version__,
    }


def _contrib() -> str:
    """Return which of OpenCV's four packages is installed, where it is not the usual one."""
    names = {name.lower() for dist in metadata.distributions() if (name := dist.metadata["Name"])}
    return " (contrib)" if any(name.startswith("opencv-contrib") for name in names) else ""


def _commit() -> str:
    root = Path(__file__).parents[3]
    if not (root / ".git").exists():
        return ""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:  # no git
        return ""
    return done.stdout.strip()


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
