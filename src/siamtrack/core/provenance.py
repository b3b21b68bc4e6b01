"""What results were made of, kept beside them, so that a run that goes on never mixes two ways."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from siamtrack.core.config import parse_json
from siamtrack.core.writing import write_text, write_whole
from siamtrack.errors import StaleResultsError

FOLDER = ".made"
"""Below a folder of results: a JSON file for each of them."""
Made = Mapping[str, Any]


def files_made(files: Sequence[Path]) -> dict[str, Any]:
    """Return what tells that files were changed: number, bytes and newest time of change."""
    found = [file.stat() for file in files]
    return {
        "files": len(found),
        "bytes": sum(each.st_size for each in found),
        "changed": max((each.st_mtime_ns for each in found), default=0),
    }


def note(file: Path, made: Made) -> None:
    """Keep what a result is made of."""
    write_text(_place(file), json.dumps({"made": made}) + "\n")


@contextlib.contextmanager
def noting(file: Path, made: Made) -> Iterator[None]:
    """Keep what a result is made of; the result takes its place within the block.

    If it replaces another, a digest of that one is kept meanwhile: whatever moment a process is
    killed at, an old result is known as such. After an error the old note is back.
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
        note(file, made)


def differences(file: Path, made: Made) -> list[str] | None:
    """Say in which ways a result that is there differs from what would be made now.

    Returns:
        Nothing if it was made in this way, or if nobody knows (it is of an older version). None if
        it is to be made again: a run that was to replace it was killed.
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


def refuse_stale(stale: Mapping[Path, list[str]], total: int) -> None:
    """Raise if there are results that were made in another way.

    Args:
        stale: Result to how it differs.
        total: Number of results asked for.

    Raises:
        StaleResultsError: Naming the first of them.
    """
    if not stale:
        return
    file, words = next(iter(stale.items()))
    raise StaleResultsError(
        f"{len(stale)} of {total} results that are there were made otherwise ({file}: "
        f"{'; '.join(words[:4])}): give another --out, or --overwrite to make them again"
    )


def to_make_again(
    files: Sequence[Path | None], made: Sequence[Made | None], resume: bool, overwrite: bool
) -> set[Path | None]:
    """Return the results that are there and made otherwise.

    Raises:
        StaleResultsError: If there are such, and nobody allowed to make them again.
    """
    again: set[Path | None] = set()
    stale: dict[Path, list[str]] = {}
    for file, each in zip(files, made, strict=True):
        if file is None or each is None or not resume or not file.is_file():
            continue
        differs = differences(file, each)
        if differs:
            stale[file] = differs
        if differs != []:
            again.add(file)
    if not overwrite:
        refuse_stale(stale, len(files))
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
