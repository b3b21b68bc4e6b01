"""Our trackers, and all that `open_tracker` makes, for programs that speak TraX.

`python -m siamtrack.evaluation.trax_server lite` is the command to give to such a program: the VOT
toolkit for instance runs it through its own protocol. Frames are files, regions rectangles or
polygons, of which the axis-aligned box is followed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

import numpy as np

from siamtrack.core.boxes import Array
from siamtrack.core.tracks import Tracker, TrackerFactory
from siamtrack.data.sequence import read_image
from siamtrack.evaluation.peers.trax import Message, parse, path_of, region_box
from siamtrack.evaluation.trackers import open_tracker
from siamtrack.packages.card import DEFAULT

HELLO = {
    "trax.version": "4",
    "trax.description": "siamtrack",
    "trax.family": "siamese",
    "trax.region": "rectangle;polygon;",
    "trax.image": "path;",
    "trax.channels": "color;",
    "trax.multiobject": "1",
}


def serve(factory: TrackerFactory, name: str, lines: Iterable[str], out: TextIO) -> None:
    """Answer the messages of a client until it quits or the input ends.

    A client of TraX 4 sends `initialize` with a region for each object, then the frame; an older
    one sends frame and region together and expects an answer to that. Both are understood.

    Args:
        factory: Makes a tracker for each object.
        name: How the tracker introduces itself.
        lines: What the client writes.
        out: Where answers go: one `state` per object and frame.

    Raises:
        ValueError: If a region is neither a rectangle nor a polygon.
        DatasetError: If a frame cannot be read.
    """
    _say(out, Message("hello", [], {"trax.name": name, **HELLO}))
    trackers: list[Tracker] = []
    new: list[Array] = []
    for line in lines:
        message = parse(line)
        if message is None:
            continue
        if message.kind == "quit":
            return
        if message.kind == "initialize":
            if not new:
                trackers = []
            new.append(region_box(message.arguments[-1]))
            if len(message.arguments) < 2:
                continue
        frame = read_image(Path(path_of(message.arguments[0])))
        if new:
            for box in new:
                trackers.append(factory())
                trackers[-1].init(frame, box)
                _say(out, Message("state", [_text(box)], {"confidence": "1"}))
            new = []
            continue
        for tracker in trackers:
            seen = tracker.update(frame)
            score = f"{float(seen.score):.6f}"
            _say(out, Message("state", [_text(np.asarray(seen.box))], {"confidence": score}))


def _text(box: Array) -> str:
    return ",".join(f"{value:.4f}" for value in box)


def _say(out: TextIO, message: Message) -> None:
    out.write(message.line() + "\n")
    out.flush()


def main() -> None:
    """Serve the tracker named by the first argument."""
    name, factory = open_tracker(sys.argv[1] if len(sys.argv) > 1 else DEFAULT)
    serve(factory, name, sys.stdin, sys.stdout)


if __name__ == "__main__":
    main()
