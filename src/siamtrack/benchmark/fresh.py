"""A tracker in a process of its own: what it costs to start it, and what it holds on to.

The parent, `measure`, hands the frames over in a file; the child, `main`, is timed from its first
line on and imports nothing of weight before that.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from siamtrack.benchmark.figures import Fresh
    from siamtrack.benchmark.footage import Footage

FRAMES, UPDATES, SETTLE = 16, 100, 20
"""Frames that the child gets and repeats, forth and back; updates over which growth is measured;
updates before those."""
MB = 1e6
CHILD = "from siamtrack.benchmark.fresh import main; main()"


def measure(spec: str, footage: Footage, threads: int, updates: int = UPDATES) -> Fresh:
    """Start a process for a tracker (`spec` as for `open_tracker`) and read its figures.

    Memory may grow over `updates` updates on the first frames of the footage.

    Raises:
        SiamtrackError: If the process fails; the message ends with its last words.
    """
    import numpy as np

    from siamtrack.benchmark.figures import Fresh
    from siamtrack.core.config import from_dict
    from siamtrack.errors import SiamtrackError

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "frames.npy"
        np.save(file, np.stack(footage.frames[:FRAMES]))
        order = {"spec": spec, "threads": threads, "updates": updates, "frames": str(file)}
        words = json.dumps({**order, "box": footage.box.tolist()})
        command = [sys.executable, "-c", CHILD, words]
        clock = time.perf_counter()
        with (
            tempfile.TemporaryFile("w+") as errors,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as child,
        ):
            assert child.stdout is not None
            child.stdout.readline()  # written when the first box is there
            total_ms = (time.perf_counter() - clock) * 1000
            out = child.stdout.read()  # not `communicate`, which passes over what is buffered
            child.wait()
            errors.seek(0)
            err = errors.read()
    if child.returncode != 0:
        last = (err.strip().splitlines() or ["no message"])[-1]
        raise SiamtrackError(
            f"{spec} in a process of its own ended with code {child.returncode}: {last}"
        )
    return from_dict(Fresh, {**json.loads(out), "total_ms": round(total_ms, 2)})


def main() -> None:
    """Be the child: print a line at the first box, and then the figures as JSON."""
    begun = time.perf_counter()
    from siamtrack.evaluation.trackers import open_tracker

    imported = time.perf_counter()
    order: dict[str, Any] = json.loads(sys.argv[1])
    tracker = open_tracker(order["spec"], threads=order["threads"])[1]()
    loaded = time.perf_counter()
    import cv2
    import numpy as np

    cv2.setNumThreads(order["threads"])
    frames = np.load(order["frames"])
    ready = time.perf_counter()
    tracker.init(frames[0], order["box"])
    tracker.update(frames[1])
    first = time.perf_counter()
    sys.stdout.write("\n")
    sys.stdout.flush()
    _follow(tracker, frames, SETTLE)
    before = resident()
    _follow(tracker, frames, order["updates"])
    after, most = resident(), peak()
    found = {
        "import_ms": round((imported - begun) * 1000, 2),
        "load_ms": round((loaded - imported) * 1000, 2),
        "first_box_ms": round((first - ready) * 1000, 4),
        "peak_mb": None if most is None else round(most - frames.nbytes / MB, 2),
        "growth_mb": None if before is None or after is None else round(after - before, 2),
        "updates": order["updates"],
        "threads": threads(),
    }
    sys.stdout.write(json.dumps(found))


def _follow(tracker: Any, frames: Any, updates: int) -> None:
    """Go through the frames back and forth, so that the target never jumps far."""
    last = len(frames) - 1
    for index in range(updates):
        tracker.update(frames[last - abs(last - index % (2 * last))])


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
