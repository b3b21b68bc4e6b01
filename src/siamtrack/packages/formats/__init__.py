"""Formats in which a model can be written beside ONNX, one file each; `FORMATS` names them.

>>> sorted(FORMATS)
['openvino', 'pt2', 'torch']
"""

from siamtrack.packages.formats import openvino as _openvino  # noqa: F401  (registers itself)
from siamtrack.packages.formats import program as _program  # noqa: F401
from siamtrack.packages.formats import torch as _torch  # noqa: F401
from siamtrack.packages.formats.base import FORMATS, Format, Source, add_formats, check_formats

__all__ = ["FORMATS", "Format", "Source", "add_formats", "check_formats"]
