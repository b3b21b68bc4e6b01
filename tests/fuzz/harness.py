"""What fuzzing shares: changes to bytes, how many cases, a limit of time and memory, the tally.

`SIAMTRACK_FUZZ` is the number of cases of each test: a few by default, always the same ones;
`make fuzz` sets thousands, other ones each time.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

CASES = int(os.environ.get("SIAMTRACK_FUZZ", "0"))
QUICK = 8
SECONDS = 20
"""Seconds of processor time, which a busy machine does not change; a longer case hangs."""
WAITING = 300
"""Seconds by the clock after which a case hangs that computes nothing."""
MEMORY = 1 << 30
"""Bytes that the process may grow by in one case."""

TALLY: Counter[str] = Counter()

fuzz = settings(
    max_examples=CASES or QUICK,
    deadline=None,
    derandomize=not CASES,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)

slow_fuzz = settings(fuzz, max_examples=min(CASES // 20 + 1, 500) if CASES else 2)
"""For cases that take a tenth of a second and more."""

TOKENS = [
    b"",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"nan",
    b"-nan",
    b"inf",
    b"-1",
    b"1e999",
    b"-1e308",
    b"9" * 30,
    b"9" * 400,
    b"9" * 5000,
    b"1e-320",
    b"0",
    b"null",
    b"true",
    b"NaN",
    b"Infinity",
    b"[",
    b"]",
    b"{}",
    b"{",
    b"[]",
    b"[[]]",
    b'"',
    b"\\u0000",
    b"[" * 5000,
    b'{"a":' * 5000,
    b"\n",
    b"\r",
    b"\n\n",
    b",",
    b",,",
    b";",
    b"\t",
    b"<",
    b"<x>",
    b"&a;",
    b"<!DOCTYPE a>",
    b"../",
    b"/etc/passwd",
    b"%s",
    b"\xc3\xa9",
    b"\xe2\x80\xa8",
    b"\x1a",
    b"-",
    b".",
    b"\xff" * 8,
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x00",
    b"\x80\x00\x00\x00",
]

PLACE = st.floats(0, 1, exclude_max=True)
CHANGE = st.one_of(
    st.tuples(st.just("put"), PLACE, st.integers(0, 8), st.sampled_from(TOKENS)),
    st.tuples(st.just("put"), PLACE, st.integers(0, 8), st.binary(max_size=8)),
    st.tuples(st.just("flip"), PLACE, st.integers(0, 7), st.just(b"")),
    st.tuples(st.just("cut"), PLACE, st.just(0), st.just(b"")),
    st.tuples(st.just("drop"), PLACE, st.integers(1, 64), st.just(b"")),
    st.tuples(st.just("again"), PLACE, st.integers(1, 64), st.just(b"")),
)
OTHER = st.tuples(st.just("other"), PLACE, st.just(0), st.sampled_from(TOKENS) | st.binary())
CHANGES = st.integers(0, 15).flatmap(
    lambda kind: st.lists(CHANGE if kind else OTHER, min_size=1, max_size=4 if kind > 5 else 1)
)


def changed(data: bytes, changes: list[tuple[str, float, int, bytes]]) -> bytes:
    """Return `data` after changes: bytes put in, flipped, cut off, dropped, repeated, replaced.

    Example:
        >>> changed(b"abcdef", [("put", 0.5, 1, b"-"), ("cut", 0.9, 0, b"")])
        b'abc-e'
    """
    for kind, place, size, token in changes:
        at = int(place * len(data))
        if kind == "put":
            data = data[:at] + token + data[at + size :]
        elif kind == "flip" and data:
            data = data[:at] + bytes([data[at] ^ 1 << size]) + data[at + 1 :]
        elif kind == "cut":
            data = data[:at]
        elif kind == "drop":
            data = data[:at] + data[at + size :]
        elif kind == "again":
            data = data[:at] + data[at : at + size] * 3 + data[at + size :]
        elif kind == "other":
            data = token
    return data


@contextlib.contextmanager
def case(name: str, *refusals: type[Exception]):
    """One case: it passes or is refused by one of `refusals` with a sentence; nothing else may be.

    A case that hangs, grows without bound or raises something else fails the test.
    """
    TALLY[f"{name} cases"] += 1
    before = peak()
    old = [(number, signal.signal(number, _hangs)) for number in (signal.SIGPROF, signal.SIGALRM)]
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.alarm(WAITING)
    try:
        yield
        TALLY[f"{name} read"] += 1
    except refusals as error:
        if len(str(error)) < 10:
            raise AssertionError(f"no sentence: {error!r}") from error
        TALLY[f"{name} refused"] += 1
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        for number, handler in old:
            signal.signal(number, handler)
    assert peak() - before < MEMORY, "the memory grows without bound"


def _hangs(*_: object) -> None:
    raise AssertionError(f"hangs: not done after {SECONDS} s of work, or {WAITING} s of waiting")


def peak() -> int:
    """Bytes of memory that the process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def files_below(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    """Return the annotation files of a tree, images left out."""
    found = [path for path in sorted(folder.rglob("*")) if path.name.endswith(endings)]
    return [path for path in found if "images" not in path.parts]
