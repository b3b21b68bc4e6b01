"""Long runs and many at once: memory stays flat, speed steady, answers the same.

    nohup python benchmarks/load.py --frames 100000 > load.log 2>&1 &     half an hour or more

3,000 frames are the default. Prints JSON: resident memory and processor time per frame by tenth of
the run; 64 targets; eight trackers in eight threads of one process; the same in forked and spawned
processes. Ends with code 1 where memory grew by more than 5 % or 30 MB after the first tenth, the
slowest tenth took half as long again as the middle one, or an answer differs.

A line on standard error tells of every hundredth of the long run. The JSON is written after each
part and each tenth, so that a run that is killed leaves what it measured; `finished` in it says
whether it is all. Its commit, date and processor are in it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

HEIGHT, WIDTH, SIDE = 120, 160, 24
PARTS = ("at_once", "long_run", "many_targets")


def frame(index: int) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """Frame `index` of a clip without end, (120, 160, 3), and the box of what moves in it."""
    rng = np.random.default_rng(0)
    ground = cv2.resize(rng.integers(0, 120, (6, 8, 3), dtype=np.uint8), (WIDTH, HEIGHT))
    target = cv2.resize(rng.integers(0, 255, (6, 6, 3), dtype=np.uint8), (SIDE, SIDE))
    x = round(68 + 55 * np.sin(index / 40))
    y = round(48 + 35 * np.sin(index / 57))
    ground[y : y + SIDE, x : x + SIDE] = target
    return ground, (x, y, SIDE, SIDE)


def resident() -> int:
    """Bytes of memory that the process holds."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def run(frames: int, threads: int = 1) -> list[list[float]]:
    """Track for some frames and return the boxes."""
    import siamtrack

    tracker = siamtrack.load(threads=threads)
    tracker.init(*frame(0))
    return [tracker.update(frame(index)[0]).box.tolist() for index in range(1, frames)]


def long_run(frames: int, tell: Callable[[dict[str, object]], None]) -> dict[str, object]:
    """One target over many frames: memory and processor time of each tenth.

    `tell` gets what is known so far at the end of each tenth.
    """
    import siamtrack

    tracker = siamtrack.load(threads=1)
    tracker.init(*frame(0))
    part, held, spent, tracked = max(1, frames // 10), [], [], 0
    found: dict[str, object] = {}
    clock, begun = time.process_time(), time.monotonic()
    for index in range(1, part * 10 + 1):
        track = tracker.update(frame(index)[0])
        assert np.isfinite(track.box).all()
        tracked += track.state.value == "tracked"
        if index % max(1, part // 10) == 0:
            passed = time.monotonic() - begun
            left = passed / index * (part * 10 - index)
            words = f"{index} of {part * 10} frames, {resident() / 1e6:.1f} MB, "
            print(f"{words}{passed:.0f} s, {left:.0f} s left", file=sys.stderr, flush=True)
        if index % part == 0:
            now = time.process_time()
            held.append(round(resident() / 1e6, 1))
            spent.append(round((now - clock) * 1000 / part, 2))
            clock = now
            grown = held[-1] - held[0]
            steady = max(spent) <= 1.5 * sorted(spent)[len(spent) // 2]
            found = {
                "frames": index,
                "tracked": tracked,
                "resident_mb": held,
                "cpu_ms": spent,
                "grown_mb": round(grown, 1),
                "good": grown <= max(30.0, 0.05 * held[0]) and steady,
            }
            tell(found)
    return found


def many_targets(frames: int, targets: int = 64) -> dict[str, object]:
    """Many targets in one batch."""
    import siamtrack

    tracker = siamtrack.load(threads=1)
    rng = np.random.default_rng(1)
    for x, y in rng.uniform([0, 0], [WIDTH - 20, HEIGHT - 20], (targets, 2)):
        tracker.add(frame(0)[0], (x, y, 16, 16))
    before = 0
    for index in range(1, frames):
        tracks = tracker.update_all(frame(index)[0])
        assert len(tracks) == targets
        assert all(np.isfinite(track.box).all() for track in tracks)
        before = before or resident()
    grown = (resident() - before) / 1e6
    return {"targets": targets, "frames": frames, "grown_mb": round(grown, 1), "good": grown < 60}


def at_once(frames: int, streams: int = 8) -> dict[str, object]:
    """Eight trackers at once, in threads and in processes: all answer as one alone does."""
    alone = run(frames)
    found: dict[str, object] = {"streams": streams, "frames": frames}
    with ThreadPoolExecutor(streams) as pool:
        found["threads"] = list(pool.map(run, [frames] * streams)) == [alone] * streams
    for way in ("spawn", "fork"):
        context = multiprocessing.get_context(way)
        with ProcessPoolExecutor(2, mp_context=context) as workers:
            found[way] = list(workers.map(run, [frames] * 2)) == [alone] * 2
    found["good"] = all(found[way] for way in ("threads", "spawn", "fork"))
    return found


def about(frames: int) -> dict[str, object]:
    """What is measured, of which commit, when and where."""
    order = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    done = subprocess.run(order, capture_output=True, text=True, check=False)
    return {
        "frames": frames,
        "size": [WIDTH, HEIGHT],
        "commit": done.stdout.strip() or None,
        "date": time.strftime("%Y-%m-%d"),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
    }


def write(path: Path, found: dict[str, object]) -> None:
    """Write what is known so far; a kill leaves this or what was there."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    part.replace(path)


def main() -> None:
    """Run everything and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=3000)
    parser.add_argument("--part", choices=PARTS, action="append", help="only this; repeat for more")
    parser.add_argument("--out", default=str(Path(__file__).with_name("load.json")))
    chosen = parser.parse_args()
    found: dict[str, object] = {"about": about(chosen.frames), "finished": False}

    def keep(name: str, part: dict[str, object]) -> None:
        found[name] = part
        write(Path(chosen.out), found)

    parts = chosen.part or PARTS
    if "at_once" in parts:
        keep("at_once", at_once(min(200, max(10, chosen.frames // 50))))
    if "long_run" in parts:
        keep("long_run", long_run(chosen.frames, lambda part: keep("long_run", part)))
    if "many_targets" in parts:
        keep("many_targets", many_targets(max(10, chosen.frames // 100)))
    found["finished"] = True
    write(Path(chosen.out), found)
    print(json.dumps(found, indent=1))
    if not all(found[name]["good"] for name in parts):  # type: ignore[index]
        raise SystemExit(1)


if __name__ == "__main__":
    main()
