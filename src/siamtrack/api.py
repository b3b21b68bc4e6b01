"""The two functions that most programs need: `load` and `track`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from pathlib import Path
from typing import Literal

from numpy.typing import ArrayLike

from siamtrack.core.boundary import surface
from siamtrack.core.tracks import Track
from siamtrack.packages.card import DEFAULT, Precision, load_model
from siamtrack.runtimes import AUTO
from siamtrack.tracking.follow import follow
from siamtrack.tracking.outline import load_outliner
from siamtrack.tracking.tracker import SiamTracker
from siamtrack.video import Frame, Source, VideoSource


@surface
def load(
    name: str | Path = DEFAULT,
    *,
    runtime: str = AUTO,
    threads: int = 0,
    precision: Precision = "auto",
    redetect: bool = False,
    moving_camera: bool = False,
    masks: bool | Literal["fine"] = False,
) -> SiamTracker:
    """Load a tracker.

    Args:
        name: One of `siamtrack.model_names()`, or a folder that `siamtrack export` wrote.
        runtime: Engine that runs the network: `auto`, which is `onnx` or an installed one that is
            faster here and answers alike; `openvino`, `openvino-bf16`, `torch` and others of
            docs/runtimes.md, which need extras.
        threads: Threads of the engine; 0 lets it choose.
        precision: `float32`, `int8`, or `auto`: int8 where the model has it and this processor
            computes it exactly.
        redetect: Search more of the frame while a target is lost.
        moving_camera: Look for each target where the motion of the whole frame carries it; for
            cameras that shake.
        masks: Give tracks the pixels of their target: `Track.mask` and `Track.rotated`. `fine`
            refines them at the frame's resolution, and takes about three times as long.

    Raises:
        UnknownNameError: If there is no such model or runtime.
        MissingExtraError: If the runtime is not installed; the message says how to install it.
        ValueError: If `threads` is no number of threads, or the runtime's device is missing.
        WeightsError: If the model's files are missing, altered or damaged.

    Example:
        >>> load().name
        'base'
        >>> load("litte")
        Traceback (most recent call last):
        siamtrack.errors.UnknownNameError: unknown model 'litte': did you mean 'lite'? Known: lite
    """
    model = load_model(name, runtime=runtime, threads=threads, precision=precision)
    outliner = load_outliner(threads=threads, fine=masks == "fine") if masks else None
    return SiamTracker(model, redetect=redetect, moving_camera=moving_camera, outliner=outliner)


@surface
def track(
    source: Source | VideoSource,
    box: ArrayLike | None = None,
    *,
    boxes: Mapping[int, ArrayLike] | None = None,
    tracker: SiamTracker | None = None,
    start: int = 0,
    end: int | None = None,
    stride: int = 1,
    masks: bool | Literal["fine"] = False,
) -> Iterator[tuple[Frame, Track]]:
    """Follow one target through a video.

    Args:
        source: Anything that `open_video` takes; what it returned has its span already.
        box: The target in the first frame taken: left, top, width, height in pixels, 0-based.
        boxes: Index of a frame to the target's box in it: the tracker starts again there. The
            first frame taken needs one, here or as `box`.
        tracker: From `load`; the default model otherwise.
        start: First frame to take, from 0.
        end: Frame to stop before.
        stride: Take every n-th frame.
        masks: Give tracks the pixels of their target: `Track.mask` and `Track.rotated`. `fine`
            refines them at the frame's resolution, and takes about three times as long.

    Returns:
        Iterator over every frame taken and the target in it; the first has the box given.

    Raises:
        VideoError: If the source cannot be read, when that happens; what came before is yielded.
        ValueError: If the first box is missing, `tracker` is the name of a model, or a box cannot
            start a target in its frame.

    Example:
        >>> import numpy as np
        >>> video = np.random.default_rng(0).integers(0, 255, (3, 90, 120, 3), dtype=np.uint8)
        >>> [frame.index for frame, track in track(video, box=(40, 30, 20, 25))]
        [0, 1, 2]
    """
    first = source.span.start if isinstance(source, VideoSource) else start
    starts = {index: {0: given} for index, given in (boxes or {}).items()}
    if box is not None:
        starts[first] = {0: box}
    if first not in starts:
        raise ValueError(f"no box for frame {first}: give box=(left, top, width, height)")
    if isinstance(tracker, (str, Path)):
        raise ValueError(
            f"tracker {str(tracker)!r}: expected a tracker, not a name; give "
            f"tracker=siamtrack.load({str(tracker)!r})"
        )
    tracker = tracker or load(masks=masks)
    if masks and tracker.outliner is None:
        tracker = copy(tracker)  # the tracker that was given stays without masks
        tracker.outliner = load_outliner(fine=masks == "fine")
    tracker.clear()
    frames = follow(source, starts, tracker, start=start, end=end, stride=stride)
    return ((frame, tracks[0]) for frame, tracks in frames)
