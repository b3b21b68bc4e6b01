"""News for the pages that watch a project. A slow or vanished page never holds up who publishes."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import Any

MOST_WAITING = 200
"""Messages that may wait for one page; of more all are dropped, and it reads everything again."""

Message = dict[str, Any]


class Subscriber:
    """The messages that wait for one page."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Message] = deque()
        self._lock = threading.Lock()
        self._wake = asyncio.Event()

    def put(self, message: Message) -> None:
        """Add a message, from any thread; never waits."""
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                self._waiting.clear()
                self._waiting.append({"type": "resync"})
            self._waiting.append(message)
        try:
            self._loop.call_soon_threadsafe(self._wake.set)
        except RuntimeError:  # the loop has ended: nobody is there to read
            return

    async def get(self) -> list[Message]:
        """Wait for messages and return all that are there."""
        await self._wake.wait()
        self._wake.clear()
        with self._lock:
            found = list(self._waiting)
            self._waiting.clear()
        return found


class Hub:
    """Gives every message to every subscriber."""

    def __init__(self) -> None:
        self._subscribers: set[Subscriber] = set()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._subscribers)

    def subscribe(self) -> Subscriber:
        """Return a new subscriber; call in the event loop that will read it."""
        subscriber = Subscriber(asyncio.get_running_loop())
        with self._lock:
            self._subscribers.add(subscriber)
        return subscriber

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Forget a subscriber."""
        with self._lock:
            self._subscribers.discard(subscriber)

    def publish(self, message: Message) -> None:
        """Give a message to all, from any thread; never waits."""
        with self._lock:
            everybody = list(self._subscribers)
        for subscriber in everybody:
            subscriber.put(message)
