"""The moving average of a network's weights, which is what gets exported.

Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992,
https://doi.org/10.1137/0330046
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def copy_of(model: nn.Module) -> dict[str, Tensor]:
    """Return a copy of a network's state."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def update_average(average: dict[str, Tensor], model: nn.Module, decay: float) -> None:
    """Move every floating tensor of `average` a share of 1 - decay towards the network's."""
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                average[name].lerp_(value, 1 - decay)
            else:
                average[name].copy_(value)
