"""`siamtrack fine-tune`: continue training on a few videos, and report whether it helped."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional, UseAppendAction

from siamtrack.cli.train import RUN_FILES, read_settings
from siamtrack.core.files import noting_files
from siamtrack.core.writing import check_outputs


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
