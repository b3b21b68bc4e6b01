import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from siamtrack.cli import main
from siamtrack.core.parallel import RayCluster, run_jobs
from siamtrack.errors import DatasetError, UnknownNameError
from siamtrack.tracking.batch import SharedModel, find_videos, track_video, track_videos
from tests.evaluation.toys import Blob
from tests.helpers import clip, write_video


@pytest.fixture
def videos(tmp_path):
    place = tmp_path / "videos"
    (place / "deep").mkdir(parents=True)
    for number, name in enumerate(("a", "deep/b", "c")):
        pictures, boxes = clip(4 + 2 * number)
        write_video(place / f"{name}.mp4", pictures)
        (place / f"{name}.txt").write_text(",".join(map(str, boxes[0])) + "\n")
    return place


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


def test_a_folder_is_tracked_as_one_by_one_and_gone_on_with(videos, tmp_path, capsys):
    out = tmp_path / "out"
    assert run("batch", videos, "--out", out, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["videos"], summary["tracked"], summary["frames"]) == (3, 3, 18)
    box = (videos / "deep/b.txt").read_text().strip().split(",")
    alone = tmp_path / "alone.csv"
    arguments = ["--box", *box, "--out", alone, "--threads", 1, "--quiet"]
    assert run("track", videos / "deep/b.mp4", *arguments) == 0
    capsys.readouterr()
    assert (out / "deep/b.csv").read_bytes() == alone.read_bytes()
    (out / "c.csv").unlink()
    before = (out / "a.csv").stat().st_mtime_ns
    assert run("batch", videos, "--out", out, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["there"], summary["tracked"]) == (2, 1)
    assert (out / "a.csv").stat().st_mtime_ns == before


def test_one_that_fails_stops_no_other(videos, tmp_path, capsys):
    (videos / "b0.mp4").write_text("this is not a video")
    (videos / "b0.txt").write_text("1 1 5 5\n")
    out = tmp_path / "out"
    assert run("batch", videos, "--out", out, "--retries", 1) == 2
    assert "1 of 4 videos failed" in capsys.readouterr().err
    [line] = (out / "failed.jsonl").read_text().splitlines()
    assert "b0.mp4" in json.loads(line)["error"]
    assert sorted(path.name for path in out.rglob("*.csv")) == ["a.csv", "b.csv", "c.csv"]
    assert not list(out.rglob(".part*"))


def test_a_box_that_cannot_start_is_not_tried_again(videos, tmp_path, caplog):
    (videos / "a.txt").write_text("900 900 5 5\n")
    assert run("batch", videos, "--out", tmp_path / "out", "--retries", 3) == 2
    messages = [record.message for record in caplog.records if "a.mp4" in record.message]
    assert [message.count("not tried again") for message in messages] == [1]


def test_a_list_names_videos_and_boxes(videos, tmp_path):
    file = videos / "list.jsonl"
    rows = [{"video": "a.mp4", "box": [1, 2, 3, 4]}, {"video": "c.mp4", "boxes": "c.txt"}]
    file.write_text("\n".join(map(json.dumps, rows)))
    found = find_videos(file, tmp_path, "mot")
    assert [video.out.name for video in found] == ["a.txt", "c.txt"]
    assert find_videos(file, tmp_path, "cvat")[0].out.name == "a.xml"
    assert found[0].boxes == ((0, 0, 1, 2, 3, 4),)


def test_results_within_the_folder_are_no_boxes(videos):
    out = videos / "tracks"
    track_videos(find_videos(videos, out, "mot"), SharedModel("lite"))
    assert (out / "a.txt").exists()
    assert len(find_videos(videos, out, "mot")) == 3


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"video": "a.mp4"}, "one of `box` and `boxes`"),
        ({"video": "a.mp4", "box": [1, 2, 3]}, "line 2 is no video"),
        ({"video": "no.mp4", "box": [1, 2, 3, 4]}, r"line 2: .*no.mp4 does not exist"),
        ({"video": "a.mp4", "box": [1, 2, 3, 4]}, "would both write"),
        ({"video": "b.mp4", "box": [1, 2, 3, 4], "start": 7}, "'start'; targets that start later"),
    ],
)
def test_bad_lists(videos, tmp_path, row, words):
    file = videos / "list.jsonl"
    good = {"video": "a.mp4", "box": [1, 2, 3, 4]}
    file.write_text(json.dumps(good) + "\n" + json.dumps(row))
    with pytest.raises(DatasetError, match=words):
        find_videos(file, tmp_path)


def test_places_without_videos(videos, tmp_path):
    (videos / "lonely.txt").write_text("1 1 5 5\n")
    with pytest.raises(DatasetError, match=r"lonely.txt: expected one video .* found none"):
        find_videos(videos, tmp_path)
    with pytest.raises(DatasetError, match="no folder and no list"):
        find_videos(tmp_path / "absent", tmp_path)
    with pytest.raises(DatasetError, match="one video alone goes to `siamtrack track`"):
        find_videos(videos / "a.mp4", tmp_path)
    with pytest.raises(UnknownNameError, match="did you mean 'csv'"):
        find_videos(videos, tmp_path, "cvs")


def test_videos_without_boxes_are_named(videos, tmp_path, caplog):
    first = next(videos.rglob("a.mp4"))
    for number in range(4):
        shutil.copyfile(first, videos / f"more{number}.mp4")
    out = videos / "tracks"
    out.mkdir()
    shutil.copyfile(first, out / "result.mp4")
    assert len(find_videos(videos, out)) == 3
    assert "4 video(s) without a file of boxes left out: more0.mp4, more1.mp4" in caplog.text
    assert "result.mp4" not in caplog.text


class Deadly(SharedModel):
    """Kills its process, once."""

    def __call__(self):
        done = Path(os.environ["SIAMTRACK_TEST_DEAD"])
        if not done.exists():
            done.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_processes_that_are_killed_are_made_up_for(videos, tmp_path, monkeypatch):
    monkeypatch.setenv("SIAMTRACK_TEST_DEAD", str(tmp_path / "dead"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[1])]))
    here, there = find_videos(videos, tmp_path / "here"), find_videos(videos, tmp_path / "there")
    outcomes = track_videos(there, Deadly("lite"), workers=2)
    assert (tmp_path / "dead").exists()
    assert [each.error for each in outcomes.values()] == [""] * 3
    track_videos(here, SharedModel("lite"))
    for one, other in zip(here, there, strict=True):
        assert one.out.read_bytes() == other.out.read_bytes()


@pytest.mark.needs("ray")
@pytest.mark.slow
def test_ray_gives_the_same_bytes(videos, tmp_path):
    here, there = find_videos(videos, tmp_path / "here"), find_videos(videos, tmp_path / "there")
    track_videos(there, SharedModel("lite"), workers=RayCluster("local"))
    track_videos(here, SharedModel("lite"))
    for one, other in zip(here, there, strict=True):
        assert one.out.read_bytes() == other.out.read_bytes()


class InOrder(RayCluster):
    """A cluster with one place, in this process: what is handed to it first is done first."""

    def run(self, work, jobs):
        for number, arguments in jobs:
            yield number, work(*arguments)


def _itself(tracker, job):
    return job


def test_the_longest_go_first():
    jobs = [1, 3, 4, 5]
    done = list(run_jobs(_itself, Blob, jobs, InOrder(), cost=float))
    assert done == [(3, 5), (2, 4), (1, 3), (0, 1)]


def test_longer_videos_are_larger(videos, tmp_path):
    sizes = {video.source.stem: video.size() for video in find_videos(videos, tmp_path)}
    assert sizes["c"] > sizes["a"] > 0
    assert track_video.__module__ == "siamtrack.tracking.batch", "importable by workers"
