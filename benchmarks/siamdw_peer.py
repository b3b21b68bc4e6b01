"""SiamDW's tracker, run from a clone that the user has: github.com/researchmm/SiamDW (MIT).

Its own code tracks, unchanged; nothing of it is here. Two things stand in for what it expects of
the machine: without CUDA, `.cuda()` leaves a tensor where it is, and `shapely`, which its helpers
import for evaluation alone, may be missing. Weights are random, with a fixed seed: what is asked
here is whether odd input ends in an error, a crash or in silence, and not how well it tracks.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np


class SiamDWTracker:
    """SiamFC on CIResNet-22 of a clone, in the shape of OpenCV's trackers.

    Args:
        clone: Folder of the repository.
    """

    def __init__(self, clone: Path) -> None:
        import torch

        if not (clone / "lib" / "tracker" / "siamfc.py").is_file():
            raise SystemExit(f"{clone} is no clone of SiamDW: it has no lib/tracker/siamfc.py")
        sys.path.insert(0, str(clone / "lib"))
        if not torch.cuda.is_available():
            torch.Tensor.cuda = lambda tensor, *_, **__: tensor
        try:
            import shapely.geometry  # noqa: F401
        except ImportError:
            stand_in: Any = ModuleType("shapely.geometry")
            stand_in.Polygon = stand_in.box = None
            sys.modules["shapely"] = ModuleType("shapely")
            sys.modules["shapely.geometry"] = stand_in
        from models.models import SiamFCRes22
        from tracker.siamfc import SiamFC

        torch.manual_seed(0)
        torch.set_num_threads(1)
        torch.set_grad_enabled(False)
        self._net = SiamFCRes22().eval()
        # its settings for one data set are read from files; for epoch tests it has its defaults
        self._tracker = SiamFC(SimpleNamespace(epoch_test=True))
        self._state: dict[str, Any] = {}

    def init(self, frame: Any, box: Any) -> None:
        """Start on left, top, width, height."""
        left, top, width, height = box
        center, size = np.array([left + width / 2, top + height / 2]), np.array([width, height])
        self._state = self._tracker.init(frame, center, size, self._net)

    def update(self, frame: Any) -> tuple[bool, list[float]]:
        """Find the target; it has no way to say that it did not."""
        self._state = self._tracker.track(self._state, frame)
        (x, y), (width, height) = self._state["target_pos"], self._state["target_sz"]
        return True, [float(v) for v in (x - width / 2, y - height / 2, width, height)]
