"""`siamtrack --import FILE.py VERB ...`: what a file of the user's registers, for one command."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path


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
