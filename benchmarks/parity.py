"""Evaluate published raw results of OTB and compare with the published figures, to four digits.

    SIAMTRACK_EVAL_DATA=/path/to/data python benchmarks/parity.py

The folder holds `annotations/OTB100.json` and `annotations/OTB2013.json` (objects with `gt_rect`)
and `results/` with the folders named in `parity.json`. The exit code is 1 if a
figure differs. `docs/evaluation.md` says where the files come from.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from siamtrack.data import open_dataset
from siamtrack.evaluation import evaluate_results

FIGURES = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))["figures"]
BENCHMARKS = {"OTB-100": "otb100-annotations", "OTB-2013": "otb2013-annotations"}


def measure(data: Path) -> Iterator[tuple[str, str, list, list]]:
    """Yield results, benchmark, expected and measured (success, precision) of every row."""
    for benchmark, opener in BENCHMARKS.items():
        file = data / "annotations" / f"{benchmark.replace('-', '')}.json"
        dataset = open_dataset(f"{opener}:{file}")
        for row in FIGURES:
            folder = data / "results" / row["results"]
            report = evaluate_results(folder, dataset, lengths=row["lengths"])
            (tracker,) = report.trackers
            overall = report.overall(tracker)
            found = [round(overall[name], 4) for name in ("success", "precision")]
            yield row["results"], benchmark, row[benchmark], found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("SIAMTRACK_EVAL_DATA"))
    args = parser.parse_args()
    if args.data is None:
        parser.error("give --data, or set SIAMTRACK_EVAL_DATA")
    begin = time.perf_counter()
    print(f"{'raw results':26}{'benchmark':10}{'expected':>17}{'measured':>17}")
    different = 0
    for results, benchmark, expected, found in measure(args.data):
        texts = [" / ".join(f"{value:.4f}" for value in pair) for pair in (expected, found)]
        verdict = "same" if expected == found else "DIFFERENT"
        different += expected != found
        print(f"{results:26}{benchmark:10}{texts[0]:>17}{texts[1]:>17}  {verdict}")
    print(f"{time.perf_counter() - begin:.1f} s")
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
