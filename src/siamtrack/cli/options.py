"""Options that several verbs share."""

from __future__ import annotations

from typing import Annotated

from tyro.conf import arg

from siamtrack.packages.card import Precision

Box = tuple[float, float, float, float]

ModelName = Annotated[
    str,
    arg(help="Name that `siamtrack models` lists, or folder written by `siamtrack export`."),
]
RuntimeName = Annotated[
    str,
    arg(
        help="Engine that runs the network: auto (the fastest that answers as onnx does), onnx, "
        "openvino, openvino-bf16, torch and others; docs/runtimes.md compares them."
    ),
]
PrecisionName = Annotated[
    Precision,
    arg(
        help="Precision of the network: auto is int8, which is faster, where the processor "
        "computes it exactly; float32 is the same network everywhere."
    ),
]
Ray = Annotated[
    str | None,
    arg(help="Run on Ray instead (extra `ray`): local, auto, or the address of a cluster."),
]
