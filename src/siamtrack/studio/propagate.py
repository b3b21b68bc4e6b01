"""Propagation in one request, for other programs: boxes in a frame go in, tracks stream out.

`POST /api/propagate` takes JSON and answers JSON Lines, one line a frame, as they are tracked. No
project is made or changed. docs/studio.md has the request and an example.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from siamtrack.core.boundary import FORESEEN, log
from siamtrack.core.config import shown
from siamtrack.core.images import Image
from siamtrack.errors import SiamtrackError
from siamtrack.sinks.base import mask_of
from siamtrack.studio.clip import SeekableClip, open_clip
from siamtrack.studio.library import Models, choose
from siamtrack.studio.request import (
    box_of,
    json_of,
    sessions_of,
    steps_of,
    track_record,
    whole_of,
)
from siamtrack.studio.security import public_message
from siamtrack.studio.timeline import Box, Step
from siamtrack.tracking.tracker import SiamTracker

MOST_TARGETS = 256
AT_ONCE = 2
"""Requests that are worked on at a time; others are told to come again."""
PIECE = 0.05
"""Seconds after which lines are sent, or more where a frame takes longer."""
INDEX_TIMEOUT = 600.0
_free = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True)
class Propagation:
    """What to track.

    Attributes:
        clip: Id of the clip, as `GET /api/studio` lists it.
        frame: Number of the frame that the boxes are in.
        boxes: Id of a target to its box: left, top, width, height in pixels, 0-based.
        steps: 1 forwards, -1 backwards.
        count: Frames in each direction; None: to the end.
        model: Name of the model.
        redetect: Search more of the frame while a target is lost.
        masks: Give tracks their masks.
    """

    clip: str
    frame: int
    boxes: Mapping[int, Box]
    steps: tuple[Step, ...]
    count: int | None
    model: str
    redetect: bool
    masks: bool = False


async def propagate(request: Request) -> Response:
    """Track boxes of one frame through a clip, and stream the tracks.

    Raises:
        ValueError: If something of the request is missing or of another type.
        LookupError: If there is no such clip.
        SiamtrackError: If too many requests are being worked on, or the clip cannot be opened.
    """
    sessions = sessions_of(request)
    order = propagation_of(await json_of(request), sessions.models.names)
    entry = await run_in_threadpool(sessions.library.clip, order.clip)
    if not _free.acquire(blocking=False):
        raise SiamtrackError(f"{AT_ONCE} propagations are under way: ask again when one has ended")
    try:
        clip = await run_in_threadpool(open_clip, entry.path)
        tracker = await run_in_threadpool(_tracker, sessions.models, order)
        await run_in_threadpool(clip.wait, INDEX_TIMEOUT)
        if not order.frame < clip.total:
            clip.close()
            raise ValueError(f"frame {order.frame}: the clip has frames 0 to {clip.total - 1}")
    except BaseException:
        _free.release()
        raise
    pieces = _pieces(clip, tracker, order)
    await run_in_threadpool(next, pieces)  # begun, it tidies up however it ends
    return StreamingResponse(pieces, media_type="application/x-ndjson")


def propagation_of(values: Mapping[str, Any], models: list[str]) -> Propagation:
    """Read a request.

    Raises:
        ValueError: If something of it is missing or of another type.
    """
    known = {"clip", "frame", "boxes", "direction", "count", "model", "redetect", "masks"}
    if more := sorted(values.keys() - known):
        raise ValueError(f"{shown(more[0])}: expected {', '.join(sorted(known))}")
    clip, boxes, count = values.get("clip"), values.get("boxes"), values.get("count")
    if not isinstance(clip, str):
        raise ValueError(f"clip {shown(clip)}: expected the id of a clip")
    if count is not None and whole_of(values, "count") == 0:
        raise ValueError("count 0: expected a number of frames, or null for all")
    if not isinstance(boxes, list) or not 0 < len(boxes) <= MOST_TARGETS:
        raise ValueError(f"boxes: expected a list of 1 to {MOST_TARGETS} boxes")
    return Propagation(
        clip,
        whole_of(values, "frame"),
        dict(enumerate(map(box_of, boxes))),
        steps_of(values),
        count,
        choose(values.get("model"), models),
        values.get("redetect", True) is True,
        values.get("masks") is True,
    )


def _tracker(models: Models, order: Propagation) -> SiamTracker:
    outliner = models.outliner() if order.masks else None
    return SiamTracker(models(order.model), redetect=order.redetect, outliner=outliner)


def _pieces(clip: SeekableClip, tracker: SiamTracker, order: Propagation) -> Iterator[bytes]:
    """Yield lines, some at a time: each piece costs a change of threads."""
    waiting: list[bytes] = []
    sent = time.monotonic()
    try:
        yield b""
        for line in _lines(clip, tracker, order):
            waiting.append(json.dumps(line).encode() + b"\n")
            if time.monotonic() - sent >= PIECE:
                yield b"".join(waiting)
                waiting.clear()
                sent = time.monotonic()
        yield b"".join(waiting)
    finally:
        clip.close()
        _free.release()


def _lines(
    clip: SeekableClip, tracker: SiamTracker, order: Propagation
) -> Iterator[dict[str, Any]]:
    """Yield what is found in each frame; an error is the last line."""
    try:
        for step in order.steps:
            yield from _direction(clip, tracker, order, step)
        yield {"done": True}
    except Exception as error:
        if not isinstance(error, FORESEEN):
            log(error)
        yield {"error": public_message(error)}


def _direction(
    clip: SeekableClip, tracker: SiamTracker, order: Propagation, step: int
) -> Iterator[dict[str, Any]]:
    tracker.clear()
    end = clip.total if step > 0 else -1
    if order.count is not None:
        bound = order.frame + step * (order.count + 1)
        end = min(end, bound) if step > 0 else max(end, bound)
    frames = range(order.frame, end, step)
    for index, image in _ahead(clip, frames, backwards=step < 0):
        if index == order.frame:
            for number, box in order.boxes.items():
                tracker.add(image, box, number)
            continue
        tracks = []
        for track in tracker.update_all(image):
            mask = mask_of(track)
            tracks.append(track_record(track) | ({} if mask is None else {"mask": mask.rle()}))
        yield {"frame": index, "tracks": tracks}


def _ahead(clip: SeekableClip, frames: range, *, backwards: bool) -> Iterator[tuple[int, Image]]:
    """Yield frames; the next one is decoded in a thread while one is worked on."""
    read = clip.reader()
    with ThreadPoolExecutor(1, "siamtrack-read") as pool:
        coming: Future[Image] | None = None
        for place, index in enumerate(frames):
            current = coming or pool.submit(read, index, backwards)
            image = current.result()
            last = place + 1 == len(frames)
            coming = None if last else pool.submit(read, frames[place + 1], backwards)
            yield index, image
