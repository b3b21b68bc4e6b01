"""`siamtrack export`: from a checkpoint to a model folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional


@dataclass(frozen=True)
class Export:
    """Write the ONNX graphs and the card of a checkpoint; needs the extra `train`."""

    checkpoint: Positional[Path]
    """checkpoint.pt of a run."""
    out: Positional[Path]
    """Folder to write."""
    name: str | None = None
    """Name of the model; by default that of the folder."""
    overwrite: bool = False
    """Replace a model that is there."""

    def run(self) -> None:
        """Export and print what was written."""
        from siamtrack.exporting import export

        card = export(self.checkpoint, self.out, name=self.name, overwrite=self.overwrite)
        print(f"wrote {self.out}: model {card.name}, load it with --model {self.out}")
