"""From a training checkpoint to a model folder: two ONNX graphs and a card."""

from __future__ import annotations

import hashlib
from pathlib import Path

from siamtrack.errors import MissingExtraError, WeightsError
from siamtrack.settings import TrackerSettings
from siamtrack.weights import Card, write_card

try:
    import torch
    from torch import Tensor, nn
except ImportError as error:  # pragma: no cover
    raise MissingExtraError("export", "torch", "train") from error

from siamtrack.models.heads.siamfc import SiamFCHead
from siamtrack.models.siamese import Siamese
from siamtrack.models.siamfc import SiamFCTracker
from siamtrack.models.tracking import BoxTracker
from siamtrack.training import checkpoint as checkpoints
from siamtrack.training.config import TrainConfig
from siamtrack.training.objectives import Network, build_network
from siamtrack.training.runtime import default_settings

OPSET = 17
FOREIGN_SIDES = (127, 255)
"""Sides of template and search patches of SiamFC in the projects that we convert from."""


class _BoxTemplate(nn.Module):
    """uint8 (B, T, T, 3) and size (B, 2) to the kernel."""

    def __init__(self, model: BoxTracker) -> None:
        super().__init__()
        self.model = model

    def forward(self, template: Tensor, size: Tensor) -> Tensor:
        return self.model.embed(_planes(template), size)


class _BoxSearch(nn.Module):
    """Kernel and uint8 (B, S, S, 3) to score (B, H, W), distances, presence (B,) and features."""

    def __init__(self, model: BoxTracker) -> None:
        super().__init__()
        self.model = model

    def forward(self, kernel: Tensor, search: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        head = self.model.head
        features = head.search_neck(self.model.features(_planes(search)))
        logits, distances, presence = head.match(kernel, features)
        return torch.sigmoid(logits[:, 0]), distances, presence[:, 0], features


class _ResponseTemplate(nn.Module):
    """uint8 (B, T, T, 3) to the kernel (B, C, h, w)."""

    def __init__(self, model: SiamFCTracker | Siamese) -> None:
        super().__init__()
        self.model = model

    def forward(self, template: Tensor) -> Tensor:
        images = _planes(template)
        if isinstance(self.model, Siamese):
            return self.model.kernel(images)
        return self.model.embed(images)


class _ResponseSearch(nn.Module):
    """Kernel (B, C, h, w) and uint8 (B, S, S, 3) to the response (B, H, W)."""

    def __init__(self, model: SiamFCTracker | Siamese) -> None:
        super().__init__()
        self.model = model

    def forward(self, kernel: Tensor, search: Tensor) -> Tensor:
        response: Tensor = self.model.respond(kernel, _planes(search))
        return response[:, 0]


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
        checkpoint: `checkpoint.pt` of a run, or a SiamFC checkpoint of another project in one of
            the layouts of `siamtrack.models.convert`.
        out: Folder to write `template.onnx`, `search.onnx` and `card.json` to.
        name: Name of the model; that of the folder by default.
        summary: One sentence for the card.
        trained_on: Data and time, for the card.
        tracker: Settings of the tracker; those that this kind of model starts from otherwise.
        overwrite: Whether an existing card may be replaced.

    Raises:
        WeightsError: If the file is no checkpoint, or one of a kind that cannot track here.
        FileExistsError: If `out` holds a model and `overwrite` is not set.
    """
    out = Path(out)
    if (out / "card.json").exists() and not overwrite:
        raise FileExistsError(f"{out} holds a model: choose another folder, or allow to overwrite")
    model: Network | Siamese
    try:
        checkpoints.read(Path(checkpoint))
    except WeightsError as error:
        model, trained, licence = _foreign(Path(checkpoint), error), "", "that of its project"
        template, search = FOREIGN_SIDES
    else:
        model, config = read_checkpoint(Path(checkpoint))
        trained = f"{config.steps} steps of {config.batch} pairs"
        licence = "Apache-2.0"
        template, search = config.model.template, config.model.search
    out.mkdir(parents=True, exist_ok=True)
    _write_graphs(model, template, search, out)
    sha256 = {
        which: hashlib.sha256((out / f"{which}.onnx").read_bytes()).hexdigest()
        for which in ("template", "search")
    }
    card = Card(
        name=name or out.name,
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
    write_card(out, card)
    return card


def _foreign(path: Path, reason: WeightsError) -> Siamese:
    """Convert a SiamFC of another project."""
    from siamtrack.models.convert import convert

    try:
        model, _ = convert(path)
    except WeightsError as error:
        raise WeightsError(f"{reason}; and of no other project: {error}") from error
    if not isinstance(model.head, SiamFCHead):
        raise WeightsError(
            f"{path} is a {type(model.head).__name__} of another project: trackers here read the "
            "box head and SiamFC's response, so that only SiamFC can be exported"
        )
    return model


def _write_graphs(model: Network | Siamese, template: int, search: int, out: Path) -> None:
    first = torch.zeros(1, template, template, 3, dtype=torch.uint8)
    second = torch.zeros(1, search, search, 3, dtype=torch.uint8)
    if isinstance(model, BoxTracker):
        size = torch.full((1, 2), 0.5)
        with torch.no_grad():
            kernel = model.embed(_planes(first), size)
        _write(
            _BoxTemplate(model), (first, size), out / "template.onnx", ["template", "size"],
            ["kernel"],
        )  # fmt: skip
        outputs = ["score", "distances", "presence", "features"]
        _write(
            _BoxSearch(model), (kernel, second), out / "search.onnx", ["kernel", "search"], outputs
        )
        return
    embed = _ResponseTemplate(model).eval()
    with torch.no_grad():
        kernel = embed(first)
    _write(embed, (first,), out / "template.onnx", ["template"], ["kernel"])
    names = ["kernel", "search"]
    _write(_ResponseSearch(model), (kernel, second), out / "search.onnx", names, ["score"])


def _planes(patches: Tensor) -> Tensor:
    return patches.permute(0, 3, 1, 2).float()


def _write(
    model: nn.Module, inputs: tuple[Tensor, ...], path: Path, names: list[str], outputs: list[str]
) -> None:
    """Export with a free batch size; batch statistics are folded into the convolutions."""
    axes = {name: {0: "batch"} for name in [*names, *outputs]}
    torch.onnx.export(
        model.eval(), inputs, str(path), input_names=names, output_names=outputs,
        dynamic_axes=axes, opset_version=OPSET, dynamo=False,
    )  # fmt: skip
