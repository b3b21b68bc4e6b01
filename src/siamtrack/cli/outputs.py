"""All outputs of one run, opened together and closed whatever happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from siamtrack.core.tracks import Track
from siamtrack.sinks import Sink, open_sink
from siamtrack.sinks.text import csv_header, csv_lines
from siamtrack.video import Frame


@dataclass(frozen=True)
class Style:
    """How outputs show what is tracked.

    Attributes:
        names: Id of a target to its name.
        classes: Id of a target to its class.
        keyframes: Pixels between the key frames of CVAT XML; None: all frames are key frames.
        codec: Of annotated videos.
        preset: Of annotated videos in h264.
    """

    names: Mapping[int, str] = field(default_factory=dict)
    classes: Mapping[int, str] = field(default_factory=dict)
    keyframes: float | None = None
    codec: str | None = None
    preset: str | None = None


class Outputs:
    """Write every frame to all sinks.

    Args:
        files: (path, format or None) of each.
        overwrite: Whether files that exist may be replaced.
        fps: Frames per second of annotated videos.
        style: How they show what is tracked.

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
    ) -> None:
        self._style = style or Style()
        options = vars(self._style)
        with ExitStack() as stack:
            self._sinks: list[Sink] = [
                stack.enter_context(
                    open_sink(path, overwrite=overwrite, format=kind, fps=fps, **options)
                )
                for path, kind in files
            ]
            self._stack = stack.pop_all()
        self._begun = False

    def write(self, frame: Frame, tracks: Sequence[Track]) -> None:
        """Write one frame; without any sink, lines of CSV go to standard output."""
        for sink in self._sinks:
            sink.write(frame, tracks)
        if not self._sinks:
            names, classes = self._style.names, self._style.classes
            lines = csv_lines(frame, tracks, names, classes)
            header = [] if self._begun else [csv_header(names, classes)]
            print("\n".join([*header, *lines]), flush=True)
            self._begun = True

    def __enter__(self) -> Outputs:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()
