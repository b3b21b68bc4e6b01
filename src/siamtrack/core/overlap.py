"""Work side by side: items read ahead of who takes them, and work done behind who asks for it.

Both are threads with a bounded queue. They gain where the work leaves Python, as decoding, encoding
and the network do. Exceptions come out in the thread that asked, after everything before them.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

WAKE = 0.5
"""Seconds after which a waiting thread looks up, so that Ctrl-C is noticed on every platform."""


class Ahead(Generic[T]):
    """The items of a generator, read by a thread of its own.

    Args:
        items: A generator. An exception that it raises comes out of the iteration, after the last
            item.
        depth: How many items may wait, 1 or more; one more is being read.
        newest: Never wait for who takes them: a new item replaces what waits.

    Attributes:
        busy: Seconds that reading took.
        dropped: Number of items replaced by a newer one before they were taken.

    Example:
        >>> list(Ahead((number for number in range(5)), depth=2))
        [0, 1, 2, 3, 4]
        >>> newest = Ahead((number for number in range(1000)), newest=True)
        >>> taken = list(newest)
        >>> taken[-1], len(taken) + newest.dropped
        (999, 1000)
    """

    def __init__(
        self, items: Generator[T, None, None], depth: int = 1, *, newest: bool = False
    ) -> None:
        self.busy, self.dropped = 0.0, 0
        self._items, self._depth, self._newest = items, depth, newest
        self._changed = threading.Condition()
        self._waiting: deque[T] = deque()
        self._error: Exception | None = None
        self._done = self._stop = False
        self._thread = threading.Thread(target=self._read, name="siamtrack-ahead", daemon=True)

    def __iter__(self) -> Iterator[T]:
        self._thread.start()
        while True:
            with self._changed:
                while not self._waiting and not self._done:
                    self._changed.wait(WAKE)
                if not self._waiting:
                    break
                item = self._waiting.popleft()
                self._changed.notify_all()
            yield item
        if self._error is not None:
            raise self._error

    def close(self, timeout: float | None = None) -> None:
        """Stop reading and close the generator; wait for that, at most `timeout` seconds."""
        with self._changed:
            self._stop = True
            self._waiting.clear()
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _read(self) -> None:
        try:
            while not self._stop:
                clock = time.perf_counter()
                try:
                    item = next(self._items)
                except StopIteration:
                    break
                finally:
                    self.busy += time.perf_counter() - clock
                with self._changed:
                    self._make_room()
                    if not self._stop:
                        self._waiting.append(item)
                        self._changed.notify_all()
        except Exception as error:
            self._error = error
        finally:
            self._items.close()
            with self._changed:
                self._done = True
                self._changed.notify_all()

    def _make_room(self) -> None:
        """Wait until another item may wait, or nobody takes them any more; or drop what waits."""
        if self._newest:
            self.dropped += len(self._waiting)
            self._waiting.clear()
        while len(self._waiting) >= self._depth and not self._stop:
            self._changed.wait()


class Behind(Generic[T]):
    """Work on items one after another, in a thread of its own.

    Args:
        work: What to do with an item. After an exception it is not called again.
        depth: How many items may wait, 1 or more; one more is in work.

    Attributes:
        busy: Seconds that the work took.

    Example:
        >>> done: list[int] = []
        >>> behind = Behind(done.append, depth=2)
        >>> for number in range(5):
        ...     behind.put(number)
        >>> behind.close()
        >>> done
        [0, 1, 2, 3, 4]
    """

    def __init__(self, work: Callable[[T], object], depth: int) -> None:
        self.busy = 0.0
        self._work, self._depth = work, depth
        self._changed = threading.Condition()
        self._waiting: deque[T] = deque()
        self._error: Exception | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="siamtrack-behind", daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Ask for work on an item; wait while too many are waiting.

        Raises:
            Exception: What the work on an earlier item raised, once.
            ValueError: After `close`.
        """
        with self._changed:
            if self._closed:
                raise ValueError("work for a thread that was closed: put before close")
            while len(self._waiting) >= self._depth and self._error is None:
                self._changed.wait(WAKE)
            self._raise()
            self._waiting.append(item)
            self._changed.notify_all()

    def close(self) -> None:
        """Wait until everything is done; further calls do nothing.

        Raises:
            Exception: What the work raised, if `put` has not raised it already.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        while self._thread.is_alive():
            self._thread.join(WAKE)
        with self._changed:
            self._raise()

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            self._closed = True
            raise error

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if not self._waiting:
                    return
                item = self._waiting.popleft()
                self._changed.notify_all()
            clock = time.perf_counter()
            try:
                self._work(item)
            except Exception as error:
                with self._changed:
                    self._error = error
                    self._waiting.clear()
                    self._changed.notify_all()
                return
            finally:
                self.busy += time.perf_counter() - clock
