"""Whether this processor adds 8-bit products without overflow.

Processors with dot products of bytes (VNNI, ARM) do. Older x86 ones add two products in 16 bits
first and clip the sum, which spoils the results; there float32 is the better choice.
"""

from __future__ import annotations

import base64
import functools

import numpy as np
import onnxruntime

PROBE = (
    "CAcSADqDAgosCgFzEgF3Ig9Db25zdGFudE9mU2hhcGUqEwoFdmFsdWUqBwgBEANKAX+gAQQKLAoBeAoCeHMKAXoKAXcK"
    "AndzCgJ3egoCeXMKAXoSAXkiC1FMaW5lYXJDb252EgFwKikIBBAHQgFzSiAQAAAAAAAAAEAAAAAAAAAAAQAAAAAAAAAB"
    "AAAAAAAAACoMEAFCAnhzSgQAAIA/KggQAkIBekoBACoMEAFCAndzSgQAAIA/KgkQA0ICd3pKAQAqDBABQgJ5c0oEzewh"
    "RlobCgF4EhYKFAgCEhAKAggBCgIIQAoCCAQKAggEYhsKAXkSFgoUCAISEAoCCAEKAggQCgIIBAoCCARCBAoAEA0="
)
"""An ONNX graph: QLinearConv with 16 x 64 weights of 127 on uint8 `x` (1, 64, 4, 4) to `y`, scaled
so that pixels of 255 give 200."""


@functools.cache
def int8_is_exact() -> bool:
    """Return whether an 8-bit convolution of the largest values comes out right; takes some ms."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        base64.b64decode(PROBE), options, providers=["CPUExecutionProvider"]
    )
    found = session.run(None, {"x": np.full((1, 64, 4, 4), 255, np.uint8)})[0]
    return bool(np.all(found == 200))
