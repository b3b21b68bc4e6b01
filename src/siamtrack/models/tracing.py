"""Whether a network is being exported: sizes are symbols then, and no check may look at them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_tracing = False  # a plain variable, which torch.compile can read


@contextmanager
def traced() -> Iterator[None]:
    """Export within this, unless it is to ONNX, which says so itself."""
    global _tracing
    before, _tracing = _tracing, True
    try:
        yield
    finally:
        _tracing = before


def is_traced() -> bool:
    """Return whether a network is being exported.

    Example:
        >>> with traced():
        ...     is_traced()
        True
        >>> is_traced()
        False
    """
    return _tracing or torch.onnx.is_in_onnx_export()
