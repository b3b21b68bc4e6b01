"""Measure the tracker in the browser, and write the table of docs/browser.md.

    python benchmarks/browser.py [--updates 5000] [--load "what else ran"]

Builds web/ into a temporary folder and runs headless Chromium on it: parity with Python on three
real clips, time from an empty browser to the first frame that was tracked, updates a second of one
target at 640x480, bytes that a first visit loads, and memory over many updates. Needs Node,
Chromium, the packages of web/ (`make web`) and those of the extra dev.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from pages import fill  # noqa: E402
from tests.web.conftest import WEB, no_browser, script  # noqa: E402
from tests.web.test_browser import CLIPS, recorded  # noqa: E402

from siamtrack.benchmark.machine import this_machine  # noqa: E402
from siamtrack.cli.demo import demo_clip  # noqa: E402
from siamtrack.packages.card import load_model  # noqa: E402

PAGE = ROOT / "docs" / "browser.md"
RESULT = ROOT / "benchmarks" / "results" / "browser.json"
MARKS = "<!-- figures: benchmarks/browser.py -->\n", "<!-- end of figures -->"
HOURS = 4 * 3600


def measured(out: Path, updates: int) -> dict[str, Any]:
    """Return all figures of a build."""
    model = load_model("lite", precision="float32", threads=1)
    clips = [recorded(out / "clips", model, name) for name in CLIPS]
    parity = script("parity.mjs", out, 1, *clips, seconds=HOURS)["results"]
    what = ["first", "speed", "memory", updates]
    figures = script("measure.mjs", out, demo_clip(), *what, seconds=HOURS)
    return {"parity": dict(zip(CLIPS, parity, strict=True)), **figures}


def table(found: dict[str, Any]) -> str:
    """Return the rows of the page."""
    parity = found["parity"].values()
    speed = ", ".join(
        f"{row['frames']} frames/s with {row['threads']} thread{'s'[: row['threads'] - 1]}"
        for row in found["speed"]
    )
    memory = found["memory"]
    rows = {
        "largest difference of a side of a box from Python in float32, three real clips of 100 "
        "frames": f"{max(row['pixels'] for row in parity):.5f} px",
        "frames with another state": str(sum(row["states"] for row in parity)),
        "whole update, one target at 640x480, median": speed,
        "empty browser to first frame tracked, local server, median of three": (
            f"{found['firstFrame']} s"
        ),
        "first visit in WebAssembly": f"{found['download'] / 1e6:.1f} MB",
        "first visit on WebGPU": f"{found['downloadWebGpu'] / 1e6:.1f} MB",
        f"growth of memory over {memory['updates']} updates": (
            f"{100 * memory['growth']:.1f} % of {memory['before'] / 1e6:.0f} MB"
        ),
    }
    lines = [
        "| | measured |",
        "|---|---|",
        *(f"| {name} | {text} |" for name, text in rows.items()),
    ]
    machine = found["machine"]
    return "\n".join(lines) + f"\n\nMeasured on {machine['processor']}; {found['load']}.\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=5000)
    parser.add_argument("--load", default="nothing else ran")
    given = parser.parse_args()
    if reason := no_browser():
        sys.exit(f"not measured: {reason}")
    with tempfile.TemporaryDirectory() as folder:
        build = ["node", str(WEB / "build.mjs"), "--python", sys.executable, "--out", folder]
        path = os.pathsep.join(filter(None, sys.path))
        subprocess.run(build, check=True, env={**os.environ, "PYTHONPATH": path})
        found = measured(Path(folder), given.updates)
    found |= {"machine": asdict(this_machine()), "load": given.load}
    RESULT.write_text(json.dumps(found, indent=1) + "\n")
    fill(PAGE, MARKS, table(found))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
