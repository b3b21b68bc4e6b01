"""Which runtime, how many threads, and one network for all trackers of a process."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Hashable
from weakref import WeakValueDictionary

from siamtrack.core.config import shown
from siamtrack.runtimes.base import RUNTIMES, Runtime

AUTO = "auto"
MOST_THREADS = 4096
"""No processor has more; engines end the process over numbers that are absurd."""

logger = logging.getLogger(__name__)
_alive: WeakValueDictionary[Hashable, Runtime] = WeakValueDictionary()


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


def shared(key: Hashable, make: Callable[[], Runtime]) -> Runtime:
    """Return the runtime that is in use under `key`, or a new one that `make` returns.

    Sixteen trackers with a network each take six times the memory of sixteen that share one, and
    several times as long: the waiting threads of one engine hold the cores that the next one needs.

    It lives as long as a tracker that uses it. Only runtimes with an attribute `shareable` are
    shared: many threads may call them at once. A forked process makes its own: the threads of an
    engine do not come along. Two threads that load at the same time may get one each.
    """
    place = (os.getpid(), key)
    runtime = _alive.get(place)
    if runtime is None:
        runtime = make()
        if getattr(runtime, "shareable", False):
            _alive[place] = runtime
    return runtime
