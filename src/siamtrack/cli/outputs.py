"""All outputs of one run, opened together and closed whatever happens."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from siamtrack.core.tracks import Track
from siamtrack.sinks import Sink, open_sink
from siamtrack.sinks.text import CsvSink, csv_lines
from siamtrack.video import Frame


class Outputs:
    """Write every frame to all sinks.

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
            self._sinks: list[Sink] = [
                stack.enter_context(
                    open_sink(
                        path, overwrite=overwrite, format=kind, fps=fps, codec=codec, preset=preset
                    )
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
            lines = csv_lines(frame, tracks)
            print("\n".join(lines if self._begun else [CsvSink.header, *lines]), flush=True)
            self._begun = True

    def __enter__(self) -> Outputs:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()
