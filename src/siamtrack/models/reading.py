"""Reading what `torch.save` wrote, without running anything and without unpacking bombs."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch


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
