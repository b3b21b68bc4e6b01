"""A disk of a few megabytes, which can be filled (tests marked `root`), and child processes."""

import shutil
import subprocess

import pytest

from tests.processes import start as start


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
