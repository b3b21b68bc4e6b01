"""The two halves of a tracking network: what runs once a target, and what runs in each frame.

They are what is exported and what the torch runtime runs, with names and shapes as in
`siamtrack.runtimes.base.Graphs`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from siamtrack.models.siamese import Siamese
from siamtrack.models.siamfc import SiamFCTracker
from siamtrack.models.tracking import BoxTracker

Trackable = BoxTracker | SiamFCTracker | Siamese
"""Networks that trackers here can use; a `Siamese` with SiamFC's head."""
FOREIGN_SIDES = (127, 255)
"""Sides of template and search patches of SiamFC in the projects that we convert from."""


@dataclass(frozen=True)
class Half:
    """One half.

    Attributes:
        module: Takes the inputs in their order and returns one tensor, or a tuple of all outputs.
        inputs: Names.
        outputs: Names.
        example: Inputs of a batch of one.
    """

    module: nn.Module
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    example: tuple[Tensor, ...]


def split(network: Trackable) -> tuple[Half, Half]:
    """Return the half for templates and the half for search patches, in eval mode.

    The halves share the weights of `network`, and live where it does.
    """
    box = isinstance(network, BoxTracker)
    device = next(network.parameters()).device
    sides = sides_of(network)
    first, second = (torch.zeros(1, s, s, 3, dtype=torch.uint8, device=device) for s in sides)
    embed: nn.Module
    search: nn.Module
    given: tuple[Tensor, ...]
    if isinstance(network, BoxTracker):
        embed, search = _BoxTemplate(network).eval(), _BoxSearch(network).eval()
        given = (first, torch.full((1, 2), 0.5, device=device))
    else:
        embed, search = _ResponseTemplate(network).eval(), _ResponseSearch(network).eval()
        given = (first,)
    with torch.no_grad():
        kernel = embed(*given)
    outputs = ("score", "distances", "presence", "features") if box else ("score",)
    return (
        Half(embed, ("template", "size")[: len(given)], ("kernel",), given),
        Half(search, ("kernel", "search"), outputs, (kernel, second)),
    )


def sides_of(network: Trackable) -> tuple[int, int]:
    """Return the sides of template and search patches in pixels."""
    if isinstance(network, Siamese):
        return FOREIGN_SIDES
    return network.config.template, network.config.search


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
        logits, distances, presence = head.match(kernel, features)[:3]
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


def _planes(patches: Tensor) -> Tensor:
    return patches.permute(0, 3, 1, 2).float()
