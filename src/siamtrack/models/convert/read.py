"""Read tensors, and nothing but tensors, from a checkpoint file: nothing in it is ever run."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from siamtrack.errors import WeightsError

INSIDE = ("state_dict", "model_state_dict", "model")  # where checkpoints keep their weights
PREFIX = "module."  # put before every name by torch's wrappers for several GPUs


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """Read the weights of a `.safetensors` file or of a file written by `torch.save`.

    No code in the file is run: one that holds other objects than tensors, numbers and containers
    is refused.

    Args:
        path: The file.

    Returns:
        Tensors by name, on the CPU, without the prefix of a parallel wrapper.

    Raises:
        WeightsError: If the file is missing, cut off or otherwise damaged, holds other objects, or
            holds no tensors.
    """
    file = Path(path)
    if not file.is_file():
        raise WeightsError(f"{file}: no such file")
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return state_of(load_file(file), str(file))
        return state_of(load_tensors(file), str(file))
    except UnpicklingError as error:
        raise WeightsError(
            f"{file} is damaged or no checkpoint, or it holds Python objects other than tensors, "
            "which loading would run as code: where you trust it, save its state dict alone"
        ) from error
    except WeightsError:
        raise
    except Exception as error:  # torch, zipfile and safetensors each have their own
        reason = str(error).split("\n")[0] or type(error).__name__
        raise WeightsError(f"{file} is damaged or no checkpoint ({reason})") from error


def state_of(content: Any, where: str = "the checkpoint") -> dict[str, Tensor]:
    """Find the state dict in what a checkpoint holds: itself, or its `state_dict` or `model`.

    Raises:
        WeightsError: If there is none in it, or a value in it is not finite; it names `where`.
    """
    for key in INSIDE:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"{where} holds no state dict: expected tensors by name")
    state = {}
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise WeightsError(
                f"{where} holds no state dict: {name!r} is {type(value).__name__}, not a tensor"
            )
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise WeightsError(f"{where}: {name} holds values that are not finite")
        state[name] = value
    if all(name.startswith(PREFIX) for name in state):
        state = {name[len(PREFIX) :]: value for name, value in state.items()}
    return state


def load_tensors(path: Path) -> Any:
    """Return the tensors, numbers and containers in a file of `torch.save`, on the CPU.

    `torch.save` stores and never compresses, so that nothing in a file is larger than the file; a
    file with compressed parts is of another hand and could fill the memory.

    Raises:
        UnpicklingError: If the file holds other objects, which loading would run as code.
        ValueError: If parts of it are compressed.
        Exception: Whatever torch raises on damaged files.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for part in archive.infolist():
                if part.compress_type != zipfile.ZIP_STORED:
                    raise ValueError(
                        f"{part.filename} is compressed, as torch.save never writes it"
                    )
    with warnings.catch_warnings():
        # what it cannot read it refuses, so that there is nothing to warn of
        warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
        return torch.load(path, map_location="cpu", weights_only=True)
