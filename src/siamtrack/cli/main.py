"""Read the command line, run the verb, turn errors into one sentence and an exit code."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Union

import tyro
from tyro.conf import arg, subcommand

from siamtrack import __version__
from siamtrack.core.boundary import FORESEEN, log, missing_extra, sentence
from siamtrack.core.config import check_numbers

DEFECT, BAD_INPUT, INTERRUPTED, READER_GONE = 1, 2, 130, 141
ENDINGS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""Signals that end a run as Ctrl-C does."""

VERBS = {
    "track": "Track",
    "batch": "Batch",
    "demo": "Demo",
    "studio": "Studio",
    "serve": "Serve",
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
_MODULES = {"eval": "evaluate", "fine-tune": "train", "inspect": "models", "plugins": "models"}
_SHORT = ("DisallowNone", "FlagCreatePairsOff", "PositionalMetavarFromFieldName")
_STYLE = tuple(getattr(tyro.conf, name) for name in _SHORT if hasattr(tyro.conf, name))
"""`--json` without `--no-json`, PATH without {None}, SOURCE for STR; older tyro has not all."""
_DESCRIPTION = """Draw one box, follow the object: Siamese visual object tracking.

Run `siamtrack VERB --help` for the options of a verb. --import FILE.py before the verb loads what
your file registers; repeat for more. --version prints the version."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit.

    The codes are 0 for success, 2 for bad input, 130 if interrupted, 141 if the reader of the
    output has gone, and 1 for a defect of siamtrack.
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
    """Return the exit code of `work`; an unexpected error becomes one sentence."""
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
    words, called = named_boxes(_boxes_with_commas(words))
    if words and words[0] in VERBS:
        verb, *rest = words
        found: Any = tyro.cli(_class(verb), args=rest, prog=f"siamtrack {verb}", config=_STYLE)
        return replace(found, called=called) if called else found
    verbs: Any = Union[tuple(map(_subcommand, VERBS))]
    return tyro.cli(verbs, args=words, prog="siamtrack", description=_DESCRIPTION, config=_STYLE)


def _boxes_with_commas(words: Sequence[str]) -> list[str]:
    """Take `--box 60,70,40,40`, as tables of boxes have it, for `--box 60 70 40 40`."""
    split: list[str] = []
    for word in words:
        numbers = word.split(",") if split and split[-1] == "--box" else []
        split += numbers if len(numbers) == 4 else [word]
    return split


def named_boxes(words: Sequence[str]) -> tuple[list[str], tuple[tuple[str, str], ...]]:
    """Take `name=NAME` and `class=CLASS` after the numbers of `--box` out of the words.

    Returns:
        The other words, and the name and the class of each box, or nothing if none has any.

    Example:
        >>> named_boxes(["--box", "1", "2", "3", "4", "class=dog", "a.mp4"])
        (['--box', '1', '2', '3', '4', 'a.mp4'], (('', 'dog'),))
    """
    found: list[str] = []
    called: list[tuple[str, str]] = []
    rest = list(words)
    while rest:
        found.append(rest.pop(0))
        if found[-1] != "--box":
            continue
        found += [rest.pop(0) for _ in range(4) if rest]
        given = {"name": "", "class": ""}
        while rest and "=" in rest[0] and rest[0].partition("=")[0] in given:
            key, _, given[key] = rest.pop(0).partition("=")
        called.append((given["name"].strip(), given["class"].strip()))
    return found, tuple(called) if any(map(any, called)) else ()


def _class(verb: str) -> Any:
    return getattr(import_module(f"siamtrack.cli.{_MODULES.get(verb, verb)}"), VERBS[verb])


def _subcommand(verb: str) -> Any:
    kind = _class(verb)
    brief = kind.__doc__.partition("\n\n")[0]
    return Annotated[kind, subcommand(verb, prefix_name=False, description=brief), arg(name="")]


def run(command: Any) -> int:
    """Run a parsed command and return its exit code.

    Raises:
        Exception: Any unexpected error; `main` turns it into one sentence.
    """
    with contextlib.suppress(ValueError):  # not in the main thread
        for number in ENDINGS:
            # what was started to outlive its terminal (nohup) ignores the signal, and still does
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _stop)
    try:
        _check_numbers(command)
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


def _check_numbers(command: Any) -> None:
    """Refuse options that are no numbers to compute with, whatever the verb does with them."""
    for part in (command, getattr(command, "verb", None)):
        if part is None:
            continue
        try:
            check_numbers(part, box=None)  # boxes are compared with their frame later
        except ValueError as error:
            option = re.sub(r"^\w+\.(\w+)", lambda m: "--" + m[1].replace("_", "-"), str(error))
            raise ValueError(option) from error


def _stop(number: int, frame: object) -> None:
    """End like Ctrl-C: files are closed on the way out, which takes a moment."""
    for each in ENDINGS:  # a terminal that closes may send both; the second shall not cut this off
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def import_files(words: Sequence[str]) -> list[str]:
    """Run the files that `--import` before the verb names, and return the other words.

    Args:
        words: The command line. The files are run: give only files that you trust.

    Raises:
        ValueError: If no file follows, or it cannot be imported.
    """
    rest = list(words)
    while rest and rest[0] == "--import":
        if len(rest) < 2:
            raise ValueError("--import: expected a file, as in siamtrack --import FILE.py VERB ...")
        _import(Path(rest[1]))
        rest = rest[2:]
    return rest


def _import(file: Path) -> None:
    try:
        spec = importlib.util.spec_from_file_location(f"siamtrack_own_{file.stem}", file)
        if spec is None or spec.loader is None:
            raise ImportError("not a file that Python can import, NAME.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # classes in it can be pickled
        spec.loader.exec_module(module)
    except Exception as error:  # anything can go wrong in a file of the user's
        raise ValueError(f"--import {file}: {type(error).__name__}: {error}") from error
