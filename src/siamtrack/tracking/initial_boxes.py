"""First boxes from a file: for many targets, or targets that start later."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from siamtrack.core.boxes import Array
from siamtrack.core.files import read_rows
from siamtrack.errors import DatasetError


def read_boxes(path: Path, first: int) -> dict[int, dict[int, Array]]:
    """Read where targets start.

    Args:
        path: Text, one target a line: left, top, width, height in the first frame; or frame, id,
            left, top, width, height. Numbers are separated by commas or spaces, 0-based.
        first: Frame of lines without one.

    Returns:
        Frame to id to box.

    Raises:
        DatasetError: If the file is missing, empty, or a line has another form or a frame or id
            that is no whole number.
    """
    rows = read_rows(path, (4, 6), DatasetError)
    starts: dict[int, dict[int, Array]] = {}
    for number, row in enumerate(rows):
        given = row[:-4]
        if not ((given == np.floor(given)) & (np.abs(given) < 2**53)).all():  # NaN is no number
            raise DatasetError(
                f"{path}, line {number + 1}: frame {given[0]:g} and id {given[1]:g}: expected "
                "whole numbers"
            )
        frame, identity = (first, number) if not len(given) else (int(given[0]), int(given[1]))
        starts.setdefault(frame, {})[identity] = row[-4:]
    return starts
