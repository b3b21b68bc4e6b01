"""Write the table of accuracy and speed into README.md from the committed results.

python benchmarks/readme_table.py [--check]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "dev20"
BEGIN, END = "<!-- results: benchmarks/readme_table.py -->\n", "<!-- end of results -->"
ABOUT = {
    "siamtrack-lite": ("**siamtrack `lite`**", "in the package", "Apache-2.0"),
    "fear-xs": ("FEAR-XS", "research code", "MIT"),
    "nanotrack-v2": ("NanoTrack V2", "OpenCV, model file", "Apache-2.0"),
    "nanotrack-v3": ("NanoTrack V3", "research code", "Apache-2.0"),
    "lightfc": ("LightFC", "research code", "MIT"),
    "vittrack": ("VitTrack", "OpenCV, model file", "Apache-2.0"),
    "opencv-csrt": ("CSRT", "OpenCV contrib", "Apache-2.0"),
    "opencv-kcf": ("KCF", "OpenCV contrib", "Apache-2.0"),
}


def table() -> str:
    """Return the rows, the best success first."""
    report = json.loads((RESULTS / "report.json").read_text())
    speed = json.loads((RESULTS / "speed.json").read_text())["median_ms"]
    rows = [
        "| tracker | success AUC | precision at 20 px | whole update | comes as | licence |",
        "|---|---|---|---|---|---|",
    ]
    for name, found in report["trackers"].items():
        title, source, licence = ABOUT[name]
        overall, low_high = found["overall"], found["success_interval_95"]
        rows.append(
            f"| {title} | {overall['success']:.3f} ({low_high[0]:.2f} to {low_high[1]:.2f}) "
            f"| {overall['precision']:.3f} | {speed[name]:.1f} ms | {source} | {licence} |"
        )
    return "\n".join(rows) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    arguments = parser.parse_args()
    page = ROOT / "README.md"
    text = page.read_text()
    before, rest = text.split(BEGIN)
    new = before + BEGIN + table() + END + rest.split(END, 1)[1]
    if arguments.check:
        raise SystemExit(0 if new == text else "README.md is not up to date: run this script")
    page.write_text(new)


if __name__ == "__main__":
    main()
