"""Uploads under way, and what is left of those whose server was killed."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from siamtrack.studio.journal import NAME, lock

LOCK = "upload.lock"
PARTS = frozenset({LOCK, "upload.part", "upload", NAME + ".part"})
OLD = 3600.0
"""Seconds after which a folder without a project and without a lock counts as left behind."""


@contextlib.contextmanager
def under_way(folder: Path) -> Iterator[None]:
    """Hold the lock that tells other servers not to clear an upload away.

    If the block fails, the folder is removed. The lock ends with the process, however it ends.
    """
    with (folder / LOCK).open("wb") as file:
        lock(file)
        try:
            yield
        except BaseException:
            file.close()
            shutil.rmtree(folder, ignore_errors=True)
            raise
    (folder / LOCK).unlink(missing_ok=True)


def clear_uploads(home: Path) -> list[Path]:
    """Remove the folders of uploads that were cut short; return which they were.

    Only folders with generated names, without a project and with nothing but parts of an upload in
    them are touched, and of these only those that no server is filling.
    """
    gone = []
    for folder in home.iterdir():
        with contextlib.suppress(OSError):
            if _left_behind(folder):
                shutil.rmtree(folder)
                gone.append(folder)
    return gone


def _left_behind(folder: Path) -> bool:
    if not re.fullmatch("[0-9a-f]{16}", folder.name) or folder.is_symlink():
        return False
    names = {path.name for path in folder.iterdir()}
    if NAME in names or not names <= PARTS:
        return False
    if LOCK not in names:
        return time.time() - folder.stat().st_mtime > OLD
    with (folder / LOCK).open("r+b") as file:
        lock(file)  # OSError: somebody is filling it
    return not (folder / NAME).exists()
