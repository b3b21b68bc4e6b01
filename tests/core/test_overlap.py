"""Reading ahead and writing behind: nothing is lost, nothing piles up, errors keep their place."""

import threading
import time

import pytest

from siamtrack.core.overlap import Ahead, Behind


def numbers(count, seen=None, error=None):
    for number in range(count):
        if seen is not None:
            seen.append(number)
        yield number
    if error is not None:
        raise error


def until(there, seconds=10.0):
    end = time.monotonic() + seconds
    while not there() and time.monotonic() < end:
        time.sleep(0.005)
    assert there()


def test_no_more_is_read_than_may_wait():
    seen = []
    ahead = Ahead(numbers(100, seen), depth=3)
    iteration = iter(ahead)
    assert next(iteration) == 0
    until(lambda: len(seen) == 5)  # one taken, three waiting, one in hand
    time.sleep(0.05)
    assert len(seen) == 5
    assert list(iteration) == list(range(1, 100))


def test_an_error_of_reading_comes_after_all_items_before_it():
    taken = []
    with pytest.raises(OSError, match="gone"):
        taken.extend(Ahead(numbers(7, error=OSError("gone")), depth=2))
    assert taken == list(range(7))


def test_closing_early_ends_the_thread_and_the_generator():
    closed = threading.Event()

    def items():
        try:
            yield from range(1000)
        finally:
            closed.set()

    before = threading.active_count()
    ahead = Ahead(items(), depth=2)
    next(iter(ahead))
    ahead.close()
    assert closed.is_set()
    assert threading.active_count() == before


def test_closing_does_not_wait_for_a_reader_that_stalls():
    release = threading.Event()

    def items():
        yield 0
        release.wait(10)

    ahead = Ahead(items(), depth=2)
    next(iter(ahead))
    clock = time.monotonic()
    ahead.close(timeout=0.05)
    assert time.monotonic() - clock < 5
    release.set()


def test_reading_goes_on_while_an_item_is_in_use_and_is_timed():
    seen = []
    ahead = Ahead(numbers(2, seen), depth=1)
    for _ in ahead:
        until(lambda: len(seen) == 2)
    assert ahead.busy >= 0


def test_work_is_done_in_order_and_all_of_it_by_the_end():
    done, gate = [], threading.Event()

    def work(number):
        gate.wait(10)
        done.append(number)

    behind = Behind(work, depth=4)
    for number in range(5):  # one in work, four waiting
        behind.put(number)
    assert not done
    gate.set()
    behind.close()
    behind.close()
    assert done == list(range(5))
    with pytest.raises(ValueError, match="put before close"):
        behind.put(6)


def test_whoever_is_too_quick_waits():
    done, turn = [], threading.Semaphore(0)

    def work(number):
        turn.acquire(timeout=10)
        done.append(number)

    behind = Behind(work, depth=1)
    behind.put(0)
    behind.put(1)
    putting = threading.Thread(target=behind.put, args=(2,))
    putting.start()
    time.sleep(0.05)
    for _ in range(3):
        turn.release()
    putting.join(10)
    behind.close()
    assert done == [0, 1, 2]


@pytest.mark.parametrize("late", [False, True])
def test_an_error_of_the_work_comes_out_once_and_nothing_is_done_after_it(late):
    done, gate = [], threading.Event()

    def work(number):
        gate.wait(10)
        if number == 1:
            raise OSError("disk full")
        done.append(number)

    behind = Behind(work, depth=4)
    for number in range(4):
        behind.put(number)
    gate.set()
    ask = behind.close if late else lambda: [behind.put(number) for number in range(100)]
    with pytest.raises(OSError, match="disk full"):
        ask()
    behind.close()
    assert done == [0]
