"""`siamtrack export`: from a checkpoint to a model folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction, arg

from siamtrack.core.writing import check_outputs, refuse_existing
from siamtrack.packages.card import (
    CARD,
    Card,
    folder_title,
    model_files,
    model_folder,
    model_paths,
    read_card,
)
from siamtrack.packages.write import Source, check_formats, write_formats, writing


@dataclass(frozen=True)
class Export:
    """Write a checkpoint as a model: ONNX graphs and a card; needs the extra `train`.

    docs/runtimes.md describes the formats.
    """

    checkpoint: Annotated[Positional[str], arg(metavar="CHECKPOINT")]
    """checkpoint.pt of a run, or the name or folder of a model to copy and extend."""
    out: Positional[Path]
    """Folder to write."""
    name: str | None = None
    """Name of the model; by default that of the folder, or NAME for .../NAME/model."""
    format: Annotated[
        UseAppendAction[tuple[str, ...]],
        arg(
            help="Format besides ONNX: openvino (IR), torch (network.safetensors, for the runtime "
            "torch) or pt2 (torch.export). Repeat for more."
        ),
    ] = ()
    int8: Annotated[
        UseAppendAction[tuple[str, ...]],
        arg(
            help="Also write an 8-bit search graph, calibrated on this training data, given as for "
            "`siamtrack train --data`. Repeat for more."
        ),
    ] = ()
    half: bool = False
    """Store weights in half precision: files of half the size that still compute in float32."""
    companion: bool = False
    """Export the second head of the run (`companion` in its config) instead of the first."""
    batch: int | None = None
    """Fixed batch size of the graphs, for engines that need one; by default any size works."""
    license: str | None = None
    """License of the weights for the card, such as MIT; a copy keeps that of its model."""
    overwrite: bool = False
    """Replace an existing model."""

    def run(self) -> None:
        """Export and print what was written."""
        if Path(self.checkpoint).suffix in (".pt", ".pth") and not Path(self.checkpoint).is_file():
            raise FileNotFoundError(
                f"{self.checkpoint} does not exist: give checkpoint.pt of a run"
            )
        if Path(self.checkpoint).is_file():
            from siamtrack.training.checkpoint import export

            card = export(
                self.checkpoint,
                self.out,
                name=self.name,
                formats=self.format,
                batch=self.batch,
                companion=self.companion,
                license=self.license,
                overwrite=self.overwrite,
            )
        elif self.batch is not None:
            raise ValueError(
                f"--batch {self.batch}: the graphs of {self.checkpoint} are made already; give the "
                "checkpoint, or fix their batch with a tool of docs/runtimes.md"
            )
        else:
            card = self._copy(model_folder(self.checkpoint))
        if self.int8:
            self._quantize(card)
        if self.half:
            from siamtrack.packages.quantize import halve

            halve(self.out)
        files = ", ".join(model_files(read_card(self.out)))
        print(f"wrote {self.out} ({files}): load it with --model {self.out}")

    def _copy(self, source: Path) -> Card:
        """Copy a model's folder and add formats."""
        inputs = model_paths(source)
        check_outputs([self.out / file.name for file in inputs], inputs)
        check_formats(self.format, network=False)
        refuse_existing(self.out / CARD, self.overwrite, f"{self.out} holds a model", "folder")
        card = read_card(source)
        license_ = card.license if self.license is None else self.license
        card = replace(card, name=self.name or folder_title(self.out), license=license_)
        with writing(self.out, card, source, inputs) as draft:
            draft.add(*write_formats(Source(draft.folder), self.format))
        return draft.card

    def _quantize(self, card: Card) -> None:
        from siamtrack.data.annotations import read_all
        from siamtrack.data.cache import ImageCache
        from siamtrack.data.manifest import Pool
        from siamtrack.data.pairs import PairConfig, PairSampler
        from siamtrack.packages.quantize import quantize

        config = PairConfig(template=card.template, search=card.search, area=card.tracker.area)
        sampler = PairSampler(Pool(read_all(self.int8)), config, 0, ImageCache())
        found = quantize(self.out, sampler.draw)
        print(
            f"int8: scores correlate to {found.correlation:.4f} with float32 on {found.pairs} "
            f"pairs, {found.same_peak:.0%} of the peaks stay"
        )
