"""Checkpoints: whole or not there at all, continued only by their run, and exported as models."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from siamtrack.core.boundary import surface
from siamtrack.core.config import from_dict, parse_json, shown, spelled, to_dict
from siamtrack.core.settings import TrackerSettings
from siamtrack.core.writing import refuse_existing, replacing
from siamtrack.data.manifest import Entry
from siamtrack.errors import SiamtrackError, WeightsError
from siamtrack.models.convert.layout import load_tensors
from siamtrack.models.files import split, write_graph
from siamtrack.models.network import Network, parted
from siamtrack.packages.card import CARD, GRAPHS, Card, folder_title
from siamtrack.packages.write import Source, card_of, check_formats, write_formats, writing
from siamtrack.training.config import TrainConfig

logger = logging.getLogger(__name__)

State = dict[str, Any]
FREE = ("device", "frozen", "imagenet", "loaders", "loading", "precision", "save_every")
"""Settings that may change when a run is resumed."""
MOST_BATCH = 4096
FOREIGN_LICENSE = "that of its project"
"""What the card of another project's weights says where nobody knows better."""


def data_fingerprint(entries: Iterable[Entry]) -> str:
    """Return a sha256 of what there is to train on: boxes, tracks, labels and names of images.

    Paths count from the folder that all images share, so that data may move; pixels do not count.

    Example:
        >>> here = [Entry("/a/1.png", (0.0, 0.0, 4.0, 4.0), "t", 0, "", "s")]
        >>> there = [Entry("/b/c/1.png", (0.0, 0.0, 4.0, 4.0), "t", 0, "", "s")]
        >>> data_fingerprint(here) == data_fingerprint(there)
        True
    """
    entries = list(entries)
    folders = {os.path.dirname(entry.image) for entry in entries}  # noqa: PTH120 - much faster
    try:
        shared = len(os.path.commonpath(folders)) if folders else 0
    except ValueError:  # several drives, or absolute and relative paths
        shared = 0
    digest = hashlib.sha256()
    for entry in entries:
        item = (
            entry.image[shared:],
            entry.box,
            entry.track,
            entry.frame,
            entry.label,
            entry.source,
        )
        digest.update(repr(item).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Return the versions of what a result depends on."""
    from siamtrack import __version__

    return {
        "siamtrack": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint atomically: a full disk or a kill leaves the one before.

    Raises:
        OSError: If it cannot be written; the message names the step.
    """
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    try:
        with replacing(path, sync=True) as part:
            part.write_bytes(buffer.getbuffer())
    except OSError as error:
        kept = f"{path} is still the one before" if path.exists() else "there is none before"
        raise OSError(
            f"the checkpoint of step {state.get('step')} cannot be written ({error.strerror}); "
            f"{kept}: make room and resume the run"
        ) from error
    logger.info("step %s saved to %s", state.get("step"), path)


def read(path: Path) -> State:
    """Read a checkpoint that training wrote; code in it is never run.

    Raises:
        WeightsError: If it is none.
    """
    if not path.is_file():
        raise WeightsError(
            f"{path} is no file: expected checkpoint.pt of a run of `siamtrack train`; the models "
            "in the package are graphs, which cannot be trained on; our repository has their "
            "checkpoints, such as benchmarks/lite/checkpoint.pt"
        )
    try:
        state = load_tensors(path)
        known = {"step", "config", "model", "average"} <= set(state)
    except Exception as error:  # torch raises whatever a damaged pickle leads it to
        raise WeightsError(f"{path} is no checkpoint of siamtrack ({error})") from error
    if not known:
        raise WeightsError(
            f"{path} is no checkpoint of siamtrack: it lacks step, config, model or average"
        )
    return spelled(state)


def config_of(state: Mapping[str, Any]) -> TrainConfig:
    """Return the config of the run that a checkpoint belongs to; settings new since then default.

    Raises:
        WeightsError: If it holds none that can be read.
    """
    try:
        return from_dict(TrainConfig, parse_json(state["config"]))
    except (LookupError, ValueError, TypeError, SiamtrackError) as error:
        raise WeightsError(f"the checkpoint has no readable config ({error})") from error


def check_same_run(path: Path, state: Mapping[str, Any], config: TrainConfig, data: str) -> None:
    """Refuse to resume a run with another config or other data.

    The device, what runs frozen stages, the precision, how many threads load, how often it is saved
    and the number of steps may change; a schedule other than `flat` follows the new number from
    then on. `imagenet` says only what the first step started from.

    Raises:
        ValueError: If config or data differ; the message names the settings.
    """
    before = config_of(state)
    free = replace(before, **{name: getattr(config, name) for name in FREE})
    if free.schedule == config.schedule and config.steps >= int(state["step"]):
        if free.steps != config.steps and config.schedule != "flat":
            logger.warning(
                "%s was to have %d steps, now %d: from here on the rate is that of the longer run",
                path,
                free.steps,
                config.steps,
            )
        free = replace(free, steps=config.steps)
    if free != config:
        old, new = to_dict(free), to_dict(config)
        changed = ", ".join(
            f"{key} {old[key]!r}, now {new[key]!r}" for key in old if old[key] != new[key]
        )
        raise ValueError(
            f"{path} was trained with another config ({changed}): resume it with its own, or start "
            "another run with `initial`"
        )
    if "data" not in state:
        logger.warning("%s does not say on which data it was trained", path)
    elif state["data"] != data:
        raise ValueError(
            f"{path} was trained on other data (fingerprint {state['data'][:12]}, now {data[:12]}):"
            " resume it with the same, or start another run with `initial`"
        )
    if state.get("versions", versions()) != versions():
        logger.warning(
            "%s was written by %s; the rest of the run may differ in the last digits",
            path,
            state["versions"],
        )


def read_checkpoint(path: Path) -> tuple[Network, TrainConfig]:
    """Read the averaged weights of a checkpoint that training wrote.

    Returns:
        The model in eval mode, and the config of its run.

    Raises:
        WeightsError: If the file is no such checkpoint.
    """
    state = read(path)
    config = config_of(state)
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
        formats: Names in `siamtrack.packages.write.FORMATS` to write beside ONNX.
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
        read(Path(checkpoint))
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
