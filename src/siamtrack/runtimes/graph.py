"""What runtimes share that run two graphs: names, shapes, batches of any size, rows in threads."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from siamtrack.core.images import Image
from siamtrack.errors import WeightsError
from siamtrack.runtimes.base import Floats, Response, Runtime

Feed = dict[str, NDArray[Any]]


class Input(NamedTuple):
    """What an input of a graph takes: its dtype, and its shape with None where any size fits."""

    dtype: str
    shape: tuple[int | None, ...]


class Graph(Protocol):
    """One graph in some engine, ready to run."""

    @property
    def inputs(self) -> Mapping[str, Input]:
        """What it takes, by name; the first size of each shape is the batch."""
        ...

    @property
    def outputs(self) -> Sequence[str]:
        """Names of what it gives."""
        ...

    def run(self, feed: Feed) -> dict[str, Floats]:
        """Map all inputs, by name, to all outputs."""
        ...


class RefinerGraphs:
    """The graphs of a refiner, which many trackers share; see `siamtrack.tracking.refine`.

    Attributes:
        reference: Maps `patch` (N, 96, 96, 3), uint8 RGB, and `size` (N, 2) to `memory` (N, ...).
        refine: Maps `patch`, `size` and `memory` to `sides` (N, 4).
    """

    shareable = True

    def __init__(self, reference: Graph, refine: Graph) -> None:
        self.reference, self.refine = reference, refine


class GraphRuntime:
    """A `Runtime` made of two graphs; `where` they come from is for messages.

    A graph that takes batches of one size only, because it was exported so or because its engine
    prepares for one size, is called as often as the batch needs; the last call may hold copies of
    the last row, which are dropped.

    Raises:
        WeightsError: If a graph has other inputs or outputs.
    """

    shareable = False
    """Whether many threads may call it at once without waiting for each other."""

    def __init__(self, template: Graph, search: Graph, where: Path | str) -> None:
        self._template, self._search, self._where = template, search, where
        self._check("search", search, ({"kernel", "search"},), "kernel and search to score")
        inputs = ({"template"}, {"template", "size"})
        self._check("template", template, inputs, "template (and size) to kernel")

    def embed(self, template: Image, size: Floats) -> Floats:
        """Map template patches (B, T, T, 3), uint8 RGB, and sizes (B, 2) to kernels (B, ...)."""
        feed: Feed = {"template": template}
        if "size" in self._template.inputs:
            feed["size"] = np.asarray(size, dtype=np.float32)
        return self._run(self._template, feed)["kernel"]

    def respond(self, kernel: Floats, search: Image) -> Response:
        """Match kernels (B, ...) with search patches (B, S, S, 3), uint8 RGB, one by one."""
        found = self._run(self._search, {"kernel": kernel, "search": search})
        return Response(
            score=found["score"],
            distances=found.get("distances"),
            presence=found.get("presence"),
            features=found.get("features"),
        )

    def apart(self, rows: int) -> tuple[int, Runtime] | None:
        """Return how many threads should share so many rows, and a runtime to call for each row.

        It may be called from all these threads at once. None where one batch is quicker.
        """
        share = getattr(self._search, "apart", None)
        found = None if share is None else share(rows)
        if found is None:
            return None
        threads, graph = found
        return threads, GraphRuntime(self._template, graph, self._where)

    def _check(self, which: str, graph: Graph, inputs: tuple[set[str], ...], expected: str) -> None:
        there = ", ".join(
            f"{n} {i.dtype} {_text(i.shape)}" for n, i in sorted(graph.inputs.items())
        )
        output = "score" if which == "search" else "kernel"
        patches = graph.inputs.get(which)
        if (
            set(graph.inputs) not in inputs
            or output not in graph.outputs
            or patches is None
            or patches.dtype != "uint8"
            or len(patches.shape) != 4
            or patches.shape[3] != 3
        ):
            raise WeightsError(
                f"{self._where}: the {which} graph maps {there} to {', '.join(graph.outputs)}; "
                f"expected {expected}, with {which} uint8 (batch, side, side, 3); export the model "
                "with `siamtrack export`"
            )

    def _run(self, graph: Graph, feed: Feed) -> dict[str, Floats]:
        for name, value in feed.items():
            wanted = graph.inputs[name].shape[1:]
            if len(wanted) != value.ndim - 1 or any(
                want not in (None, size) for want, size in zip(wanted, value.shape[1:], strict=True)
            ):
                raise WeightsError(
                    f"{self._where}: {name} of shape {value.shape} for a graph that takes "
                    f"{_text(graph.inputs[name].shape)}; export the model again, so that card and "
                    "graphs belong together"
                )
        counts = {name: len(value) for name, value in feed.items()}
        count = min(counts.values())
        if not count or len(set(counts.values())) > 1:
            raise ValueError(f"expected as many of each and at least one, got {counts}")
        feed = {name: np.ascontiguousarray(value) for name, value in feed.items()}
        each = next((item.shape[0] for item in graph.inputs.values() if item.shape[0]), count)
        if each == count:
            return graph.run(feed)
        parts = []
        for first in range(0, count, each):
            rows = np.minimum(np.arange(first, first + each), count - 1)
            parts.append(graph.run({name: value[rows] for name, value in feed.items()}))
        return {name: np.concatenate([p[name] for p in parts])[:count] for name in graph.outputs}


def _text(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"


R = TypeVar("R")
T = TypeVar("T")

MANY = 4
"""Rows for each thread from which it pays: measured with two threads on two cores."""


class SharedRows:
    """A graph that takes the rows of a batch in turn, each in the next free thread.

    Threads inside an operator meet at its end, some eighty times in a graph, and wait for the
    slowest, which is long on a machine that has other work. Rows of a batch need not meet before
    the end of all, and keep to one row's activations, which fit into caches that those of a whole
    batch do not.

    Small batches, a single row above all, go through the graph that has all threads inside: one
    waits less for those than for a thread with nothing left to take.

    Args:
        inside: The graph with its threads inside operators.
        threads: How many threads.
        single: Returns the same graph with one thread, which may run in many threads at once; it is
            called when the first batch comes.
    """

    def __init__(self, inside: Graph, threads: int, single: Callable[[], Graph]) -> None:
        self._inside, self._threads, self._make = inside, threads, single
        self._single: Graph | None = None
        self._lock = Lock()

    @property
    def inputs(self) -> Mapping[str, Input]:
        """What it takes, by name."""
        return self._inside.inputs

    @property
    def outputs(self) -> Sequence[str]:
        """Names of what it gives."""
        return self._inside.outputs

    def run(self, feed: Feed) -> dict[str, Floats]:
        """Map all inputs, by name, to all outputs."""
        rows = len(next(iter(feed.values())))
        apart = self.apart(rows)
        if apart is None:
            return self._inside.run(feed)
        threads, graph = apart

        def one(row: int) -> dict[str, Floats]:
            return graph.run({name: each[row : row + 1] for name, each in feed.items()})

        parts = side_by_side(one, rows, threads)
        return {name: np.concatenate([part[name] for part in parts]) for name in self.outputs}

    def apart(self, rows: int) -> tuple[int, Graph] | None:
        """Return how many threads should take so many rows, and the graph to call for each row.

        None where one batch is quicker.
        """
        if self._threads < 2 or rows < MANY * self._threads:
            return None
        with self._lock:
            if self._single is None:
                self._single = self._make()
            return self._threads, self._single


def side_by_side(one: Callable[[int], T], count: int, threads: int) -> list[T]:
    """Return `one(0)` to `one(count - 1)`, each called in the next free of so many threads.

    Raises:
        Exception: What a call raised; all threads have ended by then.

    Example:
        >>> side_by_side(lambda number: number**2, 5, 2)
        [0, 1, 4, 9, 16]
    """
    found: dict[int, T] = {}
    numbers = itertools.count()  # taken with `next`, which is one step for all threads

    def take() -> None:
        while (number := next(numbers)) < count:
            found[number] = one(number)

    # threads of this call only: none is left to be lost in a fork or to be closed
    with ThreadPoolExecutor(threads - 1) as pool:
        others = [pool.submit(take) for _ in range(threads - 1)]
        take()
        for other in others:
            other.result()
    return [found[number] for number in range(count)]


def overlapped(
    prepare: Callable[[int], None],
    work: Callable[[int], R],
    finish: Callable[[int, R], T],
    count: int,
    threads: int,
) -> list[T]:
    """Return `finish(k, work(k))` for k from 0 to `count` - 1, with the work in so many threads.

    The calling thread prepares each number and finishes each, in order and one right after the
    other, so that what these need stays in its caches; in between it takes its part of the work,
    from the end, while the others take theirs from the beginning, as soon as it is prepared.

    Raises:
        Exception: What a call raised; all threads have ended by then.

    Example:
        >>> overlapped(lambda k: None, lambda k: k**2, lambda k, square: (k, square), 3, 2)
        [(0, 0), (1, 1), (2, 4)]
    """
    own: dict[int, R] = {}
    with ThreadPoolExecutor(threads - 1) as pool:
        others: list[Future[R]] = []
        try:
            for number in range(count):
                prepare(number)
                others.append(pool.submit(work, number))
            for number in reversed(range(count)):
                if not others[number].cancel():  # it has begun, and so have all before it
                    break
                own[number] = work(number)
            return [
                finish(number, own[number] if number in own else others[number].result())
                for number in range(count)
            ]
        finally:
            for other in others:
                other.cancel()
