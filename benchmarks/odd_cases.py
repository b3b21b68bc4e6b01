"""Odd and hostile cases, ours and other trackers side by side; writes benchmarks/odd_cases.json.

    python benchmarks/odd_cases.py [--siamdw FOLDER]

With the folder of a clone of SiamDW, a research repository, its tracker is a column as well; see
`benchmarks/siamdw_peer.py` for how, and that its weights are random.

Each case runs in a process of its own, because some end the process. An outcome is one of: `error`
(an exception that says what is wrong), `box` (a finite box, no error), `not finite`, `crash` (the
process ended by a signal) and `hang` (no answer after a minute). Which outcome is right depends on
the case: the table shows what was expected.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

SIAMDW = "SiamDW"
TRACKERS = ("siamtrack", "MIL", "KCF", "CSRT", SIAMDW)
NAN, INF = float("nan"), float("inf")


def picture(shift: int = 0) -> np.ndarray:
    """A picture (120, 160, 3) with texture."""
    small = np.random.default_rng(0).integers(0, 255, (14, 18, 3), dtype=np.uint8)
    return np.roll(cv2.resize(small, (160, 120), interpolation=cv2.INTER_CUBIC), shift, 1)


P, Q, BOX = picture(), picture(2), (60, 40, 30, 30)
CASES = {
    "plain": ("box", P, BOX, Q),
    "box of NaN": ("error", P, (NAN, 10, 20, 20), Q),
    "box of infinity": ("error", P, (10, INF, 20, 20), Q),
    "box outside the frame": ("error", P, (500, 500, 30, 30), Q),
    "box without area": ("error", P, (60, 40, 0, 30), Q),
    "box of negative size": ("error", P, (60, 40, -30, -30), Q),
    "box of three numbers": ("error", P, (60, 40, 30), Q),
    "box larger than the frame": ("error", P, (-500, -500, 2000, 2000), Q),
    "box of 2**31": ("error", P, (2**31, 0, 2**31, 10), Q),
    "box half outside": ("box", P, (140, 100, 30, 30), Q),
    "box of one pixel": ("box", P, (60, 40, 1, 1), Q),
    "first frame empty": ("error", np.zeros((0, 0, 3), np.uint8), BOX, Q),
    "first frame None": ("error", None, BOX, Q),
    "next frame empty": ("error", P, BOX, np.zeros((0, 0, 3), np.uint8)),
    "next frame None": ("error", P, BOX, None),
    "next frame of another size": ("error", P, BOX, picture()[:60, :80]),
    "gray frames": ("box", P[..., 0].copy(), BOX, Q[..., 0].copy()),
    "next frame gray": ("box", P, BOX, Q[..., 0].copy()),
    "frames with alpha": ("box", np.dstack([P, P[..., 0]]), BOX, np.dstack([Q, Q[..., 0]])),
    "frames of 16 bits": ("box", P.astype(np.uint16) * 257, BOX, Q.astype(np.uint16) * 257),
    "frames in [0, 1]": ("box", P / 255.0, BOX, Q / 255.0),
    "frames of NaN": ("error", np.full(P.shape, NAN, np.float32), BOX, Q),
    "frames of one color": ("box", np.full_like(P, 90), BOX, np.full_like(P, 90)),
    "frames of one pixel": ("box", P[:1, :1].copy(), (0, 0, 1, 1), P[:1, :1].copy()),
    "views with gaps": ("box", P[::-1, ::-1], BOX, Q[::-1, ::-1]),
    "update before init": ("error", P, None, Q),
}


def make(name: str, clone: Path | None = None) -> Any:
    """Return a tracker of OpenCV's shape; None if it is not installed."""
    if name == SIAMDW:
        if clone is None:
            return None
        sys.path.insert(0, str(Path(__file__).parent))
        from siamdw_peer import SiamDWTracker

        return SiamDWTracker(clone)
    if name == "siamtrack":
        import siamtrack

        return siamtrack.OpenCVTracker(siamtrack.load(threads=1))
    for place in (cv2, getattr(cv2, "legacy", None)):
        maker = getattr(place, f"Tracker{name}_create", None) or getattr(
            getattr(place, f"Tracker{name}", None), "create", None
        )
        if maker is not None:
            return maker()
    return None


def child(name: str, case: str, clone: Path | None = None) -> None:
    """Run one case and print its outcome."""
    tracker = make(name, clone)
    _, first, box, following = CASES[case]
    if tracker is None:
        print("absent")
        return
    try:
        if box is not None:
            tracker.init(first, box)
        good = []
        for _ in range(2):
            good.append(tracker.update(following))
    except Exception as error:
        print("error", str(error).replace("\n", " ")[:160])
        return
    finite = all(np.isfinite(np.asarray(answer[1], float)).all() for answer in good)
    print("box" if finite else "not finite", f"ok {good[-1][0]}")


def outcome(name: str, case: str, clone: Path | None = None) -> str:
    """Run one case in a process of its own."""
    order = [sys.executable, "-W", "ignore", __file__, "--child", name, "--case", case]
    order += ["--siamdw", str(clone)] if clone else []
    try:
        done = subprocess.run(order, capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return "hang"
    if done.returncode:
        return f"crash (code {done.returncode})"
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "crash (silent)"


def main() -> None:
    """Run all cases of all trackers and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--child")
    parser.add_argument("--case")
    parser.add_argument("--out", default=str(Path(__file__).with_name("odd_cases.json")))
    parser.add_argument("--siamdw", type=Path, help="clone of github.com/researchmm/SiamDW")
    chosen = parser.parse_args()
    clone = chosen.siamdw
    if chosen.child:
        child(chosen.child, chosen.case, clone)
        return
    names = [name for name in TRACKERS if name == "siamtrack" or make(name, clone) is not None]
    found = {case: {name: outcome(name, case, clone) for name in names} for case in CASES}
    lines = [f"| case | expected | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    right = dict.fromkeys(names, 0)
    for case, answers in found.items():
        expected = CASES[case][0]
        words = []
        for name in names:
            word = answers[name].split(" ok")[0].split(" (")[0].split(":")[0].strip()
            word = next((w for w in ("error", "not finite", "box", "crash") if w in word), word)
            right[name] += word == expected
            words.append(word if word == expected else f"**{word}**")
        lines.append(f"| {case} | {expected} | {' | '.join(words)} |")
    lines.append(
        f"| as expected | {len(CASES)} | {' | '.join(str(right[name]) for name in names)} |"
    )
    print("\n".join(lines))
    about = {"opencv": cv2.__version__, "siamdw": _commit(clone), "cases": found}
    Path(chosen.out).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def _commit(clone: Path | None) -> str | None:
    if clone is None:
        return None
    order = ["git", "-C", str(clone), "rev-parse", "--short", "HEAD"]
    done = subprocess.run(order, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
