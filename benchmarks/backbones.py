"""The table of every backbone at width 1 that stands in docs/models.md.

    python benchmarks/backbones.py           prints it
    python benchmarks/backbones.py --write   and puts it into the page

The columns of the original code come from the fixtures that benchmarks/record_reference.py wrote.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from pages import fill

from siamtrack.models.analysis import analyse
from siamtrack.models.backbones import BACKBONES

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "models.md"
MARKS = "<!-- backbones: begin -->\n", "<!-- backbones: end -->\n"
ORIGINAL = {
    "alexnet": "AlexNetV1",
    "alexnet_rpn": "AlexNetLegacy",
    "ciresnet22": "SiamFCRes22",
    "ciresnet22w": "SiamFCRes22W",
    "ciresincep22": "SiamFCIncep22",
    "ciresnext22": "SiamFCNext22",
    "mobilenetv2": "MobileNetV2",
}
WIDTHS = {"mobilenetv2": 1.4}  # at which the original model was recorded
HEAD = """\
| backbone | stride | field, px | of template | template, search, response | channels | \
parameters | MACs | original: parameters | MACs | shift error |
|---|---|---|---|---|---|---|---|---|---|---|
"""


def original(name: str) -> tuple[int, int]:
    """Parameters and MACs of the original code's backbone."""
    file = ROOT / "tests" / "models" / "convert" / "fixtures" / f"{ORIGINAL[name]}.npz"
    content = np.load(file)
    shapes = json.loads(content["shapes"].tobytes())
    count = sum(
        int(np.prod(shape))
        for key, shape in shapes.items()
        if key.startswith(("backbone.", "features.")) and key.endswith((".weight", ".bias"))
    )
    return count, int(content["macs"])


def row(name: str, width: float = 1.0) -> str:
    """One line of the table."""
    torch.manual_seed(0)
    template, search = (129, 257) if name == "mobile" else (127, 255)
    a = analyse(BACKBONES[name](width=width), name, template, search, repeats=0)
    theirs = "- | -"
    if name in ORIGINAL and WIDTHS.get(name, 1.0) == width:
        parameters, macs = original(name)
        theirs = f"{parameters / 1e6:.3f} M | {macs / 1e9:.2f} G"
    label = f"`{name}`" + (f" at {width:g}" if width != 1 else "")
    return (
        f"| {label} | {a.stride} | {a.receptive_field} | {a.field_share:.0%} | "
        f"{a.template_cells}, {a.search_cells}, {a.response_cells} | {a.channels} | "
        f"{a.parameters / 1e6:.3f} M | {a.search_macs / 1e9:.2f} G | {theirs} | "
        f"{a.shift_error:.2g} |\n"
    )


def main() -> None:
    torch.set_num_threads(1)
    rows = [row(name) for name in BACKBONES]
    rows += [row(name, width) for name, width in WIDTHS.items()]
    table = HEAD + "".join(rows)
    print(table)
    if "--write" in sys.argv[1:]:
        fill(PAGE, MARKS, table)


if __name__ == "__main__":
    main()
