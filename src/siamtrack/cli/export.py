"""`siamtrack export`: from a checkpoint to a model folder."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tyro.conf import Positional, UseAppendAction

from siamtrack.weights import Card, read_card, read_graphs, write_card


@dataclass(frozen=True)
class Export:
    """Write the ONNX graphs and the card of a checkpoint; needs the extra `train`.

    With --int8, a search graph in 8 bits as well, calibrated on pairs of training data.
    """

    checkpoint: Positional[Path]
    """checkpoint.pt of a run, or a model's folder to copy, which makes sense with --int8."""
    out: Positional[Path]
    """Folder to write."""
    name: str | None = None
    """Name of the model; by default that of the folder."""
    int8: UseAppendAction[tuple[str, ...]] = ()
    """Training data to calibrate an int8 graph with, as `siamtrack train --data`."""
    overwrite: bool = False
    """Replace a model that is there."""

    def run(self) -> None:
        """Export and print what was written."""
        if (self.checkpoint / "card.json").is_file():
            card = copy_model(self.checkpoint, self.out, self.name, self.overwrite)
        else:
            from siamtrack.exporting import export

            card = export(self.checkpoint, self.out, name=self.name, overwrite=self.overwrite)
        if self.int8:
            self._quantise(card)
        print(f"wrote {self.out}: model {card.name}, load it with --model {self.out}")

    def _quantise(self, card: Card) -> None:
        from siamtrack.data.images import ImageCache
        from siamtrack.data.manifest import Pool
        from siamtrack.data.pairs import PairConfig, PairSampler
        from siamtrack.data.training import read_all
        from siamtrack.quantising import quantise

        config = PairConfig(template=card.template, search=card.search)
        sampler = PairSampler(Pool(read_all(self.int8)), config, 0, ImageCache())
        found = quantise(self.out, partial(sampler.draw, 0))
        print(
            f"int8: scores correlate to {found.correlation:.4f} with float32 on {found.pairs} "
            f"pairs, {found.same_peak:.0%} of the peaks stay"
        )


def copy_model(source: Path, out: Path, name: str | None, overwrite: bool) -> Card:
    """Copy a model's folder under another name and return its card.

    Raises:
        FileExistsError: If `out` holds a model and `overwrite` is not set.
        WeightsError: If `source` is no whole model.
    """
    card = read_card(source)
    read_graphs(source, card)
    if (out / "card.json").exists() and not overwrite:
        raise FileExistsError(f"{out} holds a model: choose another folder, or allow to overwrite")
    out.mkdir(parents=True, exist_ok=True)
    for graph in card.sha256:
        shutil.copyfile(source / f"{graph}.onnx", out / f"{graph}.onnx")
    card = replace(card, name=name or out.name)
    write_card(out, card)
    return card
