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


PINNED = dict(line.split("==") for line in PINS if line and not line.startswith("#"))
LOCKS = ["requirements.lock", "requirements-demo.lock"]


def locked(name):
    """Return the lines of each package of a lock file; of two versions, those of the last."""
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=[a-z0-9])", text)[1:]
    return {re.match(r"[a-z0-9-]+", block).group(): block for block in blocks}


def version(block):
    return re.match(r"[a-z0-9-]+==(\S+)", block).group(1)


def test_the_lock_files_hold_the_pinned_versions():
    found = {name: version(block) for name, block in locked("requirements.lock").items()}
    pinned = {name: each for name, each in PINNED.items() if name != "torch"}  # CONTRIBUTING.md
    assert {name: found.get(name) for name in pinned} == pinned
    for name, block in locked("requirements-demo.lock").items():
        assert version(block) == PINNED.get(name, found[name]), name


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib")
def test_the_lock_of_the_demo_is_all_that_it_needs():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["demo"], "hatchling"]
    assert {name_of(each) for each in asked} <= set(locked("requirements-demo.lock"))


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_of_a_lock_file_has_a_hash(name):
    blocks = locked(name)
    assert len(blocks) > 15
    for package, block in blocks.items():
        assert "--hash=sha256:" in block, package
    assert "://" not in (ROOT / name).read_text(encoding="utf-8"), "no address of an index"


def test_make_installs_from_the_lock_files():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    installs = [" ".join(line.split()) for line in makefile.splitlines() if "$(PYTHON)" not in line]
    for name in LOCKS:
        assert any(f"--require-hashes -r {name}" in line for line in installs), name
