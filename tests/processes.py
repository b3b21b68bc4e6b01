"""Processes that tests start: gone when the test ends, and with signals as at a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SIGNALS = (
    "import signal; "
    "signal.signal(signal.SIGINT, signal.default_int_handler); "
    "signal.signal(signal.SIGTERM, signal.SIG_DFL); "
    "hasattr(signal, 'SIGHUP') and signal.signal(signal.SIGHUP, signal.SIG_DFL); "
    "hasattr(signal, 'pthread_sigmask') and signal.pthread_sigmask(signal.SIG_SETMASK, ()); "
)
"""Python that takes signals as at a terminal, whatever was ignored or blocked where tests began."""


def siamtrack(*words: object, before: str = "") -> list[str]:
    """Return the command line of a `siamtrack` of its own that can be interrupted.

    Args:
        words: Its arguments.
        before: Python to run in its process first.
    """
    code = f"{SIGNALS}\n{before}\nfrom siamtrack.cli import main; main()"
    return [sys.executable, "-c", code, *map(str, words)]


def environment() -> dict[str, str]:
    """Return variables with which a child finds this tree, and takes one thread."""
    path = [str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(path), "OMP_NUM_THREADS": "1"}


@contextmanager
def started(command: list[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """Start a command; at the end of the block it is killed if it runs, waited for and closed."""
    with subprocess.Popen(command, **options) as child:
        try:
            yield child
        finally:
            if child.poll() is None:
                child.kill()


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[Any]]]:
    """Return a function that starts commands, all of which end with the test as in `started`."""
    children: list[subprocess.Popen[Any]] = []

    def begin(command: list[str], **options: Any) -> subprocess.Popen[Any]:
        children.append(subprocess.Popen(command, **options))
        return children[-1]

    yield begin
    for child in children:
        if child.poll() is None:
            child.kill()
        with child:
            pass
