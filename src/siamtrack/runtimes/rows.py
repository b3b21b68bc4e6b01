"""Large batches on the CPU: rows side by side, each in one thread, not threads in each operator.

Threads inside an operator meet at its end, some eighty times in a graph, and wait for the slowest,
which is long on a machine that has other work. Rows of a batch need not meet before the end of all,
and keep to one row's activations, which fit into caches that those of a whole batch do not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Lock

import numpy as np

from siamtrack.runtimes.base import Floats
from siamtrack.runtimes.graph import Feed, Graph, Input

MANY = 4
"""Rows for each thread from which it pays: measured with two threads on two cores."""


class SharedRows:
    """A graph that takes the rows of a batch in turn, each in the next free thread.

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
        if self._threads < 2 or rows < MANY * self._threads:
            return self._inside.run(feed)
        parts = self._side_by_side(feed, rows)
        return {name: np.concatenate([part[name] for part in parts]) for name in self.outputs}

    def _side_by_side(self, feed: Feed, rows: int) -> list[dict[str, Floats]]:
        with self._lock:
            if self._single is None:
                self._single = self._make()
            graph = self._single
        found: list[dict[str, Floats]] = [{}] * rows
        numbers = count()  # taken with `next`, which is one step for all threads

        def take() -> None:
            while (row := next(numbers)) < rows:
                found[row] = graph.run({name: each[row : row + 1] for name, each in feed.items()})

        # threads of this call only: none is left to be lost in a fork or to be closed
        with ThreadPoolExecutor(self._threads - 1) as pool:
            others = [pool.submit(take) for _ in range(self._threads - 1)]
            take()
            for other in others:
                other.result()
        return found
