"""Compare our VOT protocols with the VOT toolkit, run as a program in an environment of its own.

    python -m venv /tmp/vot && /tmp/vot/bin/pip install vot-toolkit==0.9.0 attributee==0.1.9
    python benchmarks/vot_agreement.py --toolkit /tmp/vot --sequence /data/vot/bag

`--sequence` holds `groundtruth.txt` and the frames in `img` or `color`. Twice a workspace is made:
in one the toolkit runs our tracker through its own protocol (TraX) and we compare its accuracy with
that of our own run; in the other it analyses supervised and multi-start results that we wrote, of
our tracker and of one that never moves. The exit code is 1 if a figure differs by more than 0.005.
(The toolkit's own supervised and multi-start runs end in errors of its own in version 0.9.0.)
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from siamtrack.data import open_dataset
from siamtrack.data.text import polygons_to_ltwh, read_rows
from siamtrack.data.vot import anchors_every
from siamtrack.evaluation import evaluate_vot, open_tracker, run_dataset
from siamtrack.evaluation.vot.regions import overlaps
from siamtrack.evaluation.vot.supervised import truth_of

LOW, HIGH, TOLERANCE = 20, 80, 0.005
STACK = """title: local
experiments:
"""
UNSUPERVISED = """  unsupervised:
    type: unsupervised
    repetitions: 1
    analyses:
      - {type: average_accuracy, burnin: 1, ignore_unknown: false}
"""
SUPERVISED = f"""  baseline:
    type: supervised
    repetitions: 1
    skip_initialize: 5
    analyses:
      - {{type: supervised_average_ar, sensitivity: 30}}
      - {{type: supervised_eao_score, low: {LOW}, high: {HIGH}}}
"""
MULTISTART = f"""  baseline:
    type: multistart
    analyses:
      - {{type: multistart_average_ar}}
      - {{type: multistart_eao_score, low: {LOW}, high: {HIGH}}}
"""


class Still:
    """Says that the target does not move."""

    def init(self, frame: object, box: object) -> None:
        self.box, self.score = box, 1.0

    def update(self, frame: object) -> "Still":
        return self


def workspace(folder: Path, source: Path, experiments: str, *, polygons: bool) -> Path:
    """Make a workspace of one sequence; without polygons it has their boxes, and anchors."""
    target = folder / "sequences" / source.name
    frames = next(place for place in (source / "color", source / "img") if place.is_dir())
    shutil.copytree(frames, target / "color")
    rows = read_rows(source / "groundtruth.txt", (8,))
    boxes = polygons_to_ltwh(rows)
    np.savetxt(target / "groundtruth.txt", rows if polygons else boxes, "%.4f", delimiter=",")
    if not polygons:
        np.savetxt(target / "anchor.value", anchors_every(boxes), "%d")
    (folder / "sequences" / "list.txt").write_text(f"{source.name}\n")
    text = "channels.color=color/%08d.jpg\nchannel.default=color\nfps=30\nformat=default\n"
    (target / "sequence").write_text(f"{text}name={source.name}\n")
    command = f"{sys.executable} -m siamtrack.evaluation.trax_server lite"
    trackers = [f"[{name}]\nlabel = {name}\nprotocol = trax\ncommand = {command}\n"
                for name in ("lite", "still")]  # fmt: skip
    (folder / "trackers.ini").write_text("\n".join(trackers))
    (folder / "stack.yaml").write_text(STACK + experiments)
    (folder / "config.yaml").write_text("registry:\n- ./trackers.ini\nstack: ./stack.yaml\n")
    return folder


def toolkit(python: Path, folder: Path, *verbs: str) -> None:
    command = [str(python / "bin" / "vot"), *verbs]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
    wanted = "analysis/*.json" if "analysis" in verbs else "results/*/*/*/*_001*"
    if not list(folder.glob(wanted)):
        raise SystemExit(f"the toolkit failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


def analysis(python: Path, folder: Path, *trackers: str) -> list:
    """Return the toolkit's analyses: of each the values per tracker."""
    toolkit(python, folder, "analysis", "--workspace", ".", "--format", "json", *trackers)
    report = json.loads(next(folder.glob("analysis/*.json")).read_text())
    (experiment,) = report["results"].values()
    return experiment["results"]


def show(label: str, theirs: float, ours: float) -> bool:
    same = abs(theirs - ours) <= TOLERANCE
    print(f"{label:34}{theirs:>10.4f}{ours:>10.4f}  {'same' if same else 'DIFFERENT'}")
    return same


def through_trax(python: Path, source: Path, scratch: Path) -> bool:
    folder = workspace(scratch / "run", source, UNSUPERVISED, polygons=False)
    toolkit(python, folder, "evaluate", "--workspace", ".", "lite")
    ((theirs,),) = analysis(python, folder, "lite")[0]
    dataset = open_dataset(f"vot2022:{folder}")
    (run,) = run_dataset(open_tracker("lite")[1], dataset)
    overlap = overlaps(run.result.boxes, truth_of(run.sequence), run.sequence.size)
    return show("run by the toolkit: accuracy", theirs, float(overlap[1:].mean()))


def supervised(python: Path, source: Path, scratch: Path, names: dict) -> bool:
    folder = workspace(scratch / "supervised", source, SUPERVISED, polygons=True)
    dataset = open_dataset(f"vot2016:{folder}")
    ours = evaluate_vot(names, dataset, out=folder / "results", interval=(LOW, HIGH)).overall
    ar, eao = analysis(python, folder, *names)
    good = True
    for row, score, name in zip(ar, eao, names, strict=True):
        good &= show(f"supervised, {name}: accuracy", row[0], ours[name]["accuracy"])
        good &= show(f"supervised, {name}: failures", row[1], ours[name]["failures"])
        good &= show(f"supervised, {name}: EAO", score[0], ours[name]["EAO"])
    return good


def multistart(python: Path, source: Path, scratch: Path, names: dict) -> bool:
    folder = workspace(scratch / "multistart", source, MULTISTART, polygons=False)
    dataset = open_dataset(f"vot2022:{folder}")
    ours = evaluate_vot(names, dataset, protocol="vot-multistart", out=folder / "results",
                        interval=(LOW, HIGH)).overall  # fmt: skip
    ar, eao = analysis(python, folder, *names)
    good = True
    for row, score, name in zip(ar, eao, names, strict=True):
        good &= show(f"multi-start, {name}: accuracy", row[0], ours[name]["accuracy"])
        good &= show(f"multi-start, {name}: robustness", row[1], ours[name]["robustness"])
        good &= show(f"multi-start, {name}: EAO", score[0], ours[name]["EAO"])
    return good


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--toolkit", type=Path, required=True, help="environment of the toolkit")
    parser.add_argument("--sequence", type=Path, required=True)
    args = parser.parse_args(arguments)
    names = {"lite": open_tracker("lite")[1], "still": Still}
    print(f"{'':34}{'toolkit':>10}{'ours':>10}")
    with tempfile.TemporaryDirectory() as scratch:
        place = args.toolkit.resolve(), args.sequence.resolve(), Path(scratch)
        good = [through_trax(*place), supervised(*place, names), multistart(*place, names)]
    return int(not all(good))


if __name__ == "__main__":
    sys.exit(main())
