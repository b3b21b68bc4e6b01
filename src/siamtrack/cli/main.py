"""Read the command line, run the verb, turn errors into one sentence and an exit code."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated, Any, Union

import tyro
from tyro.conf import arg, subcommand

from siamtrack import __version__
from siamtrack.cli.own_files import import_files
from siamtrack.core.boundary import FORESEEN, log, missing_extra, sentence

DEFECT, BAD_INPUT, INTERRUPTED, READER_GONE = 1, 2, 130, 141
ENDINGS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""Signals that end a run as Ctrl-C does."""

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
_SHORT = ("DisallowNone", "FlagCreatePairsOff", "PositionalMetavarFromFieldName")
_STYLE = tuple(getattr(tyro.conf, name) for name in _SHORT if hasattr(tyro.conf, name))
"""`--json` without `--no-json`, PATH without {None}, SOURCE for STR; older tyro has not all."""
_DESCRIPTION = """Draw one box, follow the object: Siamese visual object tracking.

Before a verb, --import FILE.py adds what a file of yours registers, and may be repeated; --version
alone prints the version."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit.

    The codes are 0 done, 2 bad input, 130 interrupted, 141 nobody reads the output, 1 a defect of
    ours.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words == ["--version"]:
        print(f"siamtrack {__version__}")
        sys.exit(0)
    try:
        words = import_files(words)
    except ValueError as error:
        print(f"siamtrack: {error}", file=sys.stderr)
        sys.exit(BAD_INPUT)
    sys.exit(_guarded(lambda: run(parse(words))))


def _guarded(work: Callable[[], int]) -> int:
    """Return the exit code of `work`; what nobody foresaw becomes a sentence."""
    try:
        return work()
    except Exception as error:
        log(error)
        missing = missing_extra(error)
        print(f"siamtrack: {missing or sentence(error)}", file=sys.stderr)
        return BAD_INPUT if missing or isinstance(error, MemoryError) else DEFECT


def parse(words: Sequence[str]) -> Any:
    """Return the command that the words give, without running it.

    Raises:
        SystemExit: If they give none, with 2; or ask for help, with 0.
    """
    words = _boxes_with_commas(words)
    if words and words[0] in VERBS:
        verb, *rest = words
        return tyro.cli(_class(verb), args=rest, prog=f"siamtrack {verb}", config=_STYLE)
    verbs: Any = Union[tuple(map(_subcommand, VERBS))]
    return tyro.cli(verbs, args=words, prog="siamtrack", description=_DESCRIPTION, config=_STYLE)


def _boxes_with_commas(words: Sequence[str]) -> list[str]:
    """Take `--box 60,70,40,40`, as tables of boxes have it, for `--box 60 70 40 40`."""
    split: list[str] = []
    for word in words:
        numbers = word.split(",") if split and split[-1] == "--box" else []
        split += numbers if len(numbers) == 4 else [word]
    return split


def _class(verb: str) -> Any:
    return getattr(import_module(f"siamtrack.cli.{_MODULES.get(verb, verb)}"), VERBS[verb])


def _subcommand(verb: str) -> Any:
    return Annotated[_class(verb), subcommand(verb, prefix_name=False), arg(name="")]


def run(command: Any) -> int:
    """Run a parsed command and return its exit code.

    Raises:
        Exception: Whatever nobody foresaw; `main` turns it into a sentence.
    """
    with contextlib.suppress(ValueError):  # not in the main thread
        for number in ENDINGS:
            # what was started to outlive its terminal (nohup) ignores the signal, and still does
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _stop)
    try:
        command.run()
        print(end="", flush=True)  # here, where a reader that is gone is known
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):  # the terminal is gone
            print("siamtrack: interrupted; what was written so far is whole", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # `| head` has seen enough: what is left in the buffer goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    except FORESEEN as error:
        log(error)
        print(f"siamtrack: {error}", file=sys.stderr)
        return BAD_INPUT
    return 0


def _stop(number: int, frame: object) -> None:
    """End like Ctrl-C: files are closed on the way out, which takes a moment."""
    for each in ENDINGS:  # a terminal that closes may send both; the second shall not cut this off
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt
