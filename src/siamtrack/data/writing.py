"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under another name in the same folder first, then move it into place.

    A process that dies at any moment leaves the old file, the new one, or an unused `.part`.

    Raises:
        OSError: If it cannot be written, for instance on a full disk; nothing is left behind.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
