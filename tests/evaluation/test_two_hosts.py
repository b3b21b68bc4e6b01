"""Ray on two hosts, one of which is lost while it works: the files are those of a local run."""

import secrets
import shutil
import sys
import tempfile
from pathlib import Path

import cv2
import pytest

from siamtrack.data import open_dataset
from siamtrack.evaluation import evaluate, open_tracker
from siamtrack.tracking.batch import SharedModel, find_videos, track_videos
from tests.evaluation.toys import toys
from tests.helpers import clip, write_video
from tests.namespaces import ROOT, two_hosts, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.needs("ray")]
HEAD = "10.77.0.1:6379"
RAY = [sys.executable, "-m", "ray.scripts.scripts"]
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": 0,
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(16),
}
SMALL = ["--object-store-memory", 100_000_000]
TRACKER = """
import time
from tests.evaluation.toys import Blob


class Slow(Blob):
    def update(self, frame):
        time.sleep(0.05)
        return super().update(frame)
"""


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    # paths of sockets may have a hundred characters: pytest's folders are too deep
    temporary = Path(tempfile.mkdtemp(prefix="ray-"))
    try:
        with two_hosts(tmp_path_factory.mktemp("logs")) as (head, worker):
            common = ["--node-ip-address", head.address, "--num-cpus", 1, *SMALL]
            child = head.start(
                *RAY,
                "start",
                "--head",
                "--port",
                6379,
                "--include-dashboard",
                "false",
                "--temp-dir",
                temporary,
                *common,
                **ENVIRONMENT,
            )
            head.finish(child)
            yield head, worker
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def lost_half_way(hosts, finished, *command):
    """Run a command on the head; kill the other host at work, once something is finished."""
    head, worker = hosts
    child = worker.start(
        *RAY,
        "start",
        "--address",
        HEAD,
        "--node-ip-address",
        worker.address,
        "--num-cpus",
        1,
        *SMALL,
        **ENVIRONMENT,
    )
    worker.finish(child)
    child = head.python("-m", "siamtrack", *command, "--ray", HEAD, **ENVIRONMENT)

    def at_work():
        assert child.poll() is None, head.said(child)
        return finished() and any(title.startswith("ray::_do") for title in worker.titles())

    wait_until(at_work, why="the other host is at work")
    worker.kill()
    done = finished()
    head.finish(child)
    return done


def results(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in files
        if not path.name.endswith("_time.txt") and path.suffix in (".txt", ".csv")
    }


def write_sequences(folder, count, frames):
    """Write toys as folders of images with boxes."""
    for sequence in toys(count, frames):
        (folder / sequence.name).mkdir(parents=True)
        for number, picture in enumerate(sequence, 1):
            cv2.imwrite(str(folder / sequence.name / f"{number:04d}.png"), picture)
        rows = [",".join(f"{x:g}" for x in box) for box in sequence.boxes]
        (folder / sequence.name / "groundtruth.txt").write_text("\n".join(rows) + "\n")
    return folder


def test_an_evaluation_loses_a_host(hosts, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    data = write_sequences(tmp_path / "data", 6, 30)
    (tmp_path / "trackers.py").write_text(TRACKER)
    spec, there, here = f"slow={tmp_path / 'trackers.py'}:Slow", tmp_path / "ray", tmp_path / "here"
    done = lost_half_way(
        hosts,
        lambda: len(list(there.rglob("*_time.txt"))),
        "eval",
        f"folder:{data}",
        "--tracker",
        spec,
        "--out",
        there,
    )
    assert 0 < done < 6, "lost half way"
    name, tracker = open_tracker(spec)
    evaluate(tracker, open_dataset(f"folder:{data}"), out=here, name=name)
    assert len(results(here)) >= 6
    assert results(there) == results(here)


def test_bulk_tracking_loses_a_host(hosts, tmp_path):
    place = tmp_path / "videos"
    place.mkdir()
    for number in range(6):
        pictures, boxes = clip(40 + number, 0.5 + 0.2 * number)
        write_video(place / f"{number}.mp4", pictures)
        (place / f"{number}.txt").write_text(",".join(map(str, boxes[0])) + "\n")
    there, here = tmp_path / "ray", tmp_path / "here"
    done = lost_half_way(
        hosts, lambda: len(list(there.glob("*.csv"))), "batch", place, "--out", there
    )
    assert 0 < done < 6, "lost half way"
    track_videos(find_videos(place, here), SharedModel("lite"))
    assert len(results(here)) == 6
    assert results(there) == results(here)
    assert not list(there.glob(".part*")), "nothing half done is left"


def test_another_token_is_one_sentence(hosts, tmp_path):
    head, _ = hosts
    data = write_sequences(tmp_path / "data", 1, 3)
    environment = ENVIRONMENT | {"RAY_AUTH_TOKEN": secrets.token_hex(16)}
    child = head.python("-m", "siamtrack", "eval", f"folder:{data}", "--ray", HEAD, **environment)
    assert child.wait(60) == 2
    assert "no Ray cluster at '10.77.0.1:6379'" in head.said(child)
    assert "Traceback" not in head.said(child)
