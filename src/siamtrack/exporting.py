"""From a training checkpoint to a model folder: two ONNX graphs and a card."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from siamtrack.config import from_dict, to_dict
from siamtrack.errors import MissingExtraError, WeightsError
from siamtrack.settings import TrackerSettings
from siamtrack.weights import Card

try:
    import torch
    from torch import Tensor, nn
except ImportError as error:  # pragma: no cover
    raise MissingExtraError("export", "torch", "train") from error

from siamtrack.models.tracking import BoxTracker, BoxTrackerConfig

OPSET = 17


class _Template(nn.Module):
    """uint8 (B, T, T, 3) and size (B, 2) to the kernel."""

    def __init__(self, model: BoxTracker) -> None:
        super().__init__()
        self.model = model

    def forward(self, template: Tensor, size: Tensor) -> Tensor:
        return self.model.embed(template.permute(0, 3, 1, 2).float(), size)


class _Search(nn.Module):
    """Kernel and uint8 (B, S, S, 3) to score (B, H, W), distances, presence (B,) and features."""

    def __init__(self, model: BoxTracker) -> None:
        super().__init__()
        self.model = model

    def forward(self, kernel: Tensor, search: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        head = self.model.head
        features = head.search_neck(self.model.features(search.permute(0, 3, 1, 2).float()))
        logits, distances, presence = head.match(kernel, features)
        return torch.sigmoid(logits[:, 0]), distances, presence[:, 0], features


def read_checkpoint(path: Path) -> tuple[BoxTracker, dict[str, Any]]:
    """Read the averaged weights of a checkpoint that training wrote.

    Returns:
        The model in eval mode, and the configuration of its run.

    Raises:
        WeightsError: If the file is no such checkpoint.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        config = json.loads(state["config"])
        model = BoxTracker(from_dict(BoxTrackerConfig, config["model"]))
        model.load_state_dict(state["average"])
    except (OSError, LookupError, RuntimeError, ValueError, TypeError, UnpicklingError) as error:
        raise WeightsError(f"{path} is no checkpoint of siamtrack ({error})") from error
    return model.eval(), config


def export(
    checkpoint: str | Path,
    out: str | Path,
    *,
    name: str | None = None,
    summary: str = "",
    trained_on: str = "",
    tracker: TrackerSettings | None = None,
    overwrite: bool = False,
) -> Card:
    """Write the model folder of a checkpoint.

    Args:
        checkpoint: `checkpoint.pt` of a run.
        out: Folder to write `template.onnx`, `search.onnx` and `card.json` to.
        name: Name of the model; that of the folder by default.
        summary: One sentence for the card.
        trained_on: Data and time, for the card.
        tracker: Settings of the tracker; the defaults otherwise.
        overwrite: Whether an existing card may be replaced.

    Raises:
        WeightsError: If the file is no checkpoint.
        FileExistsError: If `out` holds a model and `overwrite` is not set.
    """
    out = Path(out)
    if (out / "card.json").exists() and not overwrite:
        raise FileExistsError(f"{out} holds a model: choose another folder, or allow to overwrite")
    model, config = read_checkpoint(Path(checkpoint))
    out.mkdir(parents=True, exist_ok=True)
    shape = model.config
    template = torch.zeros(1, shape.template, shape.template, 3, dtype=torch.uint8)
    search = torch.zeros(1, shape.search, shape.search, 3, dtype=torch.uint8)
    with torch.no_grad():
        size = torch.full((1, 2), 0.5)
        kernel = model.embed(template.permute(0, 3, 1, 2).float(), size)
    names = ["template", "size"]
    _write(_Template(model), (template, size), out / "template.onnx", names, ["kernel"])
    outputs = ["score", "distances", "presence", "features"]
    _write(_Search(model), (kernel, search), out / "search.onnx", ["kernel", "search"], outputs)
    sha256 = {
        which: hashlib.sha256((out / f"{which}.onnx").read_bytes()).hexdigest()
        for which in ("template", "search")
    }
    card = Card(
        name=name or out.name,
        summary=summary,
        kind="box",
        template=shape.template,
        search=shape.search,
        stride=model.backbone.stride,
        sha256=sha256,
        tracker=tracker or TrackerSettings(),
        trained_on=trained_on or f"{config['steps']} steps of {config['batch']} pairs",
    )
    write_card(out, card)
    return card


def write_card(folder: Path, card: Card) -> None:
    """Write `card.json` into a model's folder."""
    text = json.dumps(to_dict(card), indent=2) + "\n"
    (folder / "card.json").write_text(text, encoding="utf-8")


def _write(
    model: nn.Module, inputs: tuple[Tensor, ...], path: Path, names: list[str], outputs: list[str]
) -> None:
    """Export with a free batch size; batch statistics are folded into the convolutions."""
    axes = {name: {0: "batch"} for name in [*names, *outputs]}
    torch.onnx.export(
        model.eval(), inputs, str(path), input_names=names, output_names=outputs,
        dynamic_axes=axes, opset_version=OPSET, dynamo=False,
    )  # fmt: skip
