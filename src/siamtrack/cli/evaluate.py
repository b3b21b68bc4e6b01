"""`siamtrack eval`: run trackers over a data set, or read their results, and report."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import Positional, UseAppendAction, arg

from siamtrack.cli.options import PrecisionName, Ray, RuntimeName
from siamtrack.core.files import noting_files
from siamtrack.core.parallel import RayCluster, Workers
from siamtrack.core.tracks import TrackerFactory
from siamtrack.core.writing import check_outputs, refuse_existing, write_text
from siamtrack.data import Dataset, open_dataset
from siamtrack.evaluation import (
    POLICIES,
    Report,
    evaluate,
    evaluate_results,
    evaluate_vot,
    longterm_report,
    merge,
    open_tracker,
    run_dataset,
    write_submission,
)
from siamtrack.evaluation.compare import result_folders
from siamtrack.evaluation.longterm import read_runs
from siamtrack.evaluation.report.html import Video
from siamtrack.evaluation.report.videos import comparison_videos
from siamtrack.evaluation.results import Lengths
from siamtrack.evaluation.run import file_name
from siamtrack.evaluation.trackers import tracker_files, tracker_made

Rules = Literal["dataset", "default", "otb-toolkit", "got10k"]
Protocol = Literal["ope", "tre", "sre", "longterm", "vot", "vot-multistart"]
FORMATS = (".html", ".json", ".csv", ".tex")


@dataclass(frozen=True)
class Eval:
    """Run trackers over a data set, or read their raw results, and print the table."""

    dataset: Annotated[Positional[str], arg(metavar="DATASET")]
    """NAME:PATH, such as otb2013:/data/OTB, vot2018:/data/VOT2018 or folder:/data/mine."""
    tracker: Annotated[
        UseAppendAction[tuple[str, ...]],
        arg(
            help="Model or its folder (with +redetect appended, more of the frame is searched "
            "while the target is lost; with +masks, VOT's masks are compared with masks), "
            "FILE.py:CLASS, opencv:csrt, nanotrack-v2:FOLDER, "
            "nanotrack-v3:FOLDER, fear-xs:FOLDER, lightfc:FOLDER, vittrack:FILE or trax:COMMAND. "
            "NAME= in front renames it. The default is base if --results is not given either. "
            "Repeat to compare."
        ),
    ] = ()
    results: UseAppendAction[tuple[Path, ...]] = ()
    """Folder of raw results, or of several such folders, to score without running a tracker."""
    out: Path | None = None
    """Folder for raw results; finished sequences in it are not run again."""
    report: UseAppendAction[tuple[Path, ...]] = ()
    """Report file. Its suffix chooses the format: .html, .json, .csv or .tex. Repeat for more."""
    protocol: Protocol = "ope"
    """One pass, temporal or spatial robustness, long-term, VOT with restarts or from anchors."""
    policy: Rules = "dataset"
    """Rules for which frames count; by default those of the data set."""
    lengths: Lengths = "strict"
    """What to do if --results and frames differ in number: fail, align or cut."""
    absent: bool = False
    """Accept NaN in --results and count those frames as misses."""
    partial: bool = False
    """Accept missing sequences in data sets and results; the report names them."""
    submission: Path | None = None
    """Zip file for the evaluation server, with the results of one tracker."""
    clips: int = 4
    """Number of videos in an HTML report of each kind: where trackers differ most, and where even
    the best one fails (a single tracker: where its success is lowest)."""
    workers: int = 1
    """Number of processes."""
    ray: Ray = None
    runtime: RuntimeName = "auto"
    precision: PrecisionName = "auto"
    threads: int = 0
    """Threads of each tracker's engine; 0 lets the engine choose."""
    no_resume: bool = False
    """Run all sequences again, including those that are finished in --out."""
    overwrite: Annotated[
        bool,
        arg(
            help="Replace existing report files, and run again what --out holds of another model, "
            "of other settings or of other frames."
        ),
    ] = False
    json: bool = False
    """Print the report as JSON."""

    def run(self) -> None:
        """Evaluate, write the reports and print the table."""
        self._check_reports()
        with noting_files() as read:
            dataset = open_dataset(self.dataset, partial=self.partial)
        trackers = self._trackers()
        folders = self._folders(dataset, trackers)
        self._check_files(read, dataset, trackers, folders)
        if dataset.hidden:
            for name, factory in trackers.items():
                self._run_only(dataset, name, factory)
        else:
            report = self._evaluate(dataset, trackers, folders)
            for path in self.report:
                self._write(report, path, dataset, folders)
            print(report.to_json() if self.json else report.table())
        if self.submission is not None:
            if len(folders) != 1:
                raise ValueError("--submission: give one tracker with --out, or one --results")
            (folder,) = folders.values()
            print(write_submission(folder, dataset, self.submission), file=sys.stderr)

    def _trackers(self) -> dict[str, TrackerFactory]:
        wanted = self._wanted()
        opened = [
            open_tracker(spec, runtime=self.runtime, precision=self.precision, threads=self.threads)
            for spec in wanted
        ]
        trackers: dict[str, TrackerFactory] = {}
        for name, factory in opened:
            if name in trackers:
                raise ValueError(f"two trackers are called {name!r}: put NAME= in front of one")
            trackers[name] = factory
        return trackers

    def _folders(self, dataset: Dataset, trackers: Mapping[str, TrackerFactory]) -> dict[str, Path]:
        """Return where the raw results of each tracker are or will be."""
        folders = {} if self.out is None else {n: self.out / file_name(n) for n in trackers}
        if self.protocol in ("vot", "vot-multistart"):
            return folders | {folder.resolve().name: folder for folder in self.results}
        for given in self.results:
            found = result_folders(given, dataset)
            if double := folders.keys() & found.keys():
                raise ValueError(f"two trackers are called {min(double)!r}; rename a folder")
            folders |= found
        return folders

    def _evaluate(
        self,
        dataset: Dataset,
        trackers: Mapping[str, TrackerFactory],
        folders: Mapping[str, Path],
    ) -> Report:
        common: dict[str, Any] = {"out": self.out, "workers": self._workers()}
        common["resume"] = not self.no_resume
        read = {name: folder for name, folder in folders.items() if name not in trackers}
        if self.protocol in ("vot", "vot-multistart"):
            made = None if self.out is None else {n: tracker_made(t) for n, t in trackers.items()}
            return evaluate_vot(
                {**trackers, **read},
                dataset,
                protocol=self.protocol,
                made=made,
                overwrite=self.overwrite,
                **common,
            )
        if self.protocol == "longterm":
            runs = {
                n: run_dataset(t, dataset, name=n, **self._made(t), **common)
                for n, t in trackers.items()
            }
            runs |= {name: read_runs(folder, dataset) for name, folder in read.items()}
            return longterm_report(runs, dataset)
        policy = POLICIES[dataset.policy if self.policy == "dataset" else self.policy]
        reports = [
            evaluate(
                t,
                dataset,
                name=n,
                protocol=self.protocol,
                policy=policy,
                **self._made(t),
                **common,
            )
            for n, t in trackers.items()
        ]
        if read:
            if self.protocol != "ope":
                raise ValueError(f"--results are of one pass, not of {self.protocol}")
            with noting_files() as raw:
                found = evaluate_results(
                    read,
                    dataset,
                    policy=policy,
                    lengths=self.lengths,
                    absent=self.absent,
                    partial=self.partial,
                )
            check_outputs(self._written(), raw)
            reports.append(found)
        return merge(reports)

    def _run_only(self, dataset: Dataset, name: str, factory: TrackerFactory) -> None:
        if self.out is None:
            raise ValueError(f"{dataset.name} is evaluated by its server: give --out for results")
        run_dataset(
            factory,
            dataset,
            out=self.out,
            name=name,
            workers=self._workers(),
            resume=not self.no_resume,
            **self._made(factory),
        )
        print(f"{name}: results in {self.out / file_name(name)}; pack them with --submission")

    def _made(self, tracker: TrackerFactory) -> dict[str, Any]:
        """Return what is kept beside a tracker's results, and whether others may be replaced."""
        if self.out is None:
            return {}
        return {"made": tracker_made(tracker), "overwrite": self.overwrite}

    def _wanted(self) -> tuple[str, ...]:
        if self.tracker or self.results:
            return self.tracker
        from siamtrack.packages.card import DEFAULT  # brings the engine: not needed to read results

        return (DEFAULT,)

    def _workers(self) -> Workers:
        return self.workers if self.ray is None else RayCluster(self.ray)

    def _check_reports(self) -> None:
        if self.clips < 0:
            raise ValueError(f"--clips {self.clips}: expected a number of videos, or 0")
        for path in self.report:
            if path.suffix.lower() not in FORMATS:
                raise ValueError(f"--report {path}: expected an ending of {', '.join(FORMATS)}")
            refuse_existing(path, self.overwrite)
        check_outputs(self._written())

    def _written(self) -> list[Path]:
        return [*self.report, *([] if self.submission is None else [self.submission])]

    def _check_files(
        self,
        read: list[Path],
        dataset: Dataset,
        trackers: Mapping[str, TrackerFactory],
        folders: Mapping[str, Path],
    ) -> None:
        """Refuse to write to annotations, frames and models, before anything runs."""
        models = [file for factory in trackers.values() for file in tracker_files(factory)]
        frames = (file for sequence in dataset for file in sequence.files)
        check_outputs(self._written(), chain(read, models, frames))
        if self.out is not None:
            run = (file for name in trackers for file in folders[name].rglob("*"))
            check_outputs((file for file in run if file.is_file()), [*read, *models])

    def _write(
        self, report: Report, path: Path, dataset: Dataset, folders: Mapping[str, Path]
    ) -> None:
        kind = path.suffix.lower()
        if kind == ".html":
            report.to_html(path, self._videos(report, dataset, folders))
            return
        text = {".json": report.to_json, ".csv": report.to_csv, ".tex": report.to_latex}[kind]()
        write_text(path, text.rstrip("\n") + "\n")

    def _videos(self, report: Report, dataset: Dataset, folders: Mapping[str, Path]) -> list[Video]:
        """Return videos, where there are results in files and frames to show them on."""
        frames = any(sequence.files and not sequence.frames.missing() for sequence in dataset)
        there = all(name in folders for name in report.trackers)
        if not (self.clips and frames and there and self.protocol == "ope"):
            return []
        return comparison_videos(report, dataset, folders, count=self.clips)
