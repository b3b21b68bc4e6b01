"""Options that several verbs share, and all outputs of one run."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from siamtrack.core.tracks import Track
from siamtrack.packages.card import Precision
from siamtrack.sinks import BehindSink, open_sink
from siamtrack.sinks.text import csv_header, csv_lines
from siamtrack.video import Frame

Box = tuple[float, float, float, float]

ModelName = Annotated[
    str,
    arg(help="Name that `siamtrack models` lists, or folder written by `siamtrack export`."),
]
RuntimeName = Annotated[
    str,
    arg(
        help="Engine that runs the network: auto (the fastest that answers as onnx does), onnx, "
        "openvino, openvino-bf16, torch and others; docs/runtimes.md compares them."
    ),
]
PrecisionName = Annotated[
    Precision,
    arg(
        help="Precision of the network: auto is int8, which is faster, where the processor "
        "computes it exactly; float32 is the same network everywhere."
    ),
]
Ray = Annotated[
    str | None,
    arg(help="Run on Ray instead (extra `ray`): local, auto, or the address of a cluster."),
]


@dataclass(frozen=True)
class Style:
    """How outputs show what is tracked.

    Attributes:
        names: Id of a target to its name.
        classes: Id of a target to its class.
        keyframes: Pixels between the key frames of CVAT XML; None: all frames are key frames.
        images: Whether zips for YOLO hold the frames, too.
        codec: Of annotated videos.
        preset: Of annotated videos in h264.
    """

    names: Mapping[int, str] = field(default_factory=dict)
    classes: Mapping[int, str] = field(default_factory=dict)
    keyframes: float | None = None
    images: bool = False
    codec: str | None = None
    preset: str | None = None


class Outputs:
    """Write every frame to all sinks; slow ones do so in threads of their own.

    Args:
        files: (path, format or None) of each.
        overwrite: Whether files that exist may be replaced.
        fps: Frames per second of annotated videos.
        style: How they show what is tracked.
        table: Whether lines of CSV go to standard output where there are no files.

    Raises:
        FileExistsError: If a file exists and `overwrite` is not set; nothing is left open.
    """

    def __init__(
        self,
        files: Sequence[tuple[Path, str | None]],
        *,
        overwrite: bool,
        fps: float | None,
        style: Style | None = None,
        table: bool = True,
    ) -> None:
        self._style = style or Style()
        options = vars(self._style)
        with ExitStack() as stack:
            self._sinks: list[BehindSink] = []
            for path, kind in files:
                sink = open_sink(path, overwrite=overwrite, format=kind, fps=fps, **options)
                self._sinks.append(stack.enter_context(BehindSink(sink)))
            self._stack = stack.pop_all()
        self._begun, self._table, self._printing = False, table, 0.0

    @property
    def busy(self) -> float:
        """Seconds that writing took, in whichever thread; all of them once this is closed."""
        return self._printing + sum(sink.busy for sink in self._sinks)

    def write(self, frame: Frame, tracks: Sequence[Track]) -> None:
        """Write one frame; without any sink, lines of CSV go to standard output."""
        for sink in self._sinks:
            sink.write(frame, tracks)
        if not self._sinks and self._table:
            clock = time.perf_counter()
            names, classes = self._style.names, self._style.classes
            lines = csv_lines(frame, tracks, names, classes)
            header = [] if self._begun else [csv_header(names, classes)]
            print("\n".join([*header, *lines]), flush=True)
            self._begun = True
            self._printing += time.perf_counter() - clock

    def __enter__(self) -> Outputs:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()
