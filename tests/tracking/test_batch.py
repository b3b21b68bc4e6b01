import json
import os
import shutil
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest

from siamtrack.cli import main
from siamtrack.cli.batch import Progress
from siamtrack.core.parallel import RayCluster, run_jobs
from siamtrack.errors import DatasetError, UnknownNameError
from siamtrack.tracking.batch import Outcome, SharedModel, find_videos, track_video, track_videos
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


def test_every_target_has_its_file_where_a_format_has_one_for_each(videos, tmp_path):
    box = (videos / "a.txt").read_text()
    (videos / "a.txt").write_text(f"0 0 {box}0 1 {box}".replace(",", " "))
    out = tmp_path / "out"
    for format in ("otb", "vot"):
        masks = ["--masks"] * (format == "vot")
        assert run("batch", videos, "--out", out / format, "--format", format, *masks) == 0
        files = sorted(path.name for path in (out / format).rglob("*.txt"))
        assert files == ["a.txt", "a_2.txt", "b.txt", "c.txt"]
        assert (out / format / "a.txt").read_text() == (out / format / "a_2.txt").read_text()
        assert not [path for path in (out / format).rglob("*part*") if path.is_file()]


def test_masks_are_those_of_one_video_alone(videos, tmp_path, capsys):
    out = tmp_path / "out"
    assert run("batch", videos, "--out", out, "--format", "davis") == 2
    assert "davis holds nothing but masks: add --masks" in capsys.readouterr().err
    assert not out.exists()
    arguments = ["batch", videos, "--out", out, "--format", "jsonl", "--workers", 2]
    assert run(*arguments, "--masks") == 0
    box = (videos / "deep/b.txt").read_text().strip().split(",")
    alone = tmp_path / "alone.jsonl"
    more = ["--masks", "--out", alone, "--threads", 1, "--quiet"]
    assert run("track", videos / "deep/b.mp4", "--box", *box, *more) == 0
    assert (out / "deep/b.jsonl").read_bytes() == alone.read_bytes()
    assert '"mask"' in alone.read_text()
    # Results with masks are not taken for results without, nor the other way round
    capsys.readouterr()
    assert run(*arguments) == 2
    assert "masks" in capsys.readouterr().err
    assert run(*arguments, "--masks") == 0


def test_zips_of_masks_are_called_so(videos, tmp_path):
    for format, ending in (("davis", ".zip"), ("yolo-seg", ".zip"), ("cvat-masks", ".xml")):
        assert find_videos(videos, tmp_path, format)[0].out.suffix == ending


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


def pictures(folder, count):
    folder.mkdir(parents=True)
    for index, picture in enumerate(clip(count)[0]):
        cv2.imwrite(str(folder / f"{index:04d}.jpg"), picture[..., ::-1])


def test_sequences_as_in_otb_are_named_after_their_folders_or_by_the_list(tmp_path, capsys):
    box = [float(value) for value in clip(3)[1][0]]
    for name in ("Car1", "Car2", "Car3"):
        pictures(tmp_path / name / "img", 3)
    rows = [{"video": f"Car{number}/img", "box": box} for number in (1, 2, 3)]
    rows[2]["name"] = "the last"
    file, out = tmp_path / "list.jsonl", tmp_path / "out"
    file.write_text("\n".join(map(json.dumps, rows)))
    assert run("batch", file, "--out", out) == 0
    assert sorted(path.name for path in out.glob("*.csv")) == [
        "Car1.csv",
        "Car2.csv",
        "the last.csv",
    ]
    assert "3 videos tracked" in capsys.readouterr().out
    assert not (out / "failed.jsonl").exists()
    rows[1]["name"] = "../up"
    file.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(DatasetError, match="expected the name of a file"):
        find_videos(file, out)


def test_an_old_list_of_failures_goes_once_all_is_well(videos, tmp_path):
    out = tmp_path / "out"
    good = (videos / "a.txt").read_text()
    (videos / "a.txt").write_text("900 900 5 5\n")
    assert run("batch", videos, "--out", out) == 2
    assert (out / "failed.jsonl").read_text()
    (videos / "a.txt").write_text(good)
    assert run("batch", videos, "--out", out) == 0
    assert not (out / "failed.jsonl").exists()


def test_progress_within_a_video_is_told(tmp_path, caplog):
    caplog.set_level("INFO")
    with Progress(2, quiet=False, every=0.0) as progress:
        progress.within(Path("street/a.mp4"), 40, 900)
        progress.finished(Path("street/a.mp4"), Outcome(900))
        progress.within(Path("street/b.mp4"), 7, None)
    assert "0 of 2 videos done; frames: street/a.mp4 40/900" in caplog.text
    assert "1 of 2 videos done; frames: street/b.mp4 7/?" in caplog.text


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_report_their_progress(videos, tmp_path, workers):
    long, _ = clip(10)
    write_video(videos / "a.mp4", np.tile(long, (30, 1, 1, 1)))
    (videos / "c.txt").unlink()
    told = []
    track_videos(
        find_videos(videos, tmp_path / "out"),
        SharedModel("lite"),
        workers=workers,
        tell=lambda *news: told.append(news),
    )
    assert told[0][0] == videos / "a.mp4"
    assert 0 < told[0][1] <= 300 == told[0][2]


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


def test_the_length_of_videos_and_folders_is_their_number_of_frames(videos, tmp_path):
    """Images take many times the bytes of video, which says nothing of how long tracking takes."""
    pictures(videos / "d", 3)
    (videos / "d.txt").write_text("1 1 5 5\n")
    (videos / "d" / "notes.md").write_text("no image")
    found = {video.source.stem: video.length() for video in find_videos(videos, tmp_path)}
    assert found == {"a": 4, "b": 6, "c": 8, "d": 3}
    (videos / "c.mp4").write_bytes(b"x" * 40_000)
    assert find_videos(videos, tmp_path)[1].length() == 2
    assert track_video.__module__ == "siamtrack.tracking.batch", "importable by workers"
