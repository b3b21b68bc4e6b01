"""All outputs of one run, opened together and closed whatever happens."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from siamtrack.core.tracks import Track
from siamtrack.sinks import BehindSink, open_sink
from siamtrack.sinks.text import CsvSink, csv_lines
from siamtrack.video import Frame


class Outputs:
    """Write every frame to all sinks; slow ones do so in threads of their own.

    Args:
        files: (path, format or None) of each.
        overwrite: Whether files that exist may be replaced.
        fps: Frames per second of annotated videos.
        codec: Of annotated videos.
        preset: Of annotated videos in h264.

    Raises:
        FileExistsError: If a file exists and `overwrite` is not set; nothing is left open.
    """

    def __init__(
        self,
        files: Sequence[tuple[Path, str | None]],
        *,
        overwrite: bool,
        fps: float | None,
        codec: str | None = None,
        preset: str | None = None,
    ) -> None:
        with ExitStack() as stack:
            self._sinks: list[BehindSink] = []
            for path, kind in files:
                sink = open_sink(
                    path, overwrite=overwrite, format=kind, fps=fps, codec=codec, preset=preset
                )
                self._sinks.append(stack.enter_context(BehindSink(sink)))
            self._stack = stack.pop_all()
        self._begun, self._printing = False, 0.0

    @property
    def busy(self) -> float:
        """Seconds that writing took, in whichever thread; all of them once this is closed."""
        return self._printing + sum(sink.busy for sink in self._sinks)

    def write(self, frame: Frame, tracks: Sequence[Track]) -> None:
        """Write one frame; without any sink, lines of CSV go to standard output."""
        for sink in self._sinks:
            sink.write(frame, tracks)
        if not self._sinks:
            clock = time.perf_counter()
            lines = csv_lines(frame, tracks)
            print("\n".join(lines if self._begun else [CsvSink.header, *lines]), flush=True)
            self._begun = True
            self._printing += time.perf_counter() - clock

    def __enter__(self) -> Outputs:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()
