"""The network in training as a model, so that it can track without being exported."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from torch import Tensor, nn

from siamtrack.core.settings import SIAMFC, TrackerSettings
from siamtrack.models.tracking import BoxTracker
from siamtrack.packages.card import Card, Model
from siamtrack.runtimes.torch import TorchRuntime
from siamtrack.training.objectives import Network


def default_settings(network: nn.Module) -> TrackerSettings:
    """Return the tracker settings that a kind of network starts from."""
    return TrackerSettings() if isinstance(network, BoxTracker) else SIAMFC


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
