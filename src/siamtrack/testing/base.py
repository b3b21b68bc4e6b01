"""What a check is, how checks are run, and how they become tests of pytest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from siamtrack.core.config import shown
from siamtrack.core.registry import Registry

Check = Callable[[Any], None]
"""Takes the thing, and raises what is wrong with it."""
Expected = Mapping[str, str]
"""Name of a check that is known to fail to the reason."""


class CheckError(AssertionError):
    """Something does not do what its interface promises; the message says what to change."""


@dataclass(frozen=True)
class Outcome:
    """What came of one check.

    Attributes:
        check: Its name.
        problem: What is wrong; empty if it passed.
        reason: Why it was expected to fail; empty if it was not.
    """

    check: str
    problem: str = ""
    reason: str = ""

    @property
    def is_as_expected(self) -> bool:
        """Whether it passed, or failed as expected."""
        return bool(self.problem) == bool(self.reason)


class Checks:
    """The checks of one kind of thing, in the order in which they run.

    Example:
        >>> checks = Checks("number")
        >>> @checks.add
        ... def is_positive(number): expect(number > 0, "expected a number above 0")
        >>> [outcome.problem for outcome in checks.run(-1)]
        ['expected a number above 0']
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._checks: dict[str, Check] = {}

    def add(self, check: Check) -> Check:
        """Add a check under its name."""
        self._checks[check.__name__] = check
        return check

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the checks."""
        return tuple(self._checks)

    def one(self, name: str, thing: Any) -> None:
        """Run one check.

        Raises:
            CheckError: If it fails; what the thing itself raised is the cause.
            UnknownNameError: If there is no such check.
        """
        if name not in self._checks:
            known: Registry[Check] = Registry("check")
            known._items.update(self._checks)
            raise known.unknown(name)
        try:
            self._checks[name](thing)
        except CheckError:
            raise
        except Exception as error:  # anything can go wrong in what others wrote
            raise CheckError(f"raised {type(error).__name__}: {error}") from error

    def run(self, thing: Any, expected: Expected | None = None) -> Iterator[Outcome]:
        """Run the checks one after another, whatever fails.

        Raises:
            UnknownNameError: If `expected` names a check that there is not.
        """
        reasons = dict(expected or {})
        for name in reasons:
            if name not in self._checks:
                self.one(name, thing)
        for name in self._checks:
            problem = ""
            try:
                self.one(name, thing)
            except CheckError as error:
                problem = str(error) or "failed"
            yield Outcome(name, problem, reasons.get(name, ""))

    def verify(self, thing: Any, expected: Expected | None = None) -> list[Outcome]:
        """Run the checks, up to the first that does not end as expected.

        Raises:
            CheckError: With the name of the check, and what to change.
            UnknownNameError: If `expected` names a check that there is not.
        """
        outcomes = []
        for outcome in self.run(thing, expected):
            outcomes.append(outcome)
            if outcome.problem and not outcome.reason:
                raise CheckError(f"{self.kind}, check {outcome.check!r}: {outcome.problem}")
            if outcome.reason and not outcome.problem:
                raise CheckError(
                    f"{self.kind}, check {outcome.check!r} passed, and was expected to fail "
                    f"({outcome.reason}): take it out of `expected`"
                )
        return outcomes


KINDS: dict[str, Checks] = {
    kind: Checks(kind) for kind in ("tracker", "data set", "runtime", "backbone", "head", "loss")
}
"""Kind of thing, as `siamtrack plugins` calls it, to its checks."""


def expect(condition: bool, message: str) -> None:
    """Raise `CheckError` with the message unless the condition holds."""
    if not condition:
        raise CheckError(message)


def refuses(call: Callable[[], Any], what: str) -> None:
    """Expect a call to raise `ValueError` or another built-in error for bad arguments."""
    try:
        call()
    except (ValueError, TypeError, LookupError):
        return
    raise CheckError(f"took {what}: expected a ValueError that says what to give instead")


def parametrize_with_checks(
    things: Iterable[tuple[str, Any]],
    *,
    expected: Callable[[Any], Expected] | None = None,
) -> Any:
    """Return a decorator that makes a test of pytest of every check of every thing.

    Args:
        things: Kind and thing, such as `("tracker", MyTracker)`; the kinds are those of `KINDS`.
        expected: Takes a thing and returns the checks that it is known to fail with the reasons;
            those tests count as expected failures, and fail if they pass.

    Raises:
        ValueError: If there is no such kind.

    Example:
        >>> @parametrize_with_checks([("tracker", dict)])
        ... def test_mine(check):
        ...     check()
    """
    import pytest

    parameters = []
    for kind, thing in things:
        if kind not in KINDS:
            raise ValueError(f"kind {shown(kind)}: expected one of {', '.join(KINDS)}")
        checks = KINDS[kind]
        reasons = {} if expected is None else expected(thing)
        for name in checks.names:
            marks = []
            if name in reasons:
                marks = [pytest.mark.xfail(reason=reasons[name], raises=CheckError, strict=True)]
            label = f"{getattr(thing, '__name__', type(thing).__name__)}-{name}"
            parameters.append(pytest.param(partial(checks.one, name, thing), id=label, marks=marks))
    return pytest.mark.parametrize("check", parameters)
