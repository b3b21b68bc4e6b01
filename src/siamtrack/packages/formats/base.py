"""What a format is, the registry of all of them, and how one is added to a model's folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from siamtrack.core.registry import Registry
from siamtrack.errors import WeightsError
from siamtrack.packages.card import Card, read_card, write_card

if TYPE_CHECKING:
    from siamtrack.models.export_graphs import Trackable


@dataclass(frozen=True)
class Source:
    """What a format is made from.

    Attributes:
        folder: The model's folder, with its ONNX graphs and its card.
        network: The network; None where the model was copied from another folder.
        original: Tensors of another project's checkpoint, if it comes from one.
        batch: The only batch size that the graphs take; None if they take any.
    """

    folder: Path
    network: Trackable | None = None
    original: Mapping[str, Any] | None = None
    batch: int | None = None


class Format(Protocol):
    """Writes a model's graphs in one more format.

    Attributes:
        needs_network: Whether it is made from the network, and not from the ONNX graphs.
    """

    needs_network: bool

    def check(self) -> None:
        """Raise `MissingExtraError` if what it needs is not installed."""
        ...

    def write(self, source: Source) -> list[str]:
        """Write into the folder and return the names of the files."""
        ...


FORMATS: Registry[Format] = Registry("export format", "siamtrack.export_formats")
"""Formats beside ONNX, which every model has."""


def check_formats(names: Sequence[str], *, network: bool) -> None:
    """Refuse formats that cannot be written here, before anything is.

    Args:
        names: Names of formats.
        network: Whether there is a network, and not only the graphs of one.

    Raises:
        UnknownNameError: If there is no such format.
        MissingExtraError: If what it needs is not installed.
        WeightsError: If the format needs the network, and there is none.
    """
    for name in names:
        FORMATS[name].check()
        if FORMATS[name].needs_network and not network:
            raise WeightsError(
                f"format {name!r} is made from the network, and a model's folder has only its "
                "graphs: export the checkpoint instead"
            )


def add_formats(source: Source, names: Sequence[str]) -> Card:
    """Write a model in further formats and name the files in its card.

    Raises:
        UnknownNameError, MissingExtraError, WeightsError: As `check_formats`.
    """
    check_formats(names, network=source.network is not None)
    card = read_card(source.folder)
    for name in names:
        files = FORMATS[name].write(source)
        hashes = {f: hashlib.sha256((source.folder / f).read_bytes()).hexdigest() for f in files}
        card = replace(card, sha256=card.sha256 | hashes)
        write_card(source.folder, card)
    return card
