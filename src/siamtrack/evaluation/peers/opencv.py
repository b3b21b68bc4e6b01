"""OpenCV's own trackers: `opencv:csrt`, `opencv:mil`, `opencv:kcf:detect_thresh=0.05`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
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
    """A tracker of OpenCV on BGR frames and whole pixels, as it wants them.

    Its parameters are OpenCV's defaults but for those given: `kcf:detect_thresh=0.05,resize=0`.

    The score is 1 while it reports success and 0 when it reports failure; then the last box stands.

    Raises:
        UnknownNameError: If OpenCV never had such a tracker.
        SiamtrackError: If the installed OpenCV lacks it; most are in the contrib package. Also if
            it has no such parameter, or the value is no number.
    """

    def __init__(self, source: str, *, threads: int = 0) -> None:
        kind, _, given = source.partition(":")
        if kind.lower() not in NAMES:
            raise UnknownNameError("tracker of OpenCV", kind, NAMES)
        self.name = f"opencv-{source.lower().replace(':', '-')}"
        self._create = _creator(NAMES[kind.lower()], given)
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


def _creator(name: str, given: str) -> Callable[[], Any]:
    """Return what makes a tracker with the parameters given, `name=number,...` or nothing."""
    for place in (cv2, getattr(cv2, "legacy", None)):
        create: Callable[..., Any] | None = getattr(place, f"Tracker{name}_create", None)
        if create is not None:
            return partial(create, _parameters(name, given)) if given else create
    raise SiamtrackError(
        f"OpenCV {cv2.__version__} as installed here has no Tracker{name}: it is in the contrib "
        "package; replace opencv-python-headless by opencv-contrib-python-headless"
    )


def _parameters(name: str, given: str) -> Any:
    """Return OpenCV's parameters of a tracker with some changed.

    Raises:
        SiamtrackError: If a parameter does not exist, or its value is no number.
    """
    values = getattr(cv2, f"Tracker{name}_Params", object)()
    known = [
        field for field in dir(values) if isinstance(getattr(values, field), bool | int | float)
    ]
    for part in given.split(","):
        field, _, text = part.partition("=")
        if field not in known:
            raise SiamtrackError(
                f"OpenCV's {name} has no parameter {field!r}: it has {', '.join(known) or 'none'}"
            )
        try:
            number = float(text)
        except ValueError:
            raise SiamtrackError(
                f"{part!r}: expected a number for OpenCV's {name}, as {field}=0.05"
            ) from None
        setattr(values, field, type(getattr(values, field))(number))
    return values
