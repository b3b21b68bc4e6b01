"""From a training checkpoint to a model folder: two ONNX graphs and a card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from siamtrack.core.boundary import surface
from siamtrack.core.config import shown
from siamtrack.core.settings import TrackerSettings
from siamtrack.core.writing import refuse_existing
from siamtrack.errors import MissingExtraError, WeightsError
from siamtrack.packages.card import CARD, GRAPHS, Card, folder_title
from siamtrack.packages.formats import Source, check_formats, write_formats
from siamtrack.packages.write import card_of, writing

try:
    import torch
    from torch import Tensor
except ImportError as error:  # pragma: no cover
    raise MissingExtraError("export", "torch", "train") from error

from siamtrack.models.graphs import split, write_graph
from siamtrack.models.network import Network, parted
from siamtrack.training import checkpoint as checkpoints
from siamtrack.training.config import TrainConfig

MOST_BATCH = 4096
FOREIGN_LICENSE = "that of its project"
"""What the card of another project's weights says where nobody knows better."""


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
        model = config.network()
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
    license: str | None = None,
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
        batch: The only batch size that the graphs take, for engines that want to know; any
            otherwise.
        companion: Export the second head, which the run trained beside the first.
        license: Licence of the weights, for the card; left open otherwise.
        overwrite: Whether an existing card may be replaced.

    Raises:
        WeightsError: If the file is no checkpoint, or one of a kind that cannot track here.
        FileExistsError: If `out` holds a model and `overwrite` is not set.
        UnknownNameError: If there is no such format.
        MissingExtraError: If a format needs what is not installed.
        OSError: If the disk is full; a model that was in `out` stays whole.
        ValueError: If `batch` is below 1 or above `MOST_BATCH`, or the checkpoint would be lost.
    """
    out = Path(out)
    check_formats(formats, network=True)
    if batch is not None and not 1 <= batch <= MOST_BATCH:
        raise ValueError(
            f"batch {shown(batch)}: expected a number from 1 to {MOST_BATCH}, or none for any"
        )
    refuse_existing(out / CARD, overwrite, f"{out} holds a model", "folder")

    # Read the network: of a run of ours, or of another project
    original: dict[str, Tensor] | None = None
    try:
        checkpoints.read(Path(checkpoint))
    except WeightsError as error:
        model, original = _foreign(Path(checkpoint), error)
        trained, known = "", FOREIGN_LICENSE
    else:
        model, config = read_checkpoint(Path(checkpoint))
        if companion:
            if config.companion is None:
                raise ValueError(f"{checkpoint} was trained without a companion head")
            model = parted(model, config.companion)
        tracker = tracker or replace(model.own_head.settings, area=config.pairs.area)
        trained, known = f"{config.steps} steps of {config.batch} pairs", ""

    # Write its graphs, further formats and the card
    card = replace(
        card_of(model, name or folder_title(out), tracker),
        summary=summary,
        license=known if license is None else license,
        trained_on=trained_on or trained,
    )
    with writing(out, card, inputs=[Path(checkpoint)]) as draft:
        for graph, half in zip(GRAPHS, split(model), strict=True):
            names = [*half.inputs, *half.outputs]
            write_graph(
                half.module,
                tuple(torch.cat([part] * (batch or 1)) for part in half.example),
                draft.folder / f"{graph}.onnx",
                inputs=half.inputs,
                outputs=half.outputs,
                free=None if batch else {each: {0: "batch"} for each in names},
            )
            draft.add(f"{graph}.onnx")
        draft.add(*write_formats(Source(draft.folder, model, original, batch), formats))
    return draft.card


def _foreign(path: Path, reason: WeightsError) -> tuple[Network, dict[str, Tensor]]:
    """Convert a SiamFC of another project, and return its own tensors as well."""
    from siamtrack.models.convert import convert, read_tensors

    try:
        model, _ = convert(path)
    except WeightsError as error:
        raise WeightsError(f"{reason}; and of no other project: {error}") from error
    return model, read_tensors(path)
