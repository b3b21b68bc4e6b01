"""Where results come from, kept beside them, so that a resumed run never mixes two settings."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from siamtrack.core.config import parse_json
from siamtrack.core.writing import write_text, write_whole
from siamtrack.errors import StaleResultsError

logger = logging.getLogger(__name__)

FOLDER = ".made"
"""Below a folder of results: a JSON file for each of them."""
Made = Mapping[str, Any]


def files_state(files: Sequence[Path]) -> dict[str, Any]:
    """Return how many files there are, their bytes and the newest time of change."""
    found = [file.stat() for file in files]
    return {
        "files": len(found),
        "bytes": sum(each.st_size for each in found),
        "changed": max((each.st_mtime_ns for each in found), default=0),
    }


def record(file: Path, made: Made) -> None:
    """Record what a result is made of."""
    write_text(_place(file), json.dumps({"made": made}) + "\n")


@contextlib.contextmanager
def recording(file: Path, made: Made) -> Iterator[None]:
    """Record what a result is made of; the result takes its place within the block.

    If it replaces another, a digest of that one is kept meanwhile, so that an old result is known
    as such whenever the process is killed. After an error the old record is back.
    """
    place = _place(file)
    old = place.read_bytes() if place.is_file() else None
    before = {"before": _digest(file)} if file.is_file() else {}
    write_text(place, json.dumps({"made": made, **before}) + "\n")
    try:
        yield
    except BaseException:
        if old is None:
            place.unlink(missing_ok=True)
        else:
            write_whole(place, old)
        raise
    if before:
        record(file, made)


def differences(file: Path, made: Made) -> list[str] | None:
    """Say how an existing result differs from what would be made now.

    Returns:
        Nothing if it was made in this way, or without a record (by an older version). None if it is
        to be made again, because a run that was to replace it was killed.
    """
    try:
        kept = parse_json(_place(file).read_bytes())
        before, old = kept.get("before"), kept["made"]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        return ["it is not known how it was made (its note is damaged)"]
    if before is not None and _digest(file) == before:
        return None
    return list(_compare(old, json.loads(json.dumps(made))))


def warn_unrecorded(files: Sequence[Path], total: int) -> None:
    """Warn of existing results that carry no record: an older version, or another hand, made them.

    They are `files` of the `total` asked for, and will be taken as they are.
    """
    bare = [file for file in files if not _place(file).is_file()]
    if bare:
        logger.warning(
            "%d of %d results that are there carry no record of how they were made (%s): they are "
            "taken as they are; --overwrite makes them again",
            len(bare),
            total,
            bare[0],
        )


def refuse_stale(stale: Mapping[Path, list[str]], total: int) -> None:
    """Raise if there are results that were made differently: result to how it differs.

    Raises:
        StaleResultsError: Naming the first of them.
    """
    if not stale:
        return
    file, words = next(iter(stale.items()))
    raise StaleResultsError(
        f"{len(stale)} of {total} existing results were made differently ({file}: "
        f"{'; '.join(words[:4])}): give another --out, or --overwrite to make them again"
    )


def outdated(
    files: Sequence[Path | None], made: Sequence[Made | None], resume: bool, overwrite: bool
) -> set[Path | None]:
    """Return the existing results that were made differently.

    Raises:
        StaleResultsError: If there are any, and `overwrite` is false.
    """
    again: set[Path | None] = set()
    stale: dict[Path, list[str]] = {}
    same: list[Path] = []
    for file, each in zip(files, made, strict=True):
        if file is None or each is None or not resume or not file.is_file():
            continue
        differs = differences(file, each)
        if differs:
            stale[file] = differs
        if differs != []:
            again.add(file)
        else:
            same.append(file)
    if not overwrite:
        refuse_stale(stale, len(files))
    warn_unrecorded(same, len(files))
    return again


def _compare(old: Any, new: Any, name: str = "") -> Iterable[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _compare(old.get(key), new.get(key), f"{name}.{key}" if name else key)
    elif old != new:
        yield f"{name} {_short(old)}, now {_short(new)}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _place(file: Path) -> Path:
    return file.parent / FOLDER / f"{file.name}.json"


def _digest(file: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with file.open("rb") as data:
        while piece := data.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
