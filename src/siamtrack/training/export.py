"""From a training checkpoint to a model folder: two ONNX graphs and a card."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from siamtrack.core.boundary import surface
from siamtrack.core.settings import TrackerSettings
from siamtrack.core.writing import refuse_existing, write_together
from siamtrack.errors import MissingExtraError, WeightsError
from siamtrack.packages.card import GRAPHS, Card, folder_title, write_card
from siamtrack.packages.formats import Source, add_formats, check_formats

try:
    import torch
    from torch import Tensor
except ImportError as error:  # pragma: no cover
    raise MissingExtraError("export", "torch", "train") from error

from siamtrack.models.export_graphs import Trackable, sides_of, split
from siamtrack.models.heads.siamfc import SiamFCHead
from siamtrack.models.siamese import Siamese
from siamtrack.models.tracking import BoxTracker, parted
from siamtrack.packages.graph_file import write_graph
from siamtrack.training import checkpoint as checkpoints
from siamtrack.training.config import TrainConfig
from siamtrack.training.monitor import default_settings
from siamtrack.training.objectives import Network, build_network


def read_checkpoint(path: Path) -> tuple[Network, TrainConfig]:
    """Read the averaged weights of a checkpoint that training wrote.

    Returns:
        The model in eval mode, and the config of its run.

    Raises:
        WeightsError: If the file is no such checkpoint.
    """
    state = checkpoints.read(path)
    config = checkpoints.config_of(state)
    try:
        model = build_network(config)
        model.load_state_dict(state["average"])
    except (LookupError, RuntimeError, ValueError, TypeError) as error:
        raise WeightsError(f"{path} is no whole checkpoint of siamtrack ({error})") from error
    return model.eval(), config


@surface
def export(
    checkpoint: str | Path,
    out: str | Path,
    *,
    name: str | None = None,
    summary: str = "",
    trained_on: str = "",
    tracker: TrackerSettings | None = None,
    formats: Sequence[str] = (),
    batch: int | None = None,
    companion: bool = False,
    overwrite: bool = False,
) -> Card:
    """Write the model folder of a checkpoint.

    Args:
        checkpoint: `checkpoint.pt` of a run, or a SiamFC checkpoint of another project in one of
            the layouts of `siamtrack.models.convert`.
        out: Folder to write `template.onnx`, `search.onnx` and `card.json` to.
        name: Name of the model; by default that of the folder, or if this is `model`, of the one
            that it is in.
        summary: One sentence for the card.
        trained_on: Data and time, for the card.
        tracker: Settings of the tracker; those that this kind of model starts from otherwise.
        formats: Names in `siamtrack.packages.formats.FORMATS` to write beside ONNX.
        companion: Export the second head, which the run trained beside the first.
        batch: The only batch size that the graphs take, for engines that want to know; any
            otherwise.
        overwrite: Whether an existing card may be replaced.

    Raises:
        WeightsError: If the file is no checkpoint, or one of a kind that cannot track here.
        FileExistsError: If `out` holds a model and `overwrite` is not set.
        UnknownNameError: If there is no such format.
        MissingExtraError: If a format needs what is not installed.
        OSError: If the disk is full; a model that was in `out` stays whole.
        ValueError: If `batch` is below 1.
    """
    out = Path(out)
    check_formats(formats, network=True)
    if batch is not None and batch < 1:
        raise ValueError(f"batch {batch}: expected a number from 1, or none for any")
    refuse_existing(out / "card.json", overwrite, f"{out} holds a model", "folder")
    model: Trackable
    original: dict[str, Tensor] | None = None
    try:
        checkpoints.read(Path(checkpoint))
    except WeightsError as error:
        model, original = _foreign(Path(checkpoint), error)
        trained, licence = "", "that of its project"
    else:
        model, config = read_checkpoint(Path(checkpoint))
        if companion:
            if config.companion is None or not isinstance(model, BoxTracker):
                raise ValueError(f"{checkpoint} was trained without a companion head")
            model = parted(model, config.companion)
        tracker = tracker or replace(default_settings(model), area=config.pairs.area)
        trained = f"{config.steps} steps of {config.batch} pairs"
        licence = "Apache-2.0"
    template, search = sides_of(model)
    with write_together(out, "card.json") as folder:
        _write_graphs(model, folder, batch)
        sha256 = {
            which: hashlib.sha256((folder / f"{which}.onnx").read_bytes()).hexdigest()
            for which in GRAPHS
        }
        card = Card(
            name=name or folder_title(out),
            summary=summary,
            kind="box" if isinstance(model, BoxTracker) else "response",
            template=template,
            search=search,
            stride=model.backbone.stride,
            sha256=sha256,
            tracker=tracker or default_settings(model),
            licence=licence,
            trained_on=trained_on or trained,
        )
        write_card(folder, card)
        return add_formats(Source(folder, model, original, batch), formats)


def _foreign(path: Path, reason: WeightsError) -> tuple[Siamese, dict[str, Tensor]]:
    """Convert a SiamFC of another project, and return its own tensors as well."""
    from siamtrack.models.convert import convert, read_tensors

    try:
        model, _ = convert(path)
    except WeightsError as error:
        raise WeightsError(f"{reason}; and of no other project: {error}") from error
    if not isinstance(model.head, SiamFCHead):
        raise WeightsError(
            f"{path} is a {type(model.head).__name__} of another project: trackers here read the "
            "box head and SiamFC's response, so that only SiamFC can be exported"
        )
    return model, read_tensors(path)


def _write_graphs(network: Trackable, out: Path, batch: int | None) -> None:
    """Export both halves; batch statistics are folded into the convolutions."""
    for name, half in zip(GRAPHS, split(network), strict=True):
        names = [*half.inputs, *half.outputs]
        write_graph(
            half.module, tuple(torch.cat([part] * (batch or 1)) for part in half.example),
            out / f"{name}.onnx", inputs=half.inputs, outputs=half.outputs,
            free=None if batch else {name: {0: "batch"} for name in names},
        )  # fmt: skip
