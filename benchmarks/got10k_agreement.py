"""Compare figures and time with the GOT-10k toolkit's own report on the same files.

    python -m venv /tmp/toolkit && /tmp/toolkit/bin/pip install got10k six
    SIAMTRACK_EVAL_DATA=/path python benchmarks/got10k_agreement.py --python /tmp/toolkit/bin/python

Ten trackers on OTB-100: the published raw results whose files have the right length, and copies of
them moved by random pixels. Both are timed in turn on the same files, `--rounds` times; the medians
of processor time and the clock are printed, of

- the figures: success and precision of every tracker and sequence, without plots and intervals;
- the report: ours is an HTML page with plots, tables and bootstrap intervals, the toolkit's is JSON
  and two PNG plots, without intervals;
- the process: a new interpreter, imports, annotations from JSON, and the figures (the toolkit
  cannot do without its plots).

With `--fixture FILE` it writes instead the toolkit's figures on small synthetic cases, which
`tests/evaluation/test_parity.py` compares with ours.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from siamtrack.data import Dataset, open_dataset
from siamtrack.evaluation import Report, evaluate_results, read_results
from siamtrack.evaluation.results import find_results

PUBLISHED = (
    "otb100_mat/SiamFC-3s",
    "otb100_mat/KCF_GaussHog",
    "otb100_mat/DSST",
    "otb100_txt/SiamFC",
    "otb100_txt/SiamRPN",
)
HERE = Path(__file__).parent


Seconds = tuple[float, float]
"""Of processor time, and by the clock."""


def timed(command: list[str]) -> tuple[str, Seconds]:
    """Run a program and return what it printed and the time of its process."""
    before, begin = os.times(), time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    after, clock = os.times(), time.perf_counter() - begin
    spent = sum(after[k] - before[k] for k in (2, 3))  # children's user and system time
    return done.stdout, (spent, clock)


def toolkit(python: str, folder: Path) -> tuple[dict, dict[str, Seconds]]:
    """Return the toolkit's figures and seconds."""
    printed, whole = timed([python, str(HERE / "got10k_report.py"), str(folder)])
    figures, report = (tuple(map(float, line.split())) for line in printed.splitlines()[-2:])
    # the process did the report twice: once is taken off
    process = tuple(total - once for total, once in zip(whole, figures, strict=True))
    performance = json.loads((folder / "performance.json").read_text())
    return performance, {"figures": figures, "report": report, "process": process}


def ours(folder: Path, annotations: Path, dataset: Dataset) -> tuple[Report, dict[str, Seconds]]:
    """Return our report and seconds."""
    results = folder / "results" / "OTB2015"
    processor, begin = time.process_time(), time.perf_counter()
    report = evaluate_results(results, dataset)
    report.table()
    figures = time.process_time() - processor, time.perf_counter() - begin
    report.to_html(folder / "report.html")
    whole = time.process_time() - processor, time.perf_counter() - begin
    command = "from siamtrack.cli import main; main()"
    arguments = ["eval", f"otb100-annotations:{annotations}", "--results", str(results)]
    _, process = timed([sys.executable, "-c", command, *arguments])
    return report, {"figures": figures, "report": whole, "process": process}


def write(folder: Path, truth: dict, results: dict) -> None:
    (folder / "truth.json").write_text(json.dumps({k: v.tolist() for k, v in truth.items()}))
    for tracker, boxes in results.items():
        place = folder / "results" / "OTB2015" / tracker
        place.mkdir(parents=True)
        for name, rows in boxes.items():
            np.savetxt(place / f"{name}.txt", rows, fmt="%.4f", delimiter=",")


def compare(python: str, data: Path, rounds: int) -> int:
    annotations = data / "annotations" / "OTB100.json"
    dataset = open_dataset(f"otb100-annotations:{annotations}")
    truth = {sequence.name: np.add(sequence.boxes, [1, 1, 0, 0]) for sequence in dataset}
    results, rng = {}, np.random.default_rng(0)
    for place in PUBLISHED:
        files = find_results(data / "results" / place, dataset)
        boxes = {name: read_results(path) for name, path in files.items()}
        for name in boxes:  # the toolkit puts the true box into the first row; so do we here
            boxes[name][0] = truth[name][0]
        label = place.replace("/", "-")
        moved = {
            k: v + rng.normal(0, 3, v.shape) * (np.arange(len(v)) > 0)[:, None]
            for k, v in boxes.items()
        }
        results |= {label: boxes, f"{label}-moved": moved}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write(folder, truth, results)
        pairs = [
            (toolkit(python, folder), ours(folder, annotations, dataset)) for _ in range(rounds)
        ]
    (theirs, _), (report, _) = pairs[0]
    worst = 0.0
    for tracker in report.trackers:
        found, other = report.overall(tracker), theirs[tracker]["overall"]
        figures = [("success", "success_score"), ("precision", "precision_score")]
        worst = max(worst, *(abs(found[a] - other[b]) for a, b in figures))
        print(
            f"{tracker:28} {found['success']:.6f} {other['success_score']:.6f}"
            f" {found['precision']:.6f} {other['precision_score']:.6f}"
        )
    frames = sum(map(len, dataset)) * len(report.trackers)
    print(
        f"largest difference {worst:.2g}; {len(report.trackers)} trackers, {len(dataset)} "
        f"targets, {frames} boxes"
    )
    print(f"{'median seconds':22}{'toolkit':>9}{'ours':>9}{'times':>8}")
    for what in ("figures", "report", "process"):
        for column, kind in enumerate(("processor", "clock")):
            other, own = (
                np.median([side[1][what][column] for side in sides])
                for sides in zip(*pairs, strict=True)
            )
            print(f"{what + ', ' + kind:22}{other:9.3f}{own:9.3f}{other / own:8.1f}")
    return int(worst > 1e-6)


def fixture(python: str, file: Path) -> int:
    rng = np.random.default_rng(7)
    truth, predicted = {}, {}
    for name, noise, growth in (
        ("still", 0.3, 1.0),
        ("walk", 4.0, 1.02),
        ("lost", 25.0, 1.2),
        ("flat", 2.0, 0.9),
        ("integers", 3.0, 1.1),
    ):
        steps = rng.normal(0, 2, (24, 2)).cumsum(axis=0)
        size = np.exp(rng.normal(0, 0.02, (24, 2)).cumsum(axis=0)) * [30, 50]
        boxes = np.concatenate([np.add(steps, [100, 80]), size], axis=1).round(2)
        guess = boxes + rng.normal(0, noise, boxes.shape)
        guess[:, 2:] = np.maximum(guess[:, 2:] * growth, 1)
        if name == "flat":
            boxes[5, 2:] = 0
        if name == "integers":
            boxes, guess = boxes.round(), guess.round()
        guess[0] = boxes[0]
        truth[name], predicted[name] = boxes, guess.round(4)
    with tempfile.TemporaryDirectory() as scratch:
        write(Path(scratch), truth, {"synthetic": predicted})
        performance, _ = toolkit(python, Path(scratch))
    cases = [
        {"name": name, "truth": truth[name].tolist(), "predicted": predicted[name].tolist(), **row}
        for name, row in performance["synthetic"]["seq_wise"].items()
    ]
    for case in cases:
        del case["speed_fps"]
    with tempfile.TemporaryDirectory() as scratch:
        validation = val_fixture(python, Path(scratch))
    about = "synthetic boxes; figures of the GOT-10k toolkit 0.1.3, from its reports on OTB and on "
    about += "GOT-10k's val part"
    lines = ",\n".join(json.dumps(case) for case in cases)
    file.write_text(
        f'{{"about": {json.dumps(about)}, "cases": [\n{lines}\n],\n'
        f'"val": {json.dumps(validation)}}}\n'
    )
    return 0


def val_fixture(python: str, folder: Path) -> dict:
    """Return sequences in GOT-10k's layout, whose boxes leave the frame, with AO and SR."""
    rng, size, sequences = np.random.default_rng(3), (64, 48), {}
    for name, count in (("GOT-10k_Val_000001", 12), ("GOT-10k_Val_000002", 7)):
        truth = np.concatenate(
            [rng.uniform((-3, -3), (50, 38), (count, 2)), rng.uniform(8, 25, (count, 2))], axis=1
        ).round(2)
        truth[0] = [20, 15, 12, 10]
        guess = (truth + rng.normal(0, 4, truth.shape)).round(2)
        guess[:, 2:] = np.maximum(guess[:, 2:], 1)
        cover = rng.integers(0, 9, count)
        cover[[0, 3]] = 8, 0
        place, results = folder / "val" / name, folder / "results" / "GOT-10k" / "synthetic"
        place.mkdir(parents=True)
        (results / name).mkdir(parents=True)
        for number in range(1, count + 1):
            (place / f"{number:08d}.jpg").touch()
        np.savetxt(place / "groundtruth.txt", truth, "%.2f", delimiter=",")
        np.savetxt(place / "cover.label", cover, "%d")
        for label in ("absence", "cut_by_image"):
            np.savetxt(place / f"{label}.label", np.zeros(count), "%d")
        (place / "meta_info.ini").write_text(f"[METAINFO]\nresolution: {size}\n")
        np.savetxt(results / name / f"{name}_001.txt", guess, "%.2f", delimiter=",")
        np.savetxt(results / name / f"{name}_time.txt", np.full(count, 0.01))
        sequences[name] = {
            "truth": truth.tolist(),
            "guess": guess.tolist(),
            "cover": cover.tolist(),
        }
    (folder / "val" / "list.txt").write_text("\n".join(sequences))
    command = [python, str(HERE / "got10k_report.py"), str(folder)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    overall = json.loads((folder / "performance.json").read_text())["synthetic"]["overall"]
    return {"size": size, "sequences": sequences, "ao": overall["ao"], "sr": overall["sr"]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", required=True, help="interpreter that has got10k and six")
    parser.add_argument("--data", type=Path, default=os.environ.get("SIAMTRACK_EVAL_DATA"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--fixture", type=Path, help="write the tests' fixture to this file")
    args = parser.parse_args()
    if args.fixture is not None:
        return fixture(args.python, args.fixture)
    if args.data is None:
        parser.error("give --data, or set SIAMTRACK_EVAL_DATA")
    return compare(args.python, Path(args.data), args.rounds)


if __name__ == "__main__":
    sys.exit(main())
