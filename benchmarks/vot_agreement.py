"""Compare our VOT protocols with the VOT toolkit, run as a program in an environment of its own.

    python -m venv /tmp/vot && /tmp/vot/bin/pip install vot-toolkit==0.9.0 attributee==0.1.9
    python benchmarks/vot_agreement.py --toolkit /tmp/vot --sequence /data/vot/bag

`--sequence` holds `groundtruth.txt` and the frames in `img` or `color`; it is taken whole and, as a
second sequence, without its last quarter. Twice a workspace is made: in one the toolkit runs our
tracker through its own protocol (TraX) and we compare its accuracy with that of our own run; in the
other it analyses supervised and multi-start results that we wrote, of our tracker and of one that
never moves. The exit code is 1 if a figure differs by more than 0.00001. (The toolkit's own
supervised and multi-start runs end in errors of its own in version 0.9.0.)

With `--masks` it compares overlaps of masks and of rotated boxes that our sinks wrote instead.

With `--overlaps FILE` it writes instead the overlaps that the toolkit gives random boxes and
polygons, which `tests/evaluation/test_vot.py` compares with ours.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

import siamtrack
from siamtrack.core.boxes import polygons_to_ltwh
from siamtrack.core.files import read_rows
from siamtrack.core.masks import Mask
from siamtrack.core.tracks import Track, TrackState
from siamtrack.data import open_dataset
from siamtrack.data.benchmarks.vot import anchors_every
from siamtrack.evaluation import evaluate_vot, open_tracker, run_dataset
from siamtrack.evaluation.vot.regions import overlaps, region_overlaps
from siamtrack.evaluation.vot.supervised import truth_of
from siamtrack.sinks import open_sink
from siamtrack.video import Frame

LOW, HIGH, TOLERANCE = 20, 80, 0.00001
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
    """Make a workspace of two sequences; without polygons they have their boxes, and anchors."""
    frames = next(place for place in (source / "color", source / "img") if place.is_dir())
    pictures = sorted(frames.glob("*.jpg"))
    rows = read_rows(source / "groundtruth.txt", (8,))
    for name, count in ((source.name, len(rows)), (f"{source.name}-part", len(rows) * 3 // 4)):
        target = folder / "sequences" / name
        (target / "color").mkdir(parents=True)
        for number, picture in enumerate(pictures[:count], start=1):
            shutil.copy(picture, target / "color" / f"{number:08d}.jpg")
        annotate(target, rows[:count] if polygons else polygons_to_ltwh(rows[:count]))
    configure(folder, experiments)
    return folder


def annotate(target: Path, rows: np.ndarray) -> None:
    np.savetxt(target / "groundtruth.txt", rows, "%.4f", delimiter=",")
    if rows.shape[1] == 4:
        np.savetxt(target / "anchor.value", anchors_every(rows), "%d")
    describe(target)


def describe(target: Path) -> None:
    text = "channels.color=color/%08d.jpg\nchannel.default=color\nfps=30\nformat=default\n"
    (target / "sequence").write_text(f"{text}name={target.name}\n")
    with (target.parent / "list.txt").open("a") as names:
        names.write(f"{target.name}\n")


def configure(folder: Path, experiments: str) -> None:
    command = f"{sys.executable} -m siamtrack.evaluation.trax_server lite"
    here = Path(siamtrack.__file__).parents[1]  # the toolkit does not hand PYTHONPATH on
    trackers = [
        f"[{name}]\nlabel = {name}\nprotocol = trax\ncommand = {command}\nenv_PYTHONPATH = {here}\n"
        for name in ("lite", "still")
    ]
    (folder / "trackers.ini").write_text("\n".join(trackers))
    (folder / "stack.yaml").write_text(STACK + experiments)
    (folder / "config.yaml").write_text("registry:\n- ./trackers.ini\nstack: ./stack.yaml\n")


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


def show(label: str, theirs: float, ours: float, tolerance: float = TOLERANCE) -> bool:
    same = abs(theirs - ours) <= tolerance
    print(f"{label:34}{theirs:>12.6f}{ours:>12.6f}  {'same' if same else 'DIFFERENT'}")
    return same


def through_trax(python: Path, source: Path, scratch: Path) -> bool:
    folder = workspace(scratch / "run", source, UNSUPERVISED, polygons=False)
    toolkit(python, folder, "evaluate", "--workspace", ".", "lite")
    ((theirs,),) = analysis(python, folder, "lite")[0]
    dataset = open_dataset(f"vot2022:{folder}")
    found = [
        overlaps(run.result.boxes, truth_of(run.sequence), run.sequence.size)[1:]
        for run in run_dataset(open_tracker("lite")[1], dataset)
    ]
    ours = np.average([part.mean() for part in found], weights=[len(part) + 1 for part in found])
    return show("run by the toolkit: accuracy", theirs, float(ours))


def supervised(python: Path, source: Path, scratch: Path, names: dict) -> bool:
    folder = workspace(scratch / "supervised", source, SUPERVISED, polygons=True)
    dataset = open_dataset(f"vot2016:{folder}")
    figures = evaluate_vot(names, dataset, out=folder / "results", interval=(LOW, HIGH))
    ours, rows = figures.overall, figures.sequences
    ar, eao = analysis(python, folder, *names)
    good = True
    for row, score, name in zip(ar, eao, names, strict=True):
        good &= show(f"supervised, {name}: accuracy", row[0], ours[name]["accuracy"])
        # the toolkit's number of failures is weighted by length; that per 100 frames is not
        failures = sum(
            each["failures"] * len(sequence)
            for each, sequence in zip(rows[name].values(), dataset, strict=True)
        )
        good &= show(f"supervised, {name}: failures", row[1], failures / sum(map(len, dataset)))
        good &= show(f"supervised, {name}: EAO", score[0], ours[name]["EAO"])
    return good


def multistart(python: Path, source: Path, scratch: Path, names: dict) -> bool:
    folder = workspace(scratch / "multistart", source, MULTISTART, polygons=False)
    dataset = open_dataset(f"vot2022:{folder}")
    ours = evaluate_vot(
        names, dataset, protocol="vot-multistart", out=folder / "results", interval=(LOW, HIGH)
    ).overall
    ar, eao = analysis(python, folder, *names)
    good = True
    for row, score, name in zip(ar, eao, names, strict=True):
        good &= show(f"multi-start, {name}: accuracy", row[0], ours[name]["accuracy"])
        good &= show(f"multi-start, {name}: robustness", row[1], ours[name]["robustness"])
        good &= show(f"multi-start, {name}: EAO", score[0], ours[name]["EAO"])
    return good


def random_overlaps(python: Path, file: Path, scratch: Path) -> int:
    """Write pairs of regions and the toolkit's overlap: a sequence of two frames for each pair."""
    rng, pairs, folder = np.random.default_rng(0), {}, scratch / "pairs"
    for kind, shapes in KINDS.items():
        for number in range(PAIRS):
            truth, guess = (region(rng, corners) for corners in shapes)
            if number % 4:  # most pairs are near one another
                shift = np.tile(center(truth) - center(guess) + rng.normal(0, 3, 2), 4)
                guess = guess + (shift if len(guess) == 8 else [*shift[:2], 0, 0])
            pairs.setdefault(kind, []).append([guess.round(2), truth.round(2)])
    names = {}
    for kind, number in [(kind, number) for kind in KINDS for number in range(PAIRS)]:
        name = f"{kind.replace(' ', '-')}-{number:03d}"
        guess, truth = pairs[kind][number]
        target, place = folder / "sequences" / name, folder / "results" / "lite" / "unsupervised"
        (target / "color").mkdir(parents=True)
        (place / name).mkdir(parents=True)
        for frame in (1, 2):
            cv2.imwrite(str(target / "color" / f"{frame:08d}.jpg"), np.zeros((60, 80, 3), np.uint8))
        annotate(target, np.stack([truth, truth]))
        line = ",".join(map(str, guess.tolist()))
        (place / name / f"{name}_001.txt").write_text(f"1\n{line}\n")
        names[name] = (kind, number)
    configure(folder, UNSUPERVISED.replace("average_accuracy", "accuracy"))
    values = analysis(python, folder, "lite")[0]
    cases = {kind: [] for kind in KINDS}
    for (kind, number), (value,) in zip(names.values(), values, strict=True):
        guess, truth = pairs[kind][number]
        cases[kind].append([guess.tolist(), truth.tolist(), value])
    lines = [f'"{kind}": [\n' + ",\n".join(map(json.dumps, cases[kind])) + "]" for kind in KINDS]
    about = "random regions in a frame of 80x60, and their overlap by the VOT toolkit 0.9.0"
    file.write_text("{" + f'"about": "{about}",\n' + ",\n".join(lines) + "}\n")
    return 0


def masks(python: Path, scratch: Path) -> bool:
    """Compare overlaps of masks, rotated boxes and boxes with masks."""
    rng, folder, expected = np.random.default_rng(0), scratch / "masks", {}
    kinds = ("vot", "vot-rotated", "box")
    for kind, number in [(kind, number) for kind in kinds for number in range(8)]:
        name = f"{kind}-{number}"
        target, place = folder / "sequences" / name, folder / "results/lite/unsupervised" / name
        for each in (target / "color", place):
            each.mkdir(parents=True)
        mask, truth = Mask.of(ellipse(rng)), ellipse(rng)
        # The truth as the run lengths of the whole frame; the sink writes those of a window
        runs = [(bit, len(list(run))) for bit, run in groupby(truth.ravel().tolist())]
        text = ",".join(str(length) for _, length in ([(False, 0)] if runs[0][0] else []) + runs)
        (target / "groundtruth.txt").write_text(f"m0,0,80,60,{text}\n" * 2)
        describe(target)
        box = np.array(mask.box) + rng.uniform(-4, 4, 4)
        with open_sink(place / f"{name}_001.txt", format="vot" if kind == "box" else kind) as sink:
            for frame in range(2):
                picture = np.zeros((60, 80, 3), np.uint8)
                cv2.imwrite(str(target / "color" / f"{frame + 1:08d}.jpg"), picture)
                shown = None if kind == "box" else mask
                track = Track(box, 1.0, TrackState.TRACKED, 0, shown)
                sink.write(Frame(frame, frame / 25, picture), [track])
        rotated = mask.rotated()
        assert rotated is not None
        corners = rotated.corners.ravel()
        found = {"vot": mask, "vot-rotated": corners.round(3), "box": box.round(3)}[kind]
        expected[name] = region_overlaps([found], [Mask.of(truth)], (80, 60))[0]
    configure(folder, UNSUPERVISED.replace("average_accuracy", "accuracy"))
    values = analysis(python, folder, "lite")[0]
    good = True
    for (name, ours), (theirs,) in zip(expected.items(), values, strict=True):
        good &= show(name, theirs, ours)
    return good


def ellipse(rng: np.random.Generator) -> np.ndarray:
    """Return a mask of a frame of 80x60 with a hole in it, some of it beyond the frame."""
    bits = np.zeros((60, 80), np.uint8)
    center = rng.integers((24, 14), (66, 46)).tolist()
    cv2.ellipse(bits, center, rng.integers(10, 24, 2).tolist(), rng.uniform(0, 180), 0, 360, 1, -1)
    bits[center[1] - 2 : center[1] + 2, center[0] - 3 : center[0] + 3] = 0
    return bits != 0


PAIRS = 60
KINDS = {"boxes": (4, 4), "box and polygon": (8, 4), "polygons": (8, 8)}


def region(rng: np.random.Generator, numbers: int) -> np.ndarray:
    """Return a box (4,), or a rectangle turned by any angle (8,)."""
    center, half = rng.uniform((-5, -5), (85, 65)), rng.uniform(2, 20, 2)
    if numbers == 4:
        return np.concatenate([center - half, 2 * half])
    angle = rng.uniform(0, np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    return (corners @ turn.T + center).ravel()


def center(region: np.ndarray) -> np.ndarray:
    return region[:2] + region[2:] / 2 if len(region) == 4 else region.reshape(-1, 2).mean(axis=0)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--toolkit", type=Path, required=True, help="environment of the toolkit")
    parser.add_argument("--sequence", type=Path)
    parser.add_argument("--overlaps", type=Path, help="write the tests' overlaps to this file")
    parser.add_argument("--masks", action="store_true", help="compare masks and rotated boxes")
    args = parser.parse_args(arguments)
    if args.masks:
        with tempfile.TemporaryDirectory() as scratch:
            return int(not masks(args.toolkit.resolve(), Path(scratch)))
    if args.overlaps is not None:
        with tempfile.TemporaryDirectory() as scratch:
            return random_overlaps(args.toolkit.resolve(), args.overlaps, Path(scratch))
    if args.sequence is None:
        parser.error("give --sequence, --masks or --overlaps")
    names = {"lite": open_tracker("lite")[1], "still": Still}
    print(f"{'':34}{'toolkit':>12}{'ours':>12}")
    with tempfile.TemporaryDirectory() as scratch:
        place = args.toolkit.resolve(), args.sequence.resolve(), Path(scratch)
        good = [through_trax(*place), supervised(*place, names), multistart(*place, names)]
    return int(not all(good))


if __name__ == "__main__":
    sys.exit(main())
