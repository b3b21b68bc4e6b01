"""What a runtime does: turn patches into kernels, and kernels and patches into responses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from siamtrack.core.images import Image
from siamtrack.core.registry import Registry
from siamtrack.errors import WeightsError

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Response:
    """What the network says about B search patches.

    Attributes:
        score: (B, H, W); in [0, 1] where the model has a box head, unbounded for SiamFC. Heads with
            K boxes a cell, such as SiamRPN's anchors, give (B, K, H, W).
        distances: (B, 4, H, W) from each cell to left, top, right and bottom of the box in patch
            pixels, or (B, 4, K, H, W); None for models without a box head.
        presence: (B,) logits that the target is in the patch; None where the model has no such
            output.
        features: (B, C, H', W') of the search patch, whose cells are those of the response or lie
            around these (SiamFC); None where the model does not give them.
    """

    score: Floats
    distances: Floats | None = None
    presence: Floats | None = None
    features: Floats | None = None

    @property
    def map(self) -> Floats:
        """The best score of each cell (B, H, W)."""
        return self.score if self.score.ndim == 3 else self.score.max(1)

    def part(self, first: int, count: int) -> Response:
        """Return what is said about `count` patches from `first` on."""
        rows = slice(first, first + count)
        return Response(
            self.score[rows],
            None if self.distances is None else self.distances[rows],
            None if self.presence is None else self.presence[rows],
            None if self.features is None else self.features[rows],
        )


class Runtime(Protocol):
    """A network in some engine. It holds no state of a target, so that many can share it.

    One that also has a method `apart(rows)`, as `siamtrack.runtimes.graph.GraphRuntime` has, says
    from how many rows on it is quicker called for each of them from several threads.
    """

    def embed(self, template: Image, size: Floats) -> Floats:
        """Map template patches (B, T, T, 3), uint8 RGB, to kernels (B, ...).

        `size` (B, 2) is the width and height of the target as a share of T; models without a box
        head do not need it.
        """
        ...

    def respond(self, kernel: Floats, search: Image) -> Response:
        """Match kernels (B, ...) with search patches (B, S, S, 3), uint8 RGB, one by one."""
        ...


_ELSEWHERE = b"\x0a\x08location\x12"
"""How ONNX writes the key under which a tensor names the file of its values."""


@dataclass(frozen=True, slots=True)
class Graphs:
    """The two graphs of a model, as verified bytes.

    Attributes:
        template: ONNX; uint8 `template` (B, T, T, 3) and, with a box head, float32 `size` (B, 2)
            to float32 `kernel`.
        search: ONNX; float32 `kernel` and uint8 `search` (B, S, S, 3) to `score` and, with a box
            head, `distances` and `presence`; both may give `features`.
        folder: Where they were read, for messages.
        precision: In what `search` computes. Files in `more` are in float32 all the same.
        more: Returns another file that the model's card names, such as `search.xml`, verified; None
            where it names none.
    """

    template: bytes
    search: bytes
    folder: Path
    precision: Literal["float32", "int8"] = "float32"
    more: Callable[[str], bytes | None] = lambda name: None

    def __post_init__(self) -> None:
        """Refuse graphs that keep weights in other files, which no hash covers.

        Raises:
            WeightsError: If a graph does.
        """
        for name, graph in (("template", self.template), ("search", self.search)):
            if _ELSEWHERE in graph:
                raise WeightsError(
                    f"{self.folder / name}.onnx keeps weights in another file, which its hash does "
                    "not cover: export the model again, so that each graph is one file"
                )


RUNTIMES: Registry[Callable[[Graphs, int], Runtime]] = Registry("runtime", "siamtrack.runtimes")
"""Name of a runtime to a callable (graphs, threads) -> Runtime."""
