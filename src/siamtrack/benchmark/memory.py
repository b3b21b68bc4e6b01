"""What the system says about this process; None where it says nothing."""

from __future__ import annotations

import sys
from pathlib import Path

MB = 1e6


def resident() -> float | None:
    """Memory of this process that is in use, in MB (Linux)."""
    kilobytes = _status("VmRSS")
    return None if kilobytes is None else kilobytes * 1024 / MB


def peak() -> float | None:
    """The most that was resident since the process started, in MB (Linux and macOS)."""
    kilobytes = _status("VmHWM")
    if kilobytes is not None:
        return kilobytes * 1024 / MB
    if sys.platform == "win32":
        return None
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / MB if sys.platform == "darwin" else most * 1024 / MB


def threads() -> int | None:
    """Threads of this process (Linux)."""
    return _status("Threads")


def _status(name: str) -> int | None:
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    values = (line.split()[1] for line in lines if line.startswith(f"{name}:"))
    return int(next(values, 0)) or None
