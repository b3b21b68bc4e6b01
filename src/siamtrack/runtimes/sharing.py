"""One network for all trackers of a process that loaded the same model.

Sixteen trackers with a network each take six times the memory of sixteen that share one, and
several times as long: the waiting threads of one engine hold the cores that the next one needs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from weakref import WeakValueDictionary

from siamtrack.runtimes.base import Runtime

_alive: WeakValueDictionary[Hashable, Runtime] = WeakValueDictionary()


def shared(key: Hashable, make: Callable[[], Runtime]) -> Runtime:
    """Return the runtime that is in use under `key`, or a new one.

    It lives as long as a tracker that uses it. Only runtimes that say they may be called from many
    threads at once, with an attribute `shareable`, are shared. A forked process makes its own: the
    threads of an engine do not come along. Two threads that load at the same time may get one each.

    Args:
        key: All that the runtime depends on: engine, threads, hashes of its files.
        make: Returns a new one.
    """
    place = (os.getpid(), key)
    runtime = _alive.get(place)
    if runtime is None:
        runtime = make()
        if getattr(runtime, "shareable", False):
            _alive[place] = runtime
    return runtime
