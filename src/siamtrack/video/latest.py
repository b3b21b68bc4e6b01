"""Only the newest item of an iterator that does not wait: a thread reads, the rest is dropped."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Newest(Generic[T]):
    """Iterate over the newest items of `items`, which a thread of its own reads.

    Args:
        items: A generator. An exception that it raises comes out of the iteration, after the last
            item.

    Attributes:
        dropped: Number of items replaced by a newer one before they were taken.

    Example:
        >>> newest = Newest(number for number in range(1000))
        >>> taken = list(newest)
        >>> taken[-1], len(taken) + newest.dropped
        (999, 1000)
    """

    def __init__(self, items: Generator[T, None, None]) -> None:
        self.dropped = 0
        self._items = items
        self._changed = threading.Condition()
        self._slot: list[T] = []
        self._error: Exception | None = None
        self._done = False
        self._stop = False
        self._thread = threading.Thread(target=self._read, name="siamtrack-newest", daemon=True)

    def __iter__(self) -> Iterator[T]:
        self._thread.start()
        while True:
            with self._changed:
                while not self._slot and not self._done:
                    self._changed.wait(timeout=0.5)  # wakes up for Ctrl-C on every platform
                if not self._slot:
                    break
                item = self._slot.pop()
            yield item
        if self._error is not None:
            raise self._error

    def close(self, timeout: float = 2.0) -> None:
        """Stop the thread; wait for it at most `timeout` seconds."""
        self._stop = True
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _read(self) -> None:
        try:
            for item in self._items:
                if self._stop:
                    break
                with self._changed:
                    self.dropped += len(self._slot)
                    self._slot[:] = [item]
                    self._changed.notify()
        except Exception as error:
            self._error = error
        finally:
            self._items.close()
            with self._changed:
                self._done = True
                self._changed.notify()
