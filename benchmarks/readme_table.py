"""Write the table of accuracy and speed into README.md from the committed results.

python benchmarks/readme_table.py [--check]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pages import filled

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
SETS = {"dev20": "20 targets of OTB-100", "wide16": "16 targets that change"}
MARKS = "<!-- results: benchmarks/readme_table.py -->\n", "<!-- end of results -->"
ABOUT = {
    "siamtrack-base": ("**siamtrack `base`**", "in the package", "Apache-2.0"),
    "siamtrack-lite": ("**siamtrack `lite`**", "in the package", "Apache-2.0"),
    "fear-xs": ("FEAR-XS", "research code", "MIT"),
    "nanotrack-v2": ("NanoTrack V2", "OpenCV, model file", "Apache-2.0"),
    "nanotrack-v3": ("NanoTrack V3", "research code", "Apache-2.0"),
    "lightfc": ("LightFC", "research code", "MIT"),
    "vittrack": ("VitTrack", "OpenCV, model file", "Apache-2.0"),
    "opencv-csrt": ("CSRT", "OpenCV contrib", "Apache-2.0"),
    "opencv-kcf": ("KCF", "OpenCV contrib", "Apache-2.0"),
    "opencv-kcf-0.05": ("KCF, `detect_thresh` 0.05", "OpenCV contrib", "Apache-2.0"),
}


def table() -> str:
    """Return the rows, the best mean of both sets first: success AUC with interval, precision."""
    reports = {
        name: json.loads((RESULTS / name / "report.json").read_text())["trackers"] for name in SETS
    }
    speed = json.loads((RESULTS / "dev20" / "speed.json").read_text())["median_ms"]
    rows = [
        f"| tracker | {' | '.join(SETS.values())} | whole update | comes as | license |",
        "|---|---|---|---|---|---|",
    ]

    def mean(name: str) -> float:
        found = [
            report[name]["overall"]["success"] for report in reports.values() if name in report
        ]
        return sum(found) / len(found)

    run = [name for name in ABOUT if any(name in report for report in reports.values())]
    for name in sorted(run, key=mean, reverse=True):
        title, source, terms = ABOUT[name]
        cells = []
        for report in reports.values():
            if name not in report:
                cells.append("not run")
                continue
            overall, (low, high) = report[name]["overall"], report[name]["success_interval_95"]
            success, precision = overall["success"], overall["precision"]
            cells.append(f"{success:.3f} ({low:.2f} to {high:.2f}) / {precision:.3f}")
        time = f"{speed[name]:.1f} ms" if name in speed else "not timed"
        rows.append(f"| {title} | {' | '.join(cells)} | {time} | {source} | {terms} |")
    return "\n".join(rows) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    arguments = parser.parse_args()
    page = ROOT / "README.md"
    text = page.read_text()
    new = filled(text, MARKS, table())
    if arguments.check:
        raise SystemExit(0 if new == text else "README.md is not up to date: run this script")
    page.write_text(new)


if __name__ == "__main__":
    main()
