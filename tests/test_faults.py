"""Faults of the machine: full disks, places that take nothing, workers that die, many threads."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import siamtrack
from siamtrack.errors import SiamtrackError
from siamtrack.evaluation import evaluate, write_results
from siamtrack.packages.card import load_model
from tests.evaluation.test_evaluate import figures
from tests.evaluation.toys import Blob, toys
from tests.helpers import clip, write_video

posix = pytest.mark.skipif(sys.platform == "win32", reason="limits and signals of POSIX")


class Dies(Blob):
    """A tracker that ends its process in one sequence, once."""

    def init(self, frame, box):
        flag = Path(os.environ["SIAMTRACK_TEST_FLAG"])
        done = Path(os.environ["SIAMTRACK_TEST_OUT"]).glob("*/Toy?.txt")
        if not flag.exists() and len(list(done)) >= 2:
            flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().init(frame, box)


@posix
@pytest.mark.slow
def test_a_worker_that_is_killed_is_told_and_a_rerun_goes_on(tmp_path, monkeypatch):
    out = tmp_path / "out"
    monkeypatch.setenv("SIAMTRACK_TEST_FLAG", str(tmp_path / "flag"))
    monkeypatch.setenv("SIAMTRACK_TEST_OUT", str(out))
    with pytest.raises(SiamtrackError, match=r"a worker process ended .* run the same again"):
        evaluate(Dies, toys(6), out=out, workers=2, name="toy")
    kept = {file.name: file.stat().st_mtime_ns for file in (out / "toy").glob("Toy?.txt")}
    assert 2 <= len(kept) < 6
    again = evaluate(Dies, toys(6), out=out, workers=2, name="toy")
    assert all((out / "toy" / name).stat().st_mtime_ns == then for name, then in kept.items())
    assert figures(again) == figures(evaluate(Blob, toys(6), out=tmp_path / "whole", name="toy"))


def limited(code, size, *arguments):
    """Run Python code in a process whose files may have `size` bytes, as on a full disk."""
    head = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\n"
    return subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@posix
@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.mp4"])
def test_a_disk_that_fills_while_tracking(name, tmp_path):
    pictures, boxes = clip(20)
    video = write_video(tmp_path / "clip.mp4", np.tile(pictures, (4, 1, 1, 1)))
    out = tmp_path / name
    box = [str(value) for value in boxes[0]]
    done = limited(
        "import siamtrack.cli; siamtrack.cli.main()",
        3000,
        "track",
        video,
        "--box",
        *box,
        "--out",
        out,
        "--quiet",
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "too large" in done.stderr
    if name != "a.mp4":
        lines = out.read_text().splitlines()
        assert len(lines) > 20, "what was written before stays"
        if name == "a.jsonl":
            assert all(json.loads(line) for line in lines[:-1])


@posix
def test_a_full_disk_leaves_the_results_before(tmp_path):
    path = tmp_path / "a.txt"
    write_results(path, np.ones((5, 4)))
    before = path.read_bytes()
    done = limited(
        """
        import sys, numpy as np
        from siamtrack.evaluation import write_results
        write_results(sys.argv[1], np.ones((9999, 4)))
        """,
        3000,
        path,
    )
    assert "OSError" in done.stderr
    assert path.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="a folder that takes no files")
def test_a_place_that_takes_no_files(tmp_path, capsys):
    from siamtrack.cli import main

    pictures, boxes = clip(4)
    video = write_video(tmp_path / "clip.mp4", pictures)
    for name in ("a.csv", "a.mp4", "a.json"):
        order = ["track", str(video), "--box", *map(str, boxes[0]), "--out", f"/proc/self/{name}"]
        with pytest.raises(SystemExit) as end:
            main(order)
        assert end.value.code == 2
        error = capsys.readouterr().err
        assert f"/proc/self/{name}" in error
        assert "Traceback" not in error


def boxes_with(threads):
    pictures, boxes = clip(12)
    tracker = siamtrack.load(threads=threads, precision="float32")
    tracker.init(pictures[0], boxes[0])
    return np.array([tracker.update(picture).box for picture in pictures[1:]])


def test_one_two_and_four_threads_agree():
    """The order of sums differs with the number of threads; boxes agree to 0.01 pixel."""
    one = boxes_with(1)
    for threads in (2, 4):
        np.testing.assert_allclose(boxes_with(threads), one, atol=0.01)


def test_again_is_the_same_to_the_bit():
    np.testing.assert_array_equal(boxes_with(1), boxes_with(1))


def as_alone_in_threads(threads, make):
    """Every tracker that `make` makes gives in a thread what one gives alone, to the bit."""
    pictures, boxes = clip(8)

    def run(_):
        tracker = make()
        tracker.init(pictures[0], boxes[0])
        return np.array([tracker.update(picture).box for picture in pictures[1:]])

    alone = run(0)
    with ThreadPoolExecutor(threads) as pool:
        for found in pool.map(run, range(max(threads, 6))):
            np.testing.assert_array_equal(found, alone)


def test_trackers_in_many_threads_share_a_model_and_disturb_nobody():
    model = load_model(threads=1)
    as_alone_in_threads(4, lambda: siamtrack.SiamTracker(model))


def test_eight_threads_with_a_tracker_each_do_as_one_alone():
    as_alone_in_threads(8, lambda: siamtrack.load(threads=1))


PROCESSES = """
import multiprocessing, sys
import numpy as np
import siamtrack
from tests.helpers import clip

pictures, boxes = clip(6)

def run(tracker):
    tracker.init(pictures[0], boxes[0])
    return np.array([tracker.update(picture).box for picture in pictures[1:]])

def fresh(_):
    return run(siamtrack.load(threads=1))

def inherited(_):
    return run(before)

if __name__ == "__main__":
    before = siamtrack.load(threads=int(sys.argv[2]))
    alone = run(before)
    for task in (fresh, inherited)[: 1 + (sys.argv[1] == "fork")]:
        with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
            for found in pool.map_async(task, range(4)).get(90):
                np.testing.assert_array_equal(found, alone)
    np.testing.assert_array_equal(run(before), alone)
    print("equal")
"""


@posix
@pytest.mark.slow
@pytest.mark.parametrize("way", ["spawn", "fork"])
def test_processes_with_a_tracker_before_and_after_do_as_one_alone(way, tmp_path):
    """The parent has a tracker that ran; children load their own, or by fork inherit it."""
    script = tmp_path / "run.py"
    script.write_text(PROCESSES)
    root = Path(__file__).parents[1]
    path = os.pathsep.join([str(root), str(root / "src"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(script), way, "1"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.stdout.strip() == "equal", done.stderr


def test_nothing_reads_the_clock_of_the_day():
    """Waits and durations are measured by clocks that nobody sets.

    The age of a file has no other clock: what a killed upload left may go early or late.
    """
    files = set(Path(siamtrack.__file__).parent.rglob("*.py"))
    for file in files - {Path(siamtrack.__file__).parent / "studio" / "library.py"}:
        text = file.read_text(encoding="utf-8")
        for word in ("time.time(", "import time as", "from time import", "datetime.now", "utcnow"):
            assert word not in text, (file, word)


def test_a_clock_that_jumps(tmp_path, monkeypatch):
    """A day that is set back costs no frame and gives no negative time."""
    import itertools
    import time

    jumps = itertools.cycle([1e9, 5.0, 2e9, 0.0])
    monkeypatch.setattr(time, "time", lambda: next(jumps))
    report = evaluate(Blob, toys(2), out=tmp_path, name="toy")
    assert figures(report) == figures(evaluate(Blob, toys(2), out=tmp_path / "b", name="toy"))
    for file in tmp_path.rglob("*_time.txt"):
        assert (np.loadtxt(file) >= 0).all()
