"""Rows of a batch in turn, each in the next free thread."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

import numpy as np

from siamtrack.runtimes.base import Floats
from siamtrack.runtimes.graph import Feed, Graph, Input

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
