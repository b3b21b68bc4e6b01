"""Which trackers run: those asked for, or all that are installed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from siamtrack.core.tracks import Tracker
from siamtrack.errors import SiamtrackError
from siamtrack.evaluation import open_tracker
from siamtrack.packages.card import packaged_names

OPENCV = ("opencv:kcf", "opencv:csrt", "opencv:mil")
PEERS = {
    "nanotrack-v2": "nanotrack_v2",
    "nanotrack-v3": "nanotrack_v3",
    "fear-xs": "fear_xs",
    "lightfc": "lightfc",
    "vittrack": "vittrack",
}
"""Tracker to the folder in which its ONNX files are looked for."""


@dataclass(frozen=True)
class Chosen:
    """Trackers by name, how each is called on the command line, and what is missing."""

    trackers: dict[str, Tracker]
    specs: dict[str, str]
    skipped: tuple[str, ...]


def choose(asked: Sequence[str], peers: Path | None, threads: int) -> Chosen:
    """Make the trackers.

    Args:
        asked: As `siamtrack eval --tracker` takes them. If empty: the models in the package, and
            those of OpenCV's trackers that are installed.
        peers: Folder with the ONNX files of other trackers, each in a folder of its own.
        threads: Threads of each tracker's engine.

    Raises:
        UnknownNameError: If no tracker has a name that was asked for.
        SiamtrackError: If one that was asked for lacks a file or package.
        ValueError: If two have the same name.
    """
    trackers: dict[str, Tracker] = {}
    specs: dict[str, str] = {}
    skipped = []
    optional = [] if asked else list(OPENCV)
    if peers is not None:
        if not peers.is_dir():
            raise ValueError(f"{peers}: no such folder; it holds {', '.join(PEERS.values())}")
        optional += [f"{kind}:{peers / folder}" for kind, folder in PEERS.items()]
    for spec in [*(asked or packaged_names()), *optional]:
        name, make = open_tracker(spec, threads=threads)
        if name in trackers:
            raise ValueError(f"two trackers are called {name!r}: put NAME= in front of one")
        try:
            trackers[name], specs[name] = make(), spec
        except SiamtrackError as reason:
            if spec not in optional:
                raise
            skipped.append(f"{spec}: {reason}")
    return Chosen(trackers, specs, tuple(skipped))
