"""The network in training as a runtime, so that it can track without being exported."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from siamtrack.frames import Image
from siamtrack.models.tracking import BoxTracker
from siamtrack.runtimes.base import Floats, Response
from siamtrack.settings import SIAMFC, TrackerSettings
from siamtrack.training.objectives import Network
from siamtrack.weights import Card, Model


def default_settings(network: nn.Module) -> TrackerSettings:
    """Return the tracker settings that a kind of network starts from."""
    return TrackerSettings() if isinstance(network, BoxTracker) else SIAMFC


class TorchRuntime:
    """Runs a network in torch.

    Args:
        network: In eval mode.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.device = next(network.parameters()).device

    def embed(self, template: Image, size: Floats) -> Floats:
        """Map template patches (B, T, T, 3), uint8 RGB, and sizes (B, 2) to kernels (B, ...)."""
        images = self._tensor(template)
        with torch.inference_mode():
            if isinstance(self.network, BoxTracker):
                sizes = torch.from_numpy(np.asarray(size, np.float32)).to(self.device)
                return _array(self.network.embed(images, sizes))
            return _array(self.network.embed(images))

    def respond(self, kernel: Floats, search: Image) -> Response:
        """Match kernels (B, ...) with search patches (B, S, S, 3), uint8 RGB, one by one."""
        kernels, images = torch.from_numpy(kernel).to(self.device), self._tensor(search)
        with torch.inference_mode():
            if isinstance(self.network, BoxTracker):
                logits, distances, presence = self.network.respond(kernels, images)
                score = torch.sigmoid(logits[:, 0])
                return Response(_array(score), _array(distances), _array(presence[:, 0]))
            return Response(_array(self.network.respond(kernels, images)[:, 0]))

    def _tensor(self, patches: Image) -> Tensor:
        images = torch.from_numpy(np.ascontiguousarray(patches)).to(self.device)
        return images.permute(0, 3, 1, 2).float()


def live_model(network: Network, weights: Mapping[str, Tensor] | None = None) -> Model:
    """Return a model that `SiamTracker` takes, from a network that need not be exported.

    Args:
        network: It is copied, and not changed.
        weights: State to track with, such as the average; its own otherwise.
    """
    twin = copy.deepcopy(network)
    if weights is not None:
        twin.load_state_dict(dict(weights))
    twin.eval()
    card = Card(
        name="training",
        summary="",
        kind="box" if isinstance(twin, BoxTracker) else "response",
        template=twin.config.template,
        search=twin.config.search,
        stride=twin.backbone.stride,
        sha256={},
        tracker=default_settings(twin),
    )
    return Model(card, TorchRuntime(twin))


def _array(tensor: Tensor) -> Floats:
    return np.asarray(tensor.float().cpu().numpy(), dtype=np.float32)
