import sys

import pytest

from siamtrack.benchmark.fresh import measure, peak, resident, threads
from siamtrack.errors import SiamtrackError
from tests.benchmark import still
from tests.benchmark.toys import toy_clip


def test_a_process_of_its_own():
    found = measure(f"{still.__file__}:Still", toy_clip(), threads=1, updates=7)
    assert found.updates == 7
    assert found.total_ms > found.import_ms + found.load_ms > 0
    assert 0 < found.first_box_ms < found.total_ms
    if sys.platform == "linux":
        assert found.peak_mb > 20
        assert abs(found.growth_mb) < 5
        assert found.threads >= 1


def test_a_process_that_fails(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "class Broken:\n"
        "    def init(self, frame, box): pass\n"
        "    def update(self, frame): raise KeyError('no such cell')\n"
    )
    with pytest.raises(SiamtrackError, match="ended with code 1: KeyError: 'no such cell'"):
        measure(f"{file}:Broken", toy_clip(), threads=1)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is of Linux")
def test_memory_of_this_process():
    before = resident()
    block = bytearray(80_000_000)
    block[::4096] = b"x" * len(block[::4096])
    assert 60 < resident() - before < 100
    assert peak() >= resident() - 1
    assert threads() >= 1
