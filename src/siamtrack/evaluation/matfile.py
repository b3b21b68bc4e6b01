"""Raw results in MATLAB files, read by SciPy in a process of its own.

SciPy's reader trusts the sizes that a file states: a damaged file can end the process that reads
it, or fill the memory. Here it ends a child, and the file is refused.
"""

from __future__ import annotations

import importlib.util
import io
import json
import subprocess
import sys
from collections.abc import Sequence as Items
from pathlib import Path
from typing import Any

import numpy as np

from siamtrack.core.boxes import Array
from siamtrack.errors import MissingExtraError, ResultsError

MEMORY = 4 << 30
"""Bytes of address space that the child may take, where the system can limit it."""
SECONDS = 60.0
"""Time for a file; published results are read in milliseconds."""
CHILD = "import runpy, sys; sys.path[:] = {path!r}; runpy.run_path({file!r}, None, '__main__')"


def read_mat_files(paths: Items[Path]) -> list[Array]:
    """Return the rows (N, 4) of each file, as they stand there.

    Args:
        paths: Files with a cell `results`, whose first entry is the one-pass evaluation, or with a
            matrix `result`.

    Raises:
        ResultsError: If a file is missing, damaged or holds something else.
        MissingExtraError: If SciPy is not installed.
    """
    if importlib.util.find_spec("scipy") is None:
        raise MissingExtraError("reading .mat results", "scipy", "mat")
    answer = _asked(paths)
    if answer is None and len(paths) > 1:  # one of them ended the child: find which
        return [rows for path in paths for rows in read_mat_files([path])]
    if answer is None:
        raise ResultsError(
            f"{paths[0]}: not a MATLAB file that SciPy can read (its reader crashed or found no "
            "end); save it again, or as text"
        )
    with np.load(io.BytesIO(answer), allow_pickle=False) as found:
        for name in found.files:
            if found[name].dtype.kind == "U":
                raise ResultsError(str(found[name]))
        return [found[str(index)] for index in range(len(paths))]


def _asked(paths: Items[Path]) -> bytes | None:
    """Return what the child says, None if it came to its end."""
    code = CHILD.format(path=sys.path, file=__file__)
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], check=False, capture_output=True,
            input=json.dumps([str(path) for path in paths]).encode(),
            timeout=SECONDS * len(paths),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 else None


def _rows(path: Path) -> Array:
    from scipy.io import loadmat

    try:
        content: dict[str, Any] = loadmat(path, squeeze_me=True, struct_as_record=False)
    except (Exception, RecursionError) as reason:  # on damaged files SciPy raises whatever comes
        raise ResultsError(f"{path}: not a MATLAB file that SciPy can read ({reason})") from reason
    if "results" in content:
        entries = np.atleast_1d(content["results"])
        kind = str(getattr(entries.flat[0], "type", "rect")) if entries.size else "nothing"
        if kind != "rect":
            raise ResultsError(
                f"{path}: the results are of type {kind!r}, expected 'rect'; convert them to boxes"
            )
        values = getattr(entries.flat[0], "res", None) if entries.size else None
    else:
        values = content.get("result")
    try:
        rows = np.zeros(0) if values is None else np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as reason:
        raise ResultsError(f"{path}: the boxes are not numbers ({reason})") from reason
    if rows.ndim != 2 or rows.shape[1] != 4 or not len(rows):
        raise ResultsError(
            f"{path}: expected a cell 'results' with field 'res', or a matrix 'result', of shape "
            f"(frames, 4); got {rows.shape if values is not None else sorted(content)}"
        )
    return rows


def main() -> None:
    """Be the child: read the names of files, write their rows, or what is wrong with the first."""
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        limits = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
        resource.setrlimit(resource.RLIMIT_AS, (min([MEMORY, *limits]), hard))
    found: dict[str, Any] = {}
    try:
        for index, path in enumerate(json.load(sys.stdin)):
            found[str(index)] = _rows(Path(path))
    except ResultsError as error:
        found["error"] = np.array(str(error)[:2000])
    np.savez(sys.stdout.buffer, **found)


if __name__ == "__main__":
    main()
