"""Draw silhouettes.webp: twenty held-out objects with the outlines found, and the five worst.

python docs/figures/silhouettes.py --data data/masks    # from benchmarks/masks/build.py
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "benchmarks" / "masks"))

from evaluate import gallery  # noqa: E402

from siamtrack.data.manifest import read_manifest  # noqa: E402
from siamtrack.tracking.outline import load_outliner  # noqa: E402

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("data/masks"))
    held = read_manifest(parser.parse_args().data / "test.jsonl")
    stills = [entry for entry in held if entry.source != "segtrack_test"]
    gallery(stills, load_outliner(threads=1), HERE / "silhouettes.webp")
