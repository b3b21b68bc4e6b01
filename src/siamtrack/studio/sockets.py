"""Connections that nobody uses are closed: what uvicorn lacks against half-open sockets."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0
"""Seconds from the begin of a connection, or from the first byte of a request, to the end of its
head."""
BODY_SECONDS = 60.0
"""Seconds without any byte of a body that is still to come."""
MOST_WAITING = 128
"""Connections without a request; of more, the one that has waited longest is closed."""


class PatientProtocol(H11Protocol):
    """HTTP/1.1 with a limit of time for each head and body, and a limit of idle connections.

    A connection that waits between two requests is closed by uvicorn itself, `timeout_keep_alive`.
    """

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection; close the one that has waited longest if too many wait."""
        super().connection_made(transport)
        waiting = _waiting(self.connections)
        waiting.pop(self, None)
        waiting[self] = None
        while len(waiting) > MOST_WAITING:
            oldest = next(iter(waiting))
            del waiting[oldest]
            oldest._give_up()
        self._set_timer(HEAD_SECONDS)

    def data_received(self, data: bytes) -> None:
        """Take bytes; the time for a head does not begin again with each of them."""
        began = self._is_busy()
        super().data_received(data)
        if self._is_busy():
            _waiting(self.connections).pop(self, None)
            self._set_timer(BODY_SECONDS if self._has_body_to_come() else None)
        elif began or self._timer is None:
            self._set_timer(HEAD_SECONDS)

    def on_response_complete(self) -> None:
        """Wait for the next request, which uvicorn limits."""
        self._set_timer(None)
        super().on_response_complete()
        if not self.transport.is_closing() and not self._is_busy():
            _waiting(self.connections)[self] = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._set_timer(None)
        _waiting(self.connections).pop(self, None)
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Hand the connection over; WebSockets have pings of their own."""
        self._set_timer(None)
        _waiting(self.connections).pop(self, None)
        super().handle_websocket_upgrade(event)

    def _is_busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _has_body_to_come(self) -> bool:
        return bool(self.cycle.more_body)

    def _set_timer(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.abort()


_WAITING: dict[int, dict[PatientProtocol, None]] = {}


def _waiting(connections: set[Any]) -> dict[PatientProtocol, None]:
    """Return the connections of a server that have no request, the oldest first."""
    return _WAITING.setdefault(id(connections), {})
