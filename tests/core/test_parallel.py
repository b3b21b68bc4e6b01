"""Several processes: nothing is left behind, whatever kills the parent."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from siamtrack.evaluation import evaluate
from tests.evaluation.test_evaluate import figures
from tests.evaluation.toys import Blob, Recorded, toys
from tests.processes import started


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a thing of POSIX")
def test_kill_9_of_the_parent_ends_the_workers_and_the_run_goes_on(tmp_path, monkeypatch):
    log = tmp_path / "pids"
    log.touch()
    monkeypatch.setenv("SIAMTRACK_TEST_LOG", str(log))
    root = str(Path(__file__).parents[2])
    code = (
        "from tests.evaluation.toys import Stuck, toys; from siamtrack.evaluation import evaluate\n"
        f"if __name__ == '__main__': evaluate(Stuck, toys(8), out={str(tmp_path / 'out')!r}, "
        "workers=2, name='blob')"
    )
    script = tmp_path / "run.py"
    script.write_text(code)
    path = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
    with started([sys.executable, str(script)], env={**os.environ, "PYTHONPATH": path}) as parent:
        deadline = time.monotonic() + 600
        while not list((tmp_path / "out").rglob("Toy?.txt")):
            assert time.monotonic() < deadline
            assert parent.poll() is None
            time.sleep(0.05)
        parent.send_signal(signal.SIGKILL)
    workers = {int(pid) for pid in log.read_text().split()}
    assert workers
    while any(_alive(pid) for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    finished = {file.name for file in (tmp_path / "out" / "blob").glob("Toy?.txt")}
    assert 1 <= len(finished) <= 2
    before = {name: (tmp_path / "out" / "blob" / name).stat().st_mtime_ns for name in finished}
    resumed = evaluate(Blob, toys(8), out=tmp_path / "out", name="blob")
    assert before == {
        name: (tmp_path / "out" / "blob" / name).stat().st_mtime_ns for name in finished
    }
    assert figures(resumed) == figures(evaluate(Blob, toys(8), out=tmp_path / "whole", name="blob"))


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] == "Z")


def test_the_recorded_one_is_a_blob(tmp_path, monkeypatch):
    monkeypatch.setenv("SIAMTRACK_TEST_LOG", str(tmp_path / "log"))
    assert figures(evaluate(Recorded, toys(1, 3), name="x")) == figures(
        evaluate(Blob, toys(1, 3), name="x")
    )
