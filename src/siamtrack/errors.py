"""The few exceptions of this package. Bad arguments raise the built-in `ValueError` or `TypeError`.

Every message says what was given, what was expected and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class SiamtrackError(Exception):
    """Base of all exceptions that this package defines."""


class UnknownNameError(SiamtrackError, LookupError):
    """A name that no registry knows; the message suggests the nearest ones.

    Args:
        kind: What was looked for, in the singular.
        name: The name that was given.
        known: All names there are.
        advice: What else can be done, as a sentence.

    Example:
        >>> str(UnknownNameError("model", "nanno", ["nano", "siamfc"]))
        "unknown model 'nanno': did you mean 'nano'? Known: nano, siamfc"
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], advice: str = "") -> None:
        names = sorted(known)
        lower = {each.lower(): each for each in names}
        near = difflib.get_close_matches(str(name).lower(), lower, n=1)
        hint = f"did you mean {lower[near[0]]!r}? " if near else ""
        text = f"unknown {kind} {name!r}: {hint}Known: {', '.join(names) or 'none'}"
        super().__init__(f"{text}. {advice}" if advice else text)
        self._given = (kind, name, names, advice)

    def __reduce__(self) -> tuple[type[UnknownNameError], tuple[str, str, list[str], str]]:
        """Keep the error whole on its way out of a worker process."""
        return type(self), self._given


class NotInitialisedError(SiamtrackError, RuntimeError):
    """`update` was called before `init`."""


class VideoError(SiamtrackError, OSError):
    """A video, stream, image or image folder that cannot be read or written."""


class DatasetError(SiamtrackError, ValueError):
    """A data set whose files are missing or do not have the expected form."""


class ImageError(DatasetError):
    """An image of a data set that is missing or cannot be decoded.

    Example:
        >>> str(ImageError("a.jpg", "missing"))
        'a.jpg: missing; restore the image, or take it out of the data set'
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}; restore the image, or take it out of the data set")
        self.path, self.reason = path, reason

    def __reduce__(self) -> tuple[type[ImageError], tuple[str, str]]:
        """Keep the error whole on its way out of a worker process."""
        return type(self), (self.path, self.reason)


class ResultsError(SiamtrackError, ValueError):
    """Raw tracking results that are missing or do not have the expected form."""


class WeightsError(SiamtrackError, ValueError):
    """A weights file that is missing, altered, damaged or belongs to another model."""


class WorkerDiedError(SiamtrackError):
    """A process that worked for this one ended before its job was done."""


class UnexpectedError(SiamtrackError):
    """An unexpected error, a defect; what was raised is its `__cause__`."""


class PluginError(SiamtrackError, ImportError):
    """What another package adds cannot be used; the message names the package."""


class MissingExtraError(SiamtrackError, ImportError):
    """A feature that needs an optional dependency which is not installed.

    Example:
        >>> str(MissingExtraError("training", "torch", "train"))
        "training needs the package 'torch', which is not installed: pip install 'siamtrack[train]'"
    """

    def __init__(self, feature: str, package: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs the package {package!r}, which is not installed: "
            f"pip install 'siamtrack[{extra}]'"
        )
        self._given = (feature, package, extra)

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str, str]]:
        """Keep the error whole on its way out of a worker process."""
        return type(self), self._given


class FolderBusyError(SiamtrackError):
    """Another run writes to a folder.

    Args:
        folder: The folder.
        owner: Who writes to it.
    """

    def __init__(self, folder: Path, owner: str) -> None:
        super().__init__(
            f"another siamtrack run ({owner}) writes to {folder}: wait for it to end, or give "
            "another folder"
        )
        self.arguments = (folder, owner)

    def __reduce__(self) -> tuple[type[FolderBusyError], tuple[Path, str]]:
        return type(self), self.arguments


class StaleResultsError(SiamtrackError):
    """Results that are there were made in another way than is asked for now."""
