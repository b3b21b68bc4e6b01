"""What tests need, a disk of a few megabytes (tests marked `root`), child processes, small models.

A test that needs more than the core install and pytest says so: `@pytest.mark.needs("torch")`. A
whole module says it in its `pytestmark`, a whole folder in that of its `__init__.py`, and is then
not even imported where the package is absent.
"""

import re
import shutil
import subprocess
from importlib.util import find_spec

import pytest
from hypothesis import settings

from tests.processes import start as start

# a busy machine is no failure: what must be quick is measured as a ratio, where that is the subject
settings.register_profile("siamtrack", deadline=None)
settings.load_profile("siamtrack")

NEEDS = re.compile(r"^pytestmark = (?:\[[^\]]*|.*)\bneeds\(([^)]*)\)", re.MULTILINE)


def absent(packages):
    return [name for name in packages if find_spec(name.partition(".")[0]) is None]


def pytest_ignore_collect(collection_path):
    file = collection_path / "__init__.py" if collection_path.is_dir() else collection_path
    if file.suffix != ".py" or not file.exists():
        return None
    needs = NEEDS.search(file.read_text(encoding="utf-8"))
    return True if needs and absent(re.findall(r'"(.+?)"', needs[1])) else None


def pytest_runtest_setup(item):
    for mark in item.iter_markers("needs"):
        if missing := absent(mark.args):
            pytest.skip(f"needs {', '.join(missing)}")


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Folders of a small model of each kind, with the network for the runtime torch."""
    from siamtrack.training.checkpoint import export
    from tests.networks import KINDS, write_checkpoint

    root = tmp_path_factory.mktemp("small")
    for kind in KINDS:
        checkpoint = write_checkpoint(root / f"{kind}.pt", kind)
        export(checkpoint, root / kind, formats=["torch"])
    return {kind: root / kind for kind in KINDS}


class Disk:
    """A small file system of its own."""

    def __init__(self, place):
        self.place = place
        self._filler = place / ".filler"

    def leave(self, size):
        """Fill it but for `size` bytes."""
        self._filler.write_bytes(bytes(max(0, shutil.disk_usage(self.place).free - size)))

    def empty(self):
        """Make room again."""
        self._filler.unlink()


@pytest.fixture
def disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    order = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(order, capture_output=True).returncode:
        pytest.skip("a small disk is mounted for this, which needs Linux and root")
    yield Disk(place)
    subprocess.run(["umount", "-l", str(place)], check=True)
