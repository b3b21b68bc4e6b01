"""`siamtrack train` and `siamtrack fine-tune`: train, and train on for a few videos."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, UseAppendAction, arg

from siamtrack.core.config import parse_json
from siamtrack.core.files import noting_files, text_of
from siamtrack.core.writing import check_outputs
from siamtrack.data.cache import archive_of
from siamtrack.data.manifest import Entry

RUN_FILES = ("checkpoint.pt", "config.json", "metrics.jsonl")
"""What a run writes to its folder."""


@dataclass(frozen=True)
class Train:
    """Train a tracker on your own boxes or on public data; needs the extra `train`.

    To share each batch between N processes, run `torchrun --nproc-per-node N --no-python siamtrack
    train ...`.
    """

    data: Annotated[
        UseAppendAction[tuple[str, ...]],
        arg(
            help="Manifest (JSON Lines: image, box, track, frame, label) or its folder, or "
            "NAME:PATH of a public data set in its own layout, such as got10k:/data/GOT-10k. "
            "Repeat for more."
        ),
    ]
    out: Path | None = None
    """Folder for the run; needed unless --sheet is given."""
    preset: str = "box"
    """Settings to start from: box, cpu (slim SiamFC) or paper (SiamDW's recipe)."""
    config: Path | None = None
    """JSON file with settings of `siamtrack.training.TrainConfig` that replace the preset's."""
    steps: int | None = None
    """Optimizer steps; by default those of --config, otherwise the preset's."""
    resume: bool = False
    """Continue the run in --out."""
    validate: str | None = None
    """NAME:PATH of sequences, such as otb:/data/OTB, to track while training; never trained on."""
    validate_every: int = 500
    """Steps between two validations."""
    validate_sequences: int = 4
    """Sequences to track each time."""
    validate_frames: int = 100
    """Frames of each sequence."""
    pictures: int = 0
    """Steps between two pictures of pairs, responses and boxes; 0 writes none."""
    tensorboard: bool = False
    """Also write metrics for TensorBoard; needs the extra `tensorboard`."""
    sheet: Path | None = None
    """Write a picture of pairs that this run would train on, and stop."""
    quiet: bool = False
    """Show no progress bar."""

    def run(self) -> None:
        """Train and print where the checkpoint is."""
        from siamtrack.data import open_dataset
        from siamtrack.data.annotations import read_all
        from siamtrack.data.manifest import Pool
        from siamtrack.data.pairs import build_sampler
        from siamtrack.training import Watch, preset, train
        from siamtrack.training.distributed import join

        logging.getLogger("siamtrack").setLevel(logging.INFO)
        # Settings first: reading the data may take minutes.
        with noting_files() as read:
            values = read_settings(self.config)
            if self.steps is not None:
                values["steps"] = self.steps
            config = preset(self.preset, values)
            if self.out is None and self.sheet is None:
                raise ValueError("nowhere to write: give --out FOLDER, or --sheet FILE")
            entries = read_all(self.data)
        self._check_files(read, entries, config.initial)
        sampler = build_sampler(config.sampler, Pool(entries), config.pairs, config.seed)
        if self.sheet is not None:
            from siamtrack.training.pictures import sheet, write_picture

            write_picture(self.sheet, sheet(sampler))
            print(f"wrote {self.sheet}")
            return
        assert self.out is not None
        watch = Watch(
            bar=not self.quiet and sys.stderr.isatty(),
            pictures=self.pictures,
            validate=open_dataset(self.validate, partial=True) if self.validate else None,
            validate_every=self.validate_every,
            sequences=self.validate_sequences,
            frames=self.validate_frames,
            tensorboard=self.tensorboard,
        )
        path = train(config, sampler, self.out, resume=self.resume, watch=watch)
        if join(config.device).first:
            print(f"wrote {path}: siamtrack export {path} MODEL_FOLDER")

    def _check_files(self, read: list[Path], entries: Sequence[Entry], initial: str) -> None:
        """Refuse to write to what is read: settings, weights, manifests, images."""
        if self.sheet is not None:
            images = (Path(archive_of(name) or name) for name in {e.image for e in entries})
            check_outputs([self.sheet], chain(read, images))
            return
        assert self.out is not None
        if self.resume and (self.out / "checkpoint.pt").exists():
            return  # config.json is this run's own record, which --config may name to continue
        read = [*read, *([Path(initial)] if initial else [])]
        check_outputs([self.out / name for name in RUN_FILES], read)


def read_settings(file: Path | None) -> dict[str, Any]:
    """Read a JSON object of settings; none without a file.

    Raises:
        ValueError: If the file holds something else.
        OSError: If it cannot be read.
    """
    if file is None:
        return {}
    try:
        values = parse_json(text_of(file))
    except ValueError as error:
        raise ValueError(f"{file} is no JSON ({error})") from error
    if not isinstance(values, dict):
        raise ValueError(f"{file}: expected a JSON object of settings, got {type(values).__name__}")
    return values


@dataclass(frozen=True)
class FineTune:
    """Continue training a checkpoint on a few videos of your own; needs the extra `train`.

    The last part of every video is held out and tracked before and after, to report what it gained.
    """

    checkpoint: Positional[Path]
    """checkpoint.pt of a run."""
    data: UseAppendAction[tuple[str, ...]]
    """Your videos: a manifest with tracks, or mot:PATH, cvat:PATH and so on. Repeat for more."""
    out: Path
    """Folder for the new run."""
    config: Path | None = None
    """JSON file with settings of `siamtrack.training.TrainConfig` that replace the defaults."""
    steps: int | None = None
    """Optimizer steps; by default those of --config, otherwise 300."""
    held_out: float = 0.3
    """Share at the end of each video that is not trained on."""
    json: bool = False
    """Print the report as JSON."""
    quiet: bool = False
    """Show no progress bar."""

    def run(self) -> None:
        """Train and print the report."""
        from siamtrack.data.annotations import read_all
        from siamtrack.training import Watch
        from siamtrack.training.fine_tune import fine_tune

        logging.getLogger("siamtrack").setLevel(logging.INFO)
        with noting_files() as read:
            changes = read_settings(self.config)
            entries = read_all(self.data)
        names = (*RUN_FILES, "report.json")
        check_outputs([self.out / name for name in names], [*read, self.checkpoint])
        if self.steps is not None:
            changes["steps"] = self.steps
        helped = fine_tune(
            self.checkpoint,
            entries,
            self.out,
            changes=changes,
            share=self.held_out,
            watch=Watch(bar=not self.quiet and sys.stderr.isatty()),
        )
        report = self.out / "report.json"
        print(report.read_text(encoding="utf-8") if self.json else helped.table())
