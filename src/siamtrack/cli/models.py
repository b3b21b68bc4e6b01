"""`siamtrack models`: what there is, how large, how good, trained on what."""

from __future__ import annotations

import json
from dataclasses import dataclass

from siamtrack.config import to_dict
from siamtrack.weights import (
    DEFAULT,
    model_files,
    model_folder,
    model_names,
    read_card,
    read_graphs,
)


@dataclass(frozen=True)
class Models:
    """List the models with size, sha256, training data and measured scores."""

    json: bool = False
    """Print JSON."""

    def run(self) -> None:
        """Print one entry for each model, after its files were verified."""
        entries = []
        for name in model_names():
            folder = model_folder(name)
            card = read_card(folder)
            read_graphs(folder, card)
            size = sum((folder / file).stat().st_size for file in model_files(card))
            entries.append((card, size))
        if self.json:
            print(json.dumps([to_dict(card) | {"bytes": size} for card, size in entries]))
            return
        for card, size in entries:
            mark = " (default)" if card.name == DEFAULT else ""
            print(f"{card.name}{mark}: {card.summary}")
            print(
                f"  {size / 1e6:.1f} MB, {card.licence}, patches {card.template}/{card.search} px"
            )
            print(f"  trained on {card.trained_on}")
            for what, value in card.scores.items():
                print(f"  {what}: {value:g}")
            for file, digest in zip(model_files(card), card.sha256.values(), strict=True):
                print(f"  sha256 {file} {digest}")
