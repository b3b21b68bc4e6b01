"""`siamtrack bench`: how fast it is here, against what else is installed."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tqdm import tqdm
from tyro.conf import Positional, UseAppendAction, arg

from siamtrack.core.writing import check_outputs, refuse_existing, write_text
from siamtrack.video import source_files


@dataclass(frozen=True)
class Bench:
    """Measure latency by stage, memory, start-up time and many targets, with trackers in turn.

    Without SOURCE, a generated clip is used.
    """

    source: Annotated[Positional[str], arg(metavar="[SOURCE]")] = ""
    """Folder of frames with groundtruth.txt or boxes.txt, or any video together with --box."""
    box: Annotated[tuple[float, float, float, float] | None, arg(metavar="L T W H")] = None
    """Target in the first frame: left, top, width, height in pixels, 0-based."""
    tracker: Annotated[
        UseAppendAction[tuple[str, ...]],
        arg(
            help="Tracker, as for `siamtrack eval`. Repeat to compare; the first is the reference. "
            "By default, the models in the package, and KCF, CSRT and MIL if the installed OpenCV "
            "has them."
        ),
    ] = ()
    peers: Annotated[
        Path | None,
        arg(
            help="Folder with ONNX files of other trackers in nanotrack_v2, nanotrack_v3, fear_xs, "
            "lightfc and vittrack."
        ),
    ] = None
    threads: int = 0
    """Threads of each tracker's engine and of OpenCV; 0 is one per core."""
    rounds: int = 5
    """Number of passes of each tracker over the frames."""
    frames: int | None = None
    """Frames per pass; by default all, at most 100."""
    targets: tuple[int, ...] = ()
    """Numbers of targets, such as 1 4 16 64, to follow in one tracker and in as many trackers."""
    engines: bool = False
    """Compare the installed engines on the models instead, and remember for `--runtime auto` which
    is the fastest here; --report adds the rows to a table."""
    report: Path | None = None
    """File (.json) for all measurements and a description of the machine."""
    picture: Path | None = None
    """File (.png, .svg or .pdf) for a plot of latency; needs the extra `plots`."""
    accuracy: Path | None = None
    """JSON report of `siamtrack eval`; the plot then sets speed against success."""
    overwrite: bool = False
    """Replace existing files."""
    json: bool = False
    """Print everything as JSON."""
    quiet: bool = False
    """Show no progress bar."""

    def run(self) -> None:
        """Measure, write the files and print the table."""
        from siamtrack.benchmark.figures import table
        from siamtrack.benchmark.picture import draw, empty_figure, read_accuracy
        from siamtrack.benchmark.run import run_benchmark

        self._check_files()
        if self.engines:
            self._engines()
            return
        if self.picture is not None:
            empty_figure()  # fails at once if matplotlib is missing
        accuracy = read_accuracy(self.accuracy) if self.accuracy is not None else {}
        with tqdm(unit=" steps", disable=self.quiet or None, file=sys.stderr, leave=False) as bar:

            def done(what: str) -> None:
                bar.set_description(what)
                bar.update()

            report = run_benchmark(
                self.source,
                box=self.box,
                trackers=self.tracker,
                peers=self.peers,
                threads=self.threads,
                rounds=self.rounds,
                frames=self.frames,
                targets=self.targets,
                done=done,
            )
        if self.report is not None:
            write_text(self.report, report.to_json())
        if self.picture is not None:
            draw(report, self.picture, accuracy)
        print(report.to_json() if self.json else table(report))

    def _engines(self) -> None:
        from siamtrack.benchmark.machine import engine_table, measure_engines
        from siamtrack.core.config import to_dict
        from siamtrack.packages.card import DEFAULT
        from siamtrack.runtimes.engines import cache_file, merged, read_rows

        if self.source or self.peers or self.targets or self.picture:
            raise ValueError("--engines takes --tracker, --threads, --rounds and --report only")
        models = [name.partition("=")[2] or name for name in self.tracker] or [DEFAULT]
        with tqdm(unit=" turns", disable=self.quiet or None, file=sys.stderr, leave=False) as bar:
            rows = measure_engines(models, self.threads, self.rounds, lambda what: bar.update())
        for path in (cache_file(), self.report):
            if path is not None:
                write_text(path, merged(read_rows(path), rows))
        print(json.dumps([to_dict(row) for row in rows]) if self.json else engine_table(rows))

    def _check_files(self) -> None:
        from siamtrack.evaluation.trackers import open_tracker, tracker_files

        if self.picture is not None and self.picture.suffix.lower() not in (".png", ".svg", ".pdf"):
            raise ValueError(f"--picture {self.picture}: expected an ending of .png, .svg or .pdf")
        if self.accuracy is not None and self.picture is None:
            raise ValueError("--accuracy is for the picture: give --picture FILE as well")
        if self.report is not None and self.report.suffix.lower() != ".json":
            raise ValueError(f"--report {self.report}: expected an ending of .json")
        outputs = [path for path in (self.report, self.picture) if path is not None]
        read = [path for path in (self.accuracy,) if path is not None]
        for spec in self.tracker:
            read += tracker_files(open_tracker(spec)[1])
        if self.peers is not None:
            read += self.peers.rglob("*")
        check_outputs(outputs, [*source_files(str(self.source)), *read])
        for path in outputs:
            refuse_existing(path, self.overwrite)
