"""Put the table that evaluate.py measured into docs/masks.md.

python benchmarks/masks/page.py [RESULTS]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))

from pages import fill

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "masks.md"
RESULTS = ROOT / "benchmarks" / "results" / "masks.json"
MARKS = "<!-- results: benchmarks/masks/page.py -->\n", "<!-- end of results -->"
FINDERS = ("mask", "GrabCut", "box")
PLACES = {"truth": "of the truth", "tracked": "that `{model}` tracks"}


def table(results: dict[str, Any]) -> str:
    """Return the table, what it was taken from, and the command; of the results of evaluate.py."""
    stills, clips, times = (results[name] for name in ("stills", "clips", "times"))
    tracks = f"{clips['targets']} targets of {clips['clips']} clips"
    rows = [
        [f"`{results['network']}`, {results['megabytes']:.2f} MB", "GrabCut", "the box, filled"],
        ["---"] * len(FINDERS),
        [f"{stills['overlap'][name]:.3f}" for name in FINDERS],
    ]
    titles = ["", "---", f"overlap in the box of the truth, {stills['count']} held-out stills"]
    for place, of in PLACES.items():
        titles.append(f"J (F) in the boxes {of.format(model=results['model'])}, {tracks}")
        found = [clips["means"][f"{name} in {place}"] for name in FINDERS]
        rows.append([f"{each['J']:.3f} ({each['F']:.3f})" for each in found])
    for where, used in (("a still", stills), (f"a target in frames of {times['size']}", times)):
        titles.append(f"processor time {where}, one thread")
        rows.append([f"{used['processor'][name]:.1f} ms" for name in FINDERS[:2]] + [""])
    titles.append("time that passes there, one thread and two, least of five calls")
    rows.append([f"{times['passed']['1']:.1f} and {times['passed']['2']:.1f} ms", "", ""])
    lines = [f"| {title} | {' | '.join(row)} |" for title, row in zip(titles, rows, strict=True)]
    own, tracked = (clips["means"][name]["overlap"] for name in ("box of the mask", "tracked box"))
    lines += [
        "",
        f"Taken from {_one_in(results['every'], 'still')} and from "
        f"{_one_in(results['frames'], 'frame')} of the clips, the same",
        f"for all. GrabCut finds nothing in {stills['nothing']} of the {stills['count']} stills, "
        "and keeps the box there.",
        f"The box around the mask overlaps the true one by {own:.3f}, the tracked one by "
        f"{tracked:.3f}.",
        "",
        "```sh",
        results["command"],
        "```",
        "",
    ]
    return "\n".join(lines)


def _one_in(count: int, what: str) -> str:
    return f"every {what}" if count == 1 else f"one {what} in {count}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", type=Path, nargs="?", default=RESULTS, help="of evaluate.py")
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args()
    fill(options.page, MARKS, table(json.loads(options.results.read_text())))


if __name__ == "__main__":
    main()
