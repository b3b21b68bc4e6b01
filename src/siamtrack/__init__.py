"""Siamese visual object tracking: draw one box, follow the object, on an ordinary CPU.

Example:
    >>> import siamtrack
    >>> tracker = siamtrack.load()
    >>> sorted(name for name in siamtrack.__all__ if name.islower())
    ['evaluate', 'export', 'load', 'model_names', 'open_dataset', 'open_video', 'track', 'train']
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from siamtrack._moved import install

# ONNX Runtime from 1.29 on reports models and machine to its makers, unless this is set before it
# is imported; who wants that sets it to 0
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

install()  # import paths of earlier versions

if TYPE_CHECKING:
    from siamtrack.api import load, track
    from siamtrack.core.settings import TrackerSettings
    from siamtrack.core.tracks import Track, Tracker, TrackState
    from siamtrack.data import open_dataset
    from siamtrack.evaluation import evaluate
    from siamtrack.interop.opencv import OpenCVTracker
    from siamtrack.packages.card import model_names
    from siamtrack.tracking.tracker import SiamTracker
    from siamtrack.training import train
    from siamtrack.training.checkpoint import export
    from siamtrack.video import open_video

__version__ = "0.1.0"

# public name -> module: imported when first used, so that `import siamtrack` is quick and free of
# torch
_WHERE = {
    "OpenCVTracker": "interop.opencv",
    "SiamTracker": "tracking.tracker",
    "Track": "core.tracks",
    "TrackState": "core.tracks",
    "Tracker": "core.tracks",
    "TrackerSettings": "core.settings",
    "evaluate": "evaluation",
    "export": "training.checkpoint",
    "load": "api",
    "model_names": "packages.card",
    "open_dataset": "data",
    "open_video": "video",
    "track": "api",
    "train": "training",
}

__all__ = [
    "OpenCVTracker",
    "SiamTracker",
    "Track",
    "TrackState",
    "Tracker",
    "TrackerSettings",
    "evaluate",
    "export",
    "load",
    "model_names",
    "open_dataset",
    "open_video",
    "track",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'siamtrack' has no attribute {name!r}")
    try:
        value = getattr(import_module(f"siamtrack.{_WHERE[name]}"), name)
    except ModuleNotFoundError as error:
        from siamtrack.core.boundary import missing_extra

        if (missing := missing_extra(error)) is not None:
            raise missing from error
        raise
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE])
