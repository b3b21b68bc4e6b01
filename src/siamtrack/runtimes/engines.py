"""Which runtime, how many threads, and one network for all trackers of a process.

The fastest engine for a model on a kind of processor is known by what was measured.

The package has a table, and `siamtrack bench --engines` adds rows for other models and processors
to one in the user's cache. Nothing is measured, and no engine is imported, when a model is loaded.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import logging
import os
import platform
import sys
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from siamtrack.core.config import from_dict, parse_json, shown, to_dict
from siamtrack.core.files import text_of
from siamtrack.runtimes.base import RUNTIMES

logger = logging.getLogger(__name__)

TABLE = Path(__file__).with_name("engines.json")
"""Rows that the package has."""
EXACT = 1e-4
"""Difference to `onnx` that rounding of float32 explains, as a share of the largest value."""
GAIN = 0.9
"""An engine other than `onnx` takes at most this share of its time, or is not worth its start."""
PACKAGES = {"openvino": "openvino"}
"""Engines that `auto` may take in place of `onnx`, and the package that each needs."""
LEVELS = (
    ("amx_int8", "amx"),
    ("avx512_vnni", "avx512-vnni"),
    ("avx_vnni", "avx-vnni"),
    ("avx2", "avx2"),
    ("asimddp", "neon-dot"),
    ("asimd", "neon"),
)
"""Instructions, the best first, and what a kind of processor that has them is called."""
VENDORS = {"GenuineIntel": "intel", "AuthenticAMD": "amd"}


@dataclass(frozen=True)
class Row:
    """A model in one precision on one kind of processor.

    Attributes:
        processor: As `processor_kind` returns it.
        model: Name of the model.
        graph: Full sha256 of its search graph.
        precision: `float32` or `int8`.
        threads: Threads of each engine.
        milliseconds: Engine to its median time for a search patch.
        away: Engine to its largest difference to `onnx`, as a share of the largest value of an
            output.
        load_seconds: Engine to the time that loading the model takes in a process that has it not
            yet imported.
        machine: Name of the processor.
        versions: Engine to its version.
        note: How it was measured, where it was in another way than `siamtrack bench --engines`.
    """

    processor: str
    model: str
    graph: str
    precision: str
    threads: int
    milliseconds: dict[str, float]
    away: dict[str, float]
    load_seconds: dict[str, float] = field(default_factory=dict)
    machine: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What a newer row has in common with the one that it replaces."""
        return self.processor, self.model, self.precision


def cache_file() -> Path:
    """Return where the rows are that were measured on this machine."""
    default = "~/AppData/Local" if os.name == "nt" else "~/.cache"
    base = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME") or default
    return Path(base).expanduser() / "siamtrack" / "engines.json"


def read_rows(path: Path) -> list[Row]:
    """Read a table; none where there is no file.

    Raises:
        ValueError: If it is no table.
    """
    if not path.is_file():
        return []
    try:
        return [from_dict(Row, row) for row in parse_json(text_of(path))["rows"]]
    except (OSError, TypeError, LookupError, ValueError) as reason:
        raise ValueError(
            f"{path} is no table of engines ({reason}): remove it; `siamtrack bench --engines` "
            "writes it again"
        ) from reason


def merged(old: Iterable[Row], new: Iterable[Row]) -> str:
    """Return the text of a table in which new rows take the place of old ones."""
    rows = {row.key: row for row in [*old, *new]}
    ordered = [to_dict(rows[key]) for key in sorted(rows)]
    return json.dumps({"rows": ordered}, indent=1) + "\n"


def known_rows() -> list[Row]:
    """Return the rows of the user's cache, then those of the package."""
    try:
        own = read_rows(cache_file())
    except (ValueError, RuntimeError) as reason:  # or there is no home folder
        logger.warning("%s", reason)
        own = []
    return [*own, *read_rows(TABLE)]


def cpu_info(text: str | None = None) -> dict[str, str]:
    """Return what Linux says about the first processor, in `/proc/cpuinfo` if `text` is None."""
    if text is None:
        try:
            text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return {}
    first = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in first}


@functools.cache
def processor_kind(cpuinfo: str | None = None) -> str:
    r"""Return the maker and the best instructions of this processor; empty where nobody says.

    Args:
        cpuinfo: Text of Linux' `/proc/cpuinfo`; read if None.

    Example:
        >>> processor_kind("vendor_id : AuthenticAMD\nflags : sse avx2 avx512_vnni")
        'amd avx512-vnni'
    """
    if cpuinfo is None and sys.platform == "darwin" and platform.machine() == "arm64":
        return "arm neon-dot"
    fields = cpu_info(cpuinfo)
    flags = set(fields.get("flags", fields.get("Features", "")).split())
    level = next((name for flag, name in LEVELS if flag in flags), "")
    maker = "arm" if level.startswith("neon") else VENDORS.get(fields.get("vendor_id", ""), "x86")
    return f"{maker} {level}" if level else ""


def installed(engine: str) -> bool:
    """Whether an engine can be taken here; it is not imported.

    OpenVINO's threads do not come along in a fork: where it was imported before, it cannot run.
    """
    package = PACKAGES[engine]
    if package in sys.modules and os.getpid() != _PROCESS:
        return False
    return importlib.util.find_spec(package) is not None


_PROCESS = os.getpid()


def fastest(
    model: str,
    graph: str,
    precision: str,
    *,
    kind: str | None = None,
    rows: Sequence[Row] | None = None,
    there: Callable[[str], bool] = installed,
) -> str:
    """Return the fastest engine that answers as `onnx` does; `onnx` where nothing is known.

    Args:
        model: Name of the model; a row for its exact graph comes first.
        graph: Full sha256 of its search graph.
        precision: `float32` or `int8`.
        kind: Kind of the processor; this one's if None.
        rows: What was measured; `known_rows` if None.
        there: Tells whether an engine is installed.

    Example:
        >>> row = Row("amd avx2", "lite", "12", "float32", 2, {"onnx": 5.0, "openvino": 3.0},
        ...           {"openvino": 2e-6})
        >>> fastest("lite", "12", "float32", kind="amd avx2", rows=[row], there=lambda name: True)
        'openvino'
    """
    kind = processor_kind() if kind is None else kind
    rows = known_rows() if rows is None else rows
    fitting = [row for row in rows if row.processor == kind and row.precision == precision]
    for row in sorted(fitting, key=lambda row: row.graph != graph):
        if graph != row.graph and model != row.model:
            continue
        most = GAIN * row.milliseconds.get("onnx", 0.0)
        quick = {
            engine: ms
            for engine, ms in row.milliseconds.items()
            if engine in PACKAGES and ms <= most and row.away.get(engine, 1.0) <= EXACT
        }
        return next((e for e in sorted(quick, key=lambda e: quick[e]) if there(e)), "onnx")
    return "onnx"


T = TypeVar("T")

AUTO = "auto"
MOST_THREADS = 4096
"""No processor has more; engines end the process over numbers that are absurd."""

_alive: WeakValueDictionary[Hashable, Any] = WeakValueDictionary()


def runtime_names() -> list[str]:
    """Return what can be asked for: `auto`, and every registered runtime, installed or not."""
    return [AUTO, *RUNTIMES]


def choose_runtime(name: str = AUTO) -> str:
    """Return the registered name of a runtime for what was asked for.

    `auto` is `onnx`, which is in the core install, loads soonest and runs every model. For a given
    model, `siamtrack.packages.card.choose_engine` may know a faster one that answers alike. Nothing
    is measured or imported here.

    Raises:
        UnknownNameError: If there is no such runtime.

    Example:
        >>> choose_runtime("auto")
        'onnx'
    """
    if name == AUTO:
        return "onnx"
    if name not in RUNTIMES:
        raise RUNTIMES.unknown(name, [AUTO])
    return name


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_threads(threads: int) -> None:
    """Refuse a number of threads that is none, and warn of more threads than cores.

    Threads beyond the cores wait for each other, so that it gets slower. It is no error, because a
    script that asks for four should run on a machine with two.

    Raises:
        ValueError: If it is no whole number from 0.
    """
    whole = isinstance(threads, int) and not isinstance(threads, bool)
    if not whole or not 0 <= threads <= MOST_THREADS:
        raise ValueError(
            f"threads {shown(threads)}: expected a whole number up to {MOST_THREADS}; 0 lets the "
            "runtime choose"
        )
    if threads > cores():
        logger.warning(
            "%d threads, but this process may use %d core(s): that is slower than %d thread(s); "
            "give fewer, or 0 to let the runtime choose",
            threads,
            cores(),
            cores(),
        )


def shared(key: Hashable, make: Callable[[], T]) -> T:
    """Return the runtime (or other graphs) in use under `key`, or a new one that `make` returns.

    Sixteen trackers with a network each take six times the memory of sixteen that share one, and
    several times as long: the waiting threads of one engine hold the cores that the next one needs.

    It lives as long as a tracker that uses it. Only runtimes with an attribute `shareable` are
    shared: many threads may call them at once. A forked process makes its own: the threads of an
    engine do not come along. Two threads that load at the same time may get one each.
    """
    place = (os.getpid(), key)
    runtime: T | None = _alive.get(place)
    if runtime is None:
        runtime = make()
        if getattr(runtime, "shareable", False):
            _alive[place] = runtime
    return runtime
