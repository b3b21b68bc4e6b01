"""Read the command line, run the verb, turn errors into one sentence and an exit code."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any, Union

import tyro
from tyro.conf import arg, subcommand

from siamtrack.errors import SiamtrackError

BAD_INPUT, INTERRUPTED = 2, 130

VERBS = {
    "track": "Track",
    "batch": "Batch",
    "demo": "Demo",
    "studio": "Studio",
    "models": "Models",
    "plugins": "Plugins",
    "eval": "Eval",
    "bench": "Bench",
    "tune": "Tune",
    "train": "Train",
    "fine-tune": "FineTune",
    "inspect": "Inspect",
    "data": "Data",
    "export": "Export",
}
"""The class of each verb; only that of the verb given is imported."""
_MODULES = {"eval": "evaluate", "fine-tune": "fine_tune"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit: 0 done, 2 bad input, 130 interrupted, 1 a defect of ours."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] in VERBS:
        verb, *rest = words
        command: Any = tyro.cli(_class(verb), args=rest, prog=f"siamtrack {verb}")
    else:
        verbs: Any = Union[tuple(map(_subcommand, VERBS))]
        command = tyro.cli(
            verbs,
            args=words,
            prog="siamtrack",
            description="Draw one box, follow the object: Siamese visual object tracking.",
        )
    sys.exit(run(command))


def _class(verb: str) -> Any:
    return getattr(import_module(f"siamtrack.cli.{_MODULES.get(verb, verb)}"), VERBS[verb])


def _subcommand(verb: str) -> Any:
    return Annotated[_class(verb), subcommand(verb, prefix_name=False), arg(name="")]


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
