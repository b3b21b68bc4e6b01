"""Read the command line, run the verb, turn errors into one sentence and an exit code."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import tyro
from tyro.conf import arg, subcommand

from siamtrack.cli.bench import Bench
from siamtrack.cli.data import Data
from siamtrack.cli.demo import Demo
from siamtrack.cli.evaluate import Eval
from siamtrack.cli.export import Export
from siamtrack.cli.fine_tune import FineTune
from siamtrack.cli.inspect import Inspect
from siamtrack.cli.models import Models
from siamtrack.cli.studio import Studio
from siamtrack.cli.track import Track
from siamtrack.cli.train import Train
from siamtrack.errors import SiamtrackError

BAD_INPUT, INTERRUPTED = 2, 130

Command = (
    Annotated[Track, subcommand("track", prefix_name=False), arg(name="")]
    | Annotated[Demo, subcommand("demo", prefix_name=False), arg(name="")]
    | Annotated[Studio, subcommand("studio", prefix_name=False), arg(name="")]
    | Annotated[Models, subcommand("models", prefix_name=False), arg(name="")]
    | Annotated[Eval, subcommand("eval", prefix_name=False), arg(name="")]
    | Annotated[Bench, subcommand("bench", prefix_name=False), arg(name="")]
    | Annotated[Train, subcommand("train", prefix_name=False), arg(name="")]
    | Annotated[FineTune, subcommand("fine-tune", prefix_name=False), arg(name="")]
    | Annotated[Inspect, subcommand("inspect", prefix_name=False), arg(name="")]
    | Annotated[Data, subcommand("data", prefix_name=False), arg(name="")]
    | Annotated[Export, subcommand("export", prefix_name=False), arg(name="")]
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit: 0 done, 2 bad input, 130 interrupted, 1 a defect of ours."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    command: Any = tyro.cli(
        Command,
        args=arguments,
        prog="siamtrack",
        description="Draw one box, follow the object: Siamese visual object tracking.",
    )
    sys.exit(run(command))


def run(command: Any) -> int:
    """Run a parsed command and return its exit code."""
    with contextlib.suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGTERM, _stop)
    try:
        command.run()
    except KeyboardInterrupt:
        print("siamtrack: interrupted; what was written so far is whole", file=sys.stderr)
        return INTERRUPTED
    except (SiamtrackError, ValueError, TypeError, OSError, FloatingPointError) as error:
        print(f"siamtrack: {error}", file=sys.stderr)
        return BAD_INPUT
    return 0


def _stop(number: int, frame: object) -> None:
    """End like Ctrl-C: files are closed on the way out."""
    raise KeyboardInterrupt
