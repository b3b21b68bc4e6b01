"""What the browser's tracker takes from the Python package: cards, settings and constants, as JSON.

python web/constants.py OUT copies the graphs of every packaged model with a box head to
OUT/models/NAME and prints the JSON, with the size and hash of each file. `make web` calls it, so
that nothing of this is written down a second time.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnxruntime

from siamtrack import __version__
from siamtrack.core import boxes
from siamtrack.packages.card import GRAPHS, Card, model_folder, packaged_names, read_card
from siamtrack.sinks.draw import color
from siamtrack.tracking import decode, online, target, templates

COLORS = 12
KINDS = ("box",)
"""Kinds of model that the port of the decoder reads."""
CONSTANTS = {
    boxes: ("LEAST",),
    decode: ("EXTRA_WINDOWS", "OVERLAP"),
    online: ("OWN", "TRUE", "CLEAR"),
    target: ("FIRST_LOOKS", "FIRST_PACE", "FASTER", "SLOWER", "TURN", "MOST", "KNOWN_AFTER"),
    templates: ("UNFAMILIAR",),
}
"""Module to the names of the constants that the port shares with it."""


def runs(card: Card) -> bool:
    """Return whether the port tracks with a model.

    It reads one box a cell, and has no refiner.
    """
    if card.kind not in KINDS or card.tracker.refine.on:
        return False
    graph = onnxruntime.InferenceSession(str(model_folder(card.name) / "search.onnx"))
    (score,) = (output for output in graph.get_outputs() if output.name == "score")
    return len(score.shape) == 3


def constants() -> dict[str, Any]:
    """Return version, constants and models, with the settings of each in full."""
    shared = {name: getattr(module, name) for module, names in CONSTANTS.items() for name in names}
    every = {name: read_card(model_folder(name)) for name in packaged_names()}
    cards = {name: card for name, card in every.items() if runs(card)}
    return {
        "version": __version__,
        "default": next(iter(cards)),
        "constants": shared,
        "colors": [f"#{bytes(color(number)).hex()}" for number in range(COLORS)],
        "models": {
            name: {
                **{key: getattr(card, key) for key in ("name", "kind", "template", "search")},
                "stride": card.stride,
                "tracker": asdict(card.tracker),
                "files": {
                    which: described(model_folder(name) / f"{which}.onnx") for which in GRAPHS
                },
            }
            for name, card in cards.items()
        },
    }


def described(file: Path) -> dict[str, Any]:
    """Return size and hash of a file."""
    data = file.read_bytes()
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def main(out: Path) -> None:
    """Copy the graphs and print the JSON."""
    found = constants()
    for name in found["models"]:
        folder = out / "models" / name
        folder.mkdir(parents=True, exist_ok=True)
        for which in GRAPHS:
            shutil.copyfile(model_folder(name) / f"{which}.onnx", folder / f"{which}.onnx")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
