"""The network in training as a model, so that it can track without being exported."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from torch import Tensor

from siamtrack.models.network import Network
from siamtrack.packages.card import Model
from siamtrack.packages.write import card_of
from siamtrack.runtimes.torch import TorchRuntime


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
    return Model(card_of(twin, "training"), TorchRuntime(twin))
