"""OpenCV's own trackers by name: `opencv:csrt`, `opencv:kcf`, `opencv:mil`, `opencv:medianflow`."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike

from siamtrack.core.boxes import Array
from siamtrack.core.images import Image
from siamtrack.errors import SiamtrackError, UnknownNameError
from siamtrack.evaluation.peers.base import PEERS, Seen

NAMES = {
    "boosting": "Boosting",
    "csrt": "CSRT",
    "kcf": "KCF",
    "medianflow": "MedianFlow",
    "mil": "MIL",
    "mosse": "MOSSE",
    "tld": "TLD",
}


@PEERS.register("opencv")
class OpenCVPeer:
    """A tracker of OpenCV with its default parameters, on BGR frames and whole pixels as it wants.

    The score is 1 while it reports success and 0 when it reports failure; then the last box stands.

    Raises:
        UnknownNameError: If OpenCV never had such a tracker.
        SiamtrackError: If the installed OpenCV lacks it; most are in the contrib package.
    """

    def __init__(self, source: str, *, threads: int = 0) -> None:
        if source.lower() not in NAMES:
            raise UnknownNameError("tracker of OpenCV", source, NAMES)
        self.name = f"opencv-{source.lower()}"
        self._create = _creator(NAMES[source.lower()])
        if threads:
            cv2.setNumThreads(threads)

    def init(self, frame: Image, box: ArrayLike) -> None:
        """Start on a box."""
        self._box: Array = np.array(box, np.float64)
        self._tracker = self._create()
        whole = tuple(int(value) for value in np.rint(self._box))
        self._tracker.init(np.ascontiguousarray(frame[..., ::-1]), whole)

    def update(self, frame: Image) -> Seen:
        """Find the target."""
        good, box = self._tracker.update(np.ascontiguousarray(frame[..., ::-1]))
        if good:
            self._box = np.array(box, np.float64)
        return Seen(self._box.copy(), float(good))


def _creator(name: str) -> Any:
    for place in (cv2, getattr(cv2, "legacy", None)):
        create = getattr(place, f"Tracker{name}_create", None)
        if create is not None:
            return create
    raise SiamtrackError(
        f"OpenCV {cv2.__version__} as installed here has no Tracker{name}: it is in the contrib "
        "package; replace opencv-python-headless by opencv-contrib-python-headless"
    )
