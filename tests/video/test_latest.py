"""The newest item only."""

import threading
import time

import pytest

from siamtrack.core.overlap import Ahead


def test_a_slow_taker_gets_the_newest_and_the_rest_is_counted():
    gate = threading.Event()

    def items():
        yield 0
        gate.wait(5)
        yield from range(1, 50)

    newest = Ahead(items(), newest=True)
    iteration = iter(newest)
    assert next(iteration) == 0
    gate.set()
    newest._thread.join(60)
    assert list(iteration) == [49]
    assert newest.dropped == 48


def test_a_fast_taker_gets_everything():
    turn = threading.Semaphore(1)

    def items():
        for number in range(20):
            assert turn.acquire(timeout=60)
            yield number

    newest, taken = Ahead(items(), newest=True), []
    for item in newest:
        taken.append(item)
        turn.release()
    assert taken == list(range(20))
    assert newest.dropped == 0


def test_an_error_comes_out_after_the_last_item():
    def items():
        yield 1
        raise OSError("gone")

    taken = []
    with pytest.raises(OSError, match="gone"):
        taken.extend(Ahead(items(), newest=True))
    assert taken == [1]


def test_close_stops_the_thread_and_closes_the_generator():
    closed = threading.Event()

    def items():
        try:
            while True:
                yield time.monotonic()
        finally:
            closed.set()

    newest = Ahead(items(), newest=True)
    iteration = iter(newest)
    next(iteration)
    newest.close()
    assert closed.is_set()
    assert not newest._thread.is_alive()


def test_close_does_not_wait_for_ever():
    release = threading.Event()

    def items():
        yield 0
        release.wait(120)
        yield 1

    newest = Ahead(items(), newest=True)
    next(iter(newest))
    before = time.monotonic()
    newest.close(timeout=0.05)
    assert time.monotonic() - before < 60
    assert newest._thread.is_alive()
    release.set()
    newest._thread.join(60)
    assert not newest._thread.is_alive()


def test_close_before_the_start_does_nothing():
    Ahead(iter(()), newest=True).close()
