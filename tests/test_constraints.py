"""Every version that the tests run with is pinned, and every extra's package has a pin."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PINS = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()


def name_of(requirement):
    """The name of a package as indexes compare it."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement).group()).lower()


def test_every_constraint_is_one_version():
    lines = [line for line in PINS if line.strip() and not line.startswith("#")]
    for line in lines:
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]*==\d+(\.\d+)*", line), line
    names = [name_of(line) for line in lines]
    assert len(set(names)) == len(names), "each once"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib")
def test_every_package_that_is_asked_for_is_pinned():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = {name_of(each) for part in extras.values() for each in part}
    asked |= {name_of(each) for each in project["dependencies"]}
    pinned = {name_of(line) for line in PINS if line and not line.startswith("#")}
    assert asked - {"siamtrack"} - pinned == set()


def test_the_lock_file_holds_the_pinned_versions():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock, flags=re.MULTILINE))
    pinned = dict(line.split("==") for line in PINS if line and not line.startswith("#"))
    del pinned["torch"]  # installed apart, see CONTRIBUTING.md
    assert {name: locked.get(name) for name in pinned} == pinned
