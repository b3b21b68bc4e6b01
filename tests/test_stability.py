"""Arguments of the public names stay: `public_arguments.json` is what the last release had.

New optional arguments may come; add them there when they are released:
    python -m tests.test_stability > tests/public_arguments.json
"""

import inspect
import json
from pathlib import Path

import pytest

import siamtrack

RECORD = Path(__file__).with_name("public_arguments.json")
OF_CLASSES = ("SiamTracker", "OpenCVTracker")
"""Classes whose methods are recorded as well."""

pytestmark = pytest.mark.needs("torch")


def arguments():
    """Public callable to its arguments: name, kind and default of each."""
    found = {}
    for name in siamtrack.__all__:
        thing = getattr(siamtrack, name)
        if name not in ("Tracker", "TrackState"):
            found[name] = of(thing)
        if name in OF_CLASSES:
            methods = {n: m for n, m in vars(thing).items() if callable(m) and n[0] != "_"}
            found |= {f"{name}.{each}": of(method) for each, method in methods.items()}
    return found


def of(thing):
    return [
        [each.name, each.kind.name, "" if each.default is each.empty else shown(each.default)]
        for each in inspect.signature(thing).parameters.values()
    ]


def shown(default):
    return repr(default) if isinstance(default, int | float | str | None) else "given"


def recorded():
    return json.loads(RECORD.read_text()) if RECORD.is_file() else {}


@pytest.mark.parametrize("name", recorded())
def test_arguments_stay(name):
    was, now = recorded()[name], arguments()[name]
    by_name = {each[0]: each for each in now}
    for argument in was:
        assert by_name.get(argument[0]) == argument, f"{name} has changed"
    positional = [each[0] for each in was if each[1] == "POSITIONAL_OR_KEYWORD"]
    assert [each[0] for each in now][: len(positional)] == positional, f"order of {name}"
    added = [each for each in now if each[0] not in {old[0] for old in was}]
    assert all(each[2] or "VAR" in each[1] for each in added), f"{name} needs a new argument"


def test_nothing_public_is_gone():
    assert len(recorded()) >= 12
    assert set(recorded()) <= set(arguments())


if __name__ == "__main__":
    print(json.dumps(arguments(), indent=1))
