"""`siamtrack eval`: run a model over a data set and print its table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tyro.conf import Positional

from siamtrack.api import load
from siamtrack.data import open_dataset
from siamtrack.evaluation import evaluate
from siamtrack.weights import DEFAULT


@dataclass(frozen=True)
class Eval:
    """Run a model over a data set and print success AUC, precision and speed."""

    dataset: Positional[str]
    """NAME:PATH, such as otb2013:/data/OTB, otb:/data/some-of-OTB or folder:/data/mine."""
    model: str = DEFAULT
    """Model: a name that `siamtrack models` shows, or a folder written by `siamtrack export`."""
    out: Path | None = None
    """Folder for raw results; finished sequences in it are not run again."""
    protocol: str = "ope"
    """ope, tre or sre."""
    workers: int = 1
    """Processes."""
    threads: int = 0
    """Threads of the network in each process; 0: as many as help."""
    json: bool = False
    """Print JSON."""

    def run(self) -> None:
        """Evaluate and print."""
        report = evaluate(
            partial(load, self.model, threads=self.threads), open_dataset(self.dataset),
            out=self.out, name=Path(self.model).name, protocol=self.protocol, workers=self.workers,
        )  # fmt: skip
        print(report.to_json() if self.json else report.table())
