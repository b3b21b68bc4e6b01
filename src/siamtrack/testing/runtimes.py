"""Checks for engines that run a model: callables (graphs, threads) that return a `Runtime`."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siamtrack.packages.card import DEFAULT, Card, model_folder, read_card, read_graphs
from siamtrack.runtimes import Graphs
from siamtrack.runtimes.onnx import OnnxRuntime
from siamtrack.testing.base import KINDS, expect

RUNTIME = KINDS["runtime"]
Make = Callable[[Graphs, int], Any]
NEAR = 2e-3
"""Difference to ONNX Runtime in float32 that is rounding: of a kernel, as a share of its largest
number; of a score, absolute."""


@lru_cache(maxsize=1)
def _model() -> tuple[Card, Graphs]:
    folder = model_folder(DEFAULT)
    card = read_card(folder)
    return card, read_graphs(folder, card)


def _inputs(rows: int) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint8]]:
    card, _ = _model()
    rng = np.random.default_rng(0)
    template = rng.integers(0, 255, (rows, card.template, card.template, 3)).astype(np.uint8)
    search = rng.integers(0, 255, (rows, card.search, card.search, 3)).astype(np.uint8)
    return template, np.full((rows, 2), 0.5, np.float32), search


def _made(make: Make) -> Any:
    return make(_model()[1], 1)


@RUNTIME.add
def maps_batches_to_batches(make: Make) -> None:
    """`embed` and `respond` give finite float32 arrays with a row for each patch."""
    runtime = _made(make)
    for rows in (1, 3):
        template, size, search = _inputs(rows)
        kernel = runtime.embed(template, size)
        response = runtime.respond(kernel, search)
        for name, value in (("embed", kernel), ("respond", response.score)):
            expect(
                len(value) == rows and value.dtype == np.float32,
                f"{name} gives {value.dtype} {value.shape} for {rows} patches: expected float32 "
                f"({rows}, ...)",
            )
            expect(bool(np.isfinite(value).all()), f"{name} gives numbers that are not finite")


@RUNTIME.add
def agrees_with_onnx_runtime(make: Make) -> None:
    """Kernels, scores and boxes are those of ONNX Runtime in float32, but for rounding."""
    template, size, search = _inputs(1)
    ours, theirs = OnnxRuntime(_model()[1], 1), _made(make)
    kernel, found = ours.embed(template, size), theirs.embed(template, size)
    expect(found.shape == kernel.shape, f"kernel {found.shape}: expected {kernel.shape}")
    apart = float(np.abs(found - kernel).max() / np.abs(kernel).max())
    expect(apart < NEAR, f"kernels differ by {apart:.2g} of the largest number")
    one, other = ours.respond(kernel, search), theirs.respond(kernel, search)
    apart = float(np.abs(one.score - other.score).max())
    expect(apart < NEAR, f"scores differ by {apart:.2g}")
    for name in ("distances", "presence", "features"):
        there = getattr(one, name) is not None
        expect(
            (getattr(other, name) is not None) is there,
            f"respond gives {'no' if there else 'some'} {name}, ONNX Runtime the opposite",
        )


@RUNTIME.add
def treats_rows_alone(make: Make) -> None:
    """A patch has the same result in a batch as alone."""
    runtime = _made(make)
    template, size, search = _inputs(3)
    kernel = runtime.embed(template, size)
    whole = runtime.respond(kernel, search).score
    for row in range(3):
        alone = runtime.respond(kernel[row : row + 1], search[row : row + 1]).score
        apart = float(np.abs(whole[row] - alone[0]).max())
        expect(apart < NEAR, f"row {row} of a batch differs by {apart:.2g} from that row alone")


@RUNTIME.add
def keeps_what_it_returned(make: Make) -> None:
    """Arrays that were returned stay as they are: no buffer is used twice."""
    runtime = _made(make)
    template, size, search = _inputs(1)
    kernel = runtime.embed(template, size)
    response = runtime.respond(kernel, search)
    kept = kernel.copy(), response.score.copy()
    runtime.embed(255 - template, size)
    runtime.respond(kernel * 0.5, 255 - search)
    expect(
        bool(np.array_equal(kernel, kept[0]) and np.array_equal(response.score, kept[1])),
        "an array that was returned changed with the next call: return a copy",
    )


@RUNTIME.add
def keeps_no_state(make: Make) -> None:
    """The same call gives the same result, whatever was called between."""
    runtime = _made(make)
    template, size, search = _inputs(2)
    kernel = runtime.embed(template, size)
    first = runtime.respond(kernel, search).score.copy()
    runtime.embed(255 - template, size)
    runtime.respond(kernel[:1], 255 - search[:1])
    again = runtime.respond(kernel, search).score
    expect(bool(np.array_equal(first, again)), "a call changes the results of later calls")


@RUNTIME.add
def changes_no_input(make: Make) -> None:
    """Patches and kernels belong to the caller."""
    runtime = _made(make)
    template, size, search = _inputs(1)
    kept = template.copy(), search.copy()
    kernel = runtime.embed(template, size)
    before = kernel.copy()
    runtime.respond(kernel, search)
    same = np.array_equal(template, kept[0]) and np.array_equal(search, kept[1])
    expect(bool(same) and bool(np.array_equal(kernel, before)), "an input was changed")
