"""Open a data set by `NAME:PATH`."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from siamtrack.core.boundary import surface
from siamtrack.core.registry import Registry
from siamtrack.data.sequence import Dataset
from siamtrack.errors import DatasetError, SiamtrackError


class Opener(Protocol):
    """Opens the data set that lies in a folder or file."""

    def __call__(self, path: Path, *, partial: bool = False) -> Dataset:
        """Return the data set; `partial` accepts one that lacks sequences."""


DATASETS: Registry[Opener] = Registry("data set", "siamtrack.datasets")


@surface
def open_dataset(source: str, *, partial: bool = False) -> Dataset:
    """Open a data set.

    Args:
        source: `NAME:PATH`, for instance `otb2013:/data/OTB`; the names are in `DATASETS`.
        partial: Accept a benchmark that lacks sequences. What is missing is named by
            `Dataset.check()` and in reports. Otherwise that is an error, because an average over
            fewer sequences is not the benchmark's figure.

    Raises:
        ValueError: If `source` does not have the form `NAME:PATH`.
        UnknownNameError: If no data set has this name.
        DatasetError: If the path does not exist or does not hold the data set.

    Example:
        >>> open_dataset("otb2015:/data/OTB")
        Traceback (most recent call last):
        siamtrack.errors.UnknownNameError: unknown data set 'otb2015': did you mean 'otb2013'? ...
    """
    name, colon, path = source.partition(":")
    if not colon or not path:
        raise ValueError(
            f"data set {source!r}: expected NAME:PATH, with NAME one of {', '.join(DATASETS)}"
        )
    opener = DATASETS[name.lower()]
    if not Path(path).exists():
        raise DatasetError(f"data set {source!r}: {path} does not exist; give an existing path")
    try:
        dataset = opener(Path(path), partial=partial)
        DATASETS.check_made(name.lower(), dataset, "name", "__iter__", "__len__")
        return dataset
    except NotADirectoryError as reason:
        raise DatasetError(f"data set {source!r}: {path} is a file; give a folder") from reason
    except SiamtrackError:
        raise
    except OSError as reason:  # a name in a list that no file system takes, no permission
        words = f"{str(reason.filename)[:200]}: {reason.strerror}"
        raise DatasetError(f"data set {source!r} cannot be read ({words})") from reason
