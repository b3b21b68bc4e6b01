"""A tracking network as one `.safetensors` file: weights, and its structure as JSON.

Nothing in such a file is ever run, unlike in a pickle, in TorchScript and in torch.export's `.pt2`,
which `torch.export.load` unpickles.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from safetensors.torch import load, save
from torch import Tensor

from siamtrack.core.config import from_dict, parse_json, to_dict
from siamtrack.errors import WeightsError
from siamtrack.models.convert import convert
from siamtrack.models.network import BoxTrackerConfig, Network, SiamFCConfig, build_network

STRUCTURE = "structure"
"""Key of the JSON in the file's metadata. Files without it are of another project."""


def to_bytes(network: Network, original: Mapping[str, Tensor] | None = None) -> bytes:
    """Return the file of a network.

    One of another project needs the tensors that it was converted from, which tell its structure.

    Raises:
        ValueError: If such a network comes without them.
    """
    if network.config is None:
        if original is None:
            raise ValueError(
                "a network of another project: expected the tensors that it was converted from"
            )
        return bytes(save({name: value.contiguous() for name, value in original.items()}))
    state = _without_companion(network.state_dict())
    weights = {name: value.cpu().contiguous() for name, value in state.items()}
    return bytes(save(weights, {STRUCTURE: json.dumps(to_dict(network.config))}))


def from_bytes(data: bytes, where: str) -> Network:
    """Build the network of a file of `to_bytes`, in eval mode; `where` names the file in messages.

    Raises:
        WeightsError: If it is no such file.
    """
    try:
        state = load(data)
        structure = _metadata(data).get(STRUCTURE)
        if structure is None:
            return convert(state)[0]
        network = _build(parse_json(structure))
        network.load_state_dict(_without_companion(state))
    except Exception as error:  # safetensors, JSON and torch each have their own
        raise WeightsError(f"{where} holds no network ({error}); export the model again") from error
    return network.eval()


def _without_companion(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Leave out the second head, which only training uses; files of version 0.1 may have it."""
    return {name: value for name, value in state.items() if not name.startswith("companion.")}


def _metadata(data: bytes) -> Mapping[str, Any]:
    """Read the JSON at the head of the file, whose length are its first eight bytes."""
    end = 8 + int.from_bytes(data[:8], "little")
    found: Mapping[str, Any] = parse_json(data[8:end]).get("__metadata__", {})
    return found


def _build(structure: Any) -> Network:
    if not isinstance(structure, Mapping):
        raise TypeError(f"its structure is {type(structure).__name__}, not an object")
    form = SiamFCConfig if structure.get("kind") == "siamfc" else BoxTrackerConfig
    return build_network(from_dict(form, structure))
