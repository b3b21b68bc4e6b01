"""Writing model folders: graphs, their hashes and the card together, or nothing of them.

Every folder with a card is written here, by `writing`: exports, copies, and what is added to a
model, such as a graph in int8 or a further format.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from siamtrack.core.config import to_dict
from siamtrack.core.settings import TrackerSettings
from siamtrack.core.writing import check_outputs, write_together, write_whole
from siamtrack.errors import WeightsError
from siamtrack.packages.card import CARD, Card, file_key, model_files, read_file

if TYPE_CHECKING:
    from siamtrack.models.network import Network


@dataclass
class Draft:
    """A model's folder while it is written.

    Its card has hashes only after `writing` has ended; files are in the order of the card.
    """

    folder: Path
    card: Card
    files: dict[str, None] = field(default_factory=dict)

    def add(self, *names: str) -> None:
        """Take files that were written into the folder as files of the model."""
        self.files.update(dict.fromkeys(names))

    def put(self, name: str, data: bytes) -> None:
        """Write a file of the model, in place of one that is there."""
        (self.folder / name).write_bytes(data)
        self.add(name)


@contextmanager
def writing(
    out: str | Path, card: Card, source: Path | None = None, inputs: Iterable[Path] = ()
) -> Iterator[Draft]:
    """Give the draft of a model's folder; after the block it is at `out` as a whole.

    If the block fails, or the disk is full, `out` stays what it was. Files there that the draft
    does not have are kept; with `source`, a model's folder, the draft begins with its files.
    None of the model's files may replace one of `inputs`.

    Raises:
        ValueError: If one of the files would replace one of `inputs`.
        OSError: If a file cannot be written.
        WeightsError: If a file of `source` is missing or altered.
    """
    with write_together(Path(out), CARD) as folder:
        draft = Draft(folder, card)
        if source is not None:
            for name in model_files(card):
                draft.put(name, read_file(source, card, name))
        yield draft
        check_outputs([Path(out) / name for name in (CARD, *draft.files)], inputs)
        hashes = {
            file_key(name): hashlib.sha256((folder / name).read_bytes()).hexdigest()
            for name in draft.files
        }
        draft.card = replace(draft.card, sha256=hashes)
        write_card(folder, draft.card)


def write_card(folder: Path, card: Card) -> None:
    """Write `card.json` into a model's folder; its files stay as they are."""
    text = json.dumps(to_dict(card), indent=2) + "\n"
    write_whole(folder / CARD, text.encode())


def card_of(network: Network, name: str, tracker: TrackerSettings | None = None) -> Card:
    """Return the card of a network, without files, with the settings of its head by default.

    Raises:
        WeightsError: If no tracker here reads what the head answers.
    """
    head = network.own_head
    if not head.kind:
        raise WeightsError(
            f"a network with {type(head).__name__}: trackers here read boxes and response maps, so "
            "that only networks with such a head can be exported"
        )
    template, search = network.sides
    return Card(
        name=name,
        summary="",
        kind=head.kind,
        template=template,
        search=search,
        stride=network.backbone.stride,
        sha256={},
        tracker=tracker or head.settings,
    )
