"""Nothing that a user has is destroyed, corrupted by a second run, or taken for what it is not."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from siamtrack.cli import main
from siamtrack.cli.main import VERBS
from siamtrack.core.config import to_dict
from siamtrack.core.provenance import differences, record, recording
from siamtrack.core.writing import LOCK, check_outputs, clear_parts, owning, part_of, replacing
from siamtrack.data.annotations import read_training
from siamtrack.data.manifest import read_manifest
from siamtrack.data.prepare import prepare
from siamtrack.errors import FolderBusyError, StaleResultsError
from siamtrack.packages.card import model_folder, read_card
from siamtrack.packages.write import write_card
from siamtrack.sinks import open_sink
from siamtrack.tracking.batch import SharedModel, find_videos, track_videos
from tests.data.annotations.trees import got10k
from tests.helpers import clip, write_video
from tests.processes import environment, siamtrack, started
from tests.sinks.test_sinks import ENDINGS, TWO

posix = pytest.mark.skipif(os.name == "nt", reason="signals and links of POSIX")
BOX = ["--box", "60", "70", "40", "40"]
WORKER = ".siamtrack-worker-0.lock"


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


@pytest.fixture
def place(tmp_path):
    pictures, boxes = clip(6)
    (tmp_path / "frames").mkdir()
    write_video(tmp_path / "in.mp4", pictures)
    (tmp_path / "b.txt").write_text(" ".join(map(str, boxes[0])) + "\n")
    os.link(tmp_path / "in.mp4", tmp_path / "hard.mp4")
    (tmp_path / "soft.mp4").symlink_to(tmp_path / "in.mp4")
    (tmp_path / "soft.txt").symlink_to(tmp_path / "b.txt")
    shutil.copytree(model_folder("lite"), tmp_path / "model")
    return tmp_path


@posix
@pytest.mark.parametrize(
    "words",
    [
        [*BOX, "--out", "in.mp4"],
        [*BOX, "--out", "hard.mp4"],
        [*BOX, "--out", "soft.mp4"],
        [*BOX, "--out", "frames/../in.mp4"],
        [*BOX, "--mot", "in.mp4"],
        [*BOX, "--otb", "hard.mp4"],
        ["--boxes", "b.txt", "--mot", "b.txt"],
        ["--boxes", "b.txt", "--mot", "soft.txt"],
        ["--boxes", "soft.txt", "--otb", "b.txt"],
        [*BOX, "--model", "model", "--out", "model/card.json"],
        [*BOX, "--out", "x.csv", "--out", "x.csv"],
        [*BOX, "--out", "x.csv", "--mot", "frames/../x.csv"],
    ],
)
def test_an_output_is_never_an_input_or_another_output(place, monkeypatch, capsys, words):
    monkeypatch.chdir(place)
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    assert run("track", "in.mp4", *words, "--overwrite", "--quiet") == 2
    error = capsys.readouterr().err
    assert "which would be lost" in error or "are one file" in error
    assert before == {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}


@posix
def test_the_second_target_of_otb_text_is_an_output_too(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    shutil.copy("b.txt", "o_2.txt")
    words = ["--boxes", "o_2.txt", *BOX, "--otb", "o.txt"]
    assert run("track", "in.mp4", *words, "--overwrite", "--quiet") == 2
    assert "output o_2.txt is the input o_2.txt" in capsys.readouterr().err


def test_batch_and_ruler_refuse_too(place, capsys):
    videos = place / "videos"
    videos.mkdir()
    shutil.copy(place / "in.mp4", videos / "a.mp4")
    shutil.copy(place / "b.txt", videos / "a.txt")
    before = (videos / "a.mp4").read_bytes()
    for kind in ("mp4", "mot"):
        assert run("batch", videos, "--out", videos, "--format", kind, "--overwrite") == 2
        assert "which would be lost" in capsys.readouterr().err
    assert (videos / "a.mp4").read_bytes() == before
    pictures = place / "pictures"
    pictures.mkdir()
    assert run("track", place / "in.mp4", "--ruler", pictures / "0.png") == 0
    first = (pictures / "0.png").read_bytes()
    assert run("track", pictures, "--ruler", pictures / "0.png", "--overwrite") == 2
    assert (pictures / "0.png").read_bytes() == first


def test_devices_may_be_given_twice():
    check_outputs([Path(os.devnull)] * 2)


@pytest.mark.parametrize("name", ENDINGS)
def test_what_is_replaced_stays_until_the_new_one_is_whole(tmp_path, name):
    path = tmp_path / ENDINGS[name]
    path.write_text("precious")
    sink = open_sink(path, format=name, overwrite=True)
    for picture, tracks in TWO:
        sink.write(picture, tracks)
    assert path.read_text() == "precious"
    sink.close()
    assert path.read_bytes() != b"precious"
    assert not list(tmp_path.glob("*.part"))


DIES = """
import os, signal
from siamtrack.sinks.text import CsvSink
write = CsvSink._write
def die_at_200(sink, frame, tracks):
    write(sink, frame, tracks)
    if frame.index == 200:
        os.kill(os.getpid(), signal.SIGKILL)
CsvSink._write = die_at_200
"""
"""Kills the process in the middle of a file, whatever the speed of the machine."""


@posix
def test_killed_while_it_overwrites_the_old_file_stays_and_the_rerun_cleans_up(tmp_path):
    pictures, _ = clip(20)
    video = write_video(tmp_path / "long.mp4", pictures.repeat(20, axis=0))
    outs = [tmp_path / "old.mp4", tmp_path / "old.csv"]
    for out in outs:
        out.write_text("precious")
    words = [video, *BOX, "--overwrite", "--quiet"]
    for out in outs:
        words += ["--out", out]
    with started(siamtrack("track", *words, before=DIES), env=environment()) as child:
        assert child.wait(600) == -signal.SIGKILL
    assert [out.read_text() for out in outs] == ["precious"] * 2
    assert len(list(tmp_path.glob(".old.*.part"))) == 2
    assert run("track", *words, "--end", 3) == 0
    assert not list(tmp_path.glob("*.part"))
    assert len(outs[1].read_text().splitlines()) == 4


@posix
def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    with replacing(tmp_path / "link") as part:
        part.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_parts_of_others_stay(tmp_path):
    own, theirs = part_of(tmp_path / "a"), tmp_path / ".a.1-ffffff-00000000.part"
    for part in (own, theirs, tmp_path / "wheel.part"):
        part.touch()
    clear_parts(tmp_path, "a")
    assert len(list(tmp_path.iterdir())) == 3, "this process lives, and that is another host"


def test_one_owner_a_folder(tmp_path):
    with owning(tmp_path), pytest.raises(FolderBusyError, match="this one"), owning(tmp_path):
        pass
    with owning(tmp_path), owning(tmp_path, "worker-1"):
        assert len(list(tmp_path.iterdir())) == 2
    assert not list(tmp_path.iterdir())


OWNER = """
import sys, time
from pathlib import Path
from siamtrack.core.writing import owning
with owning(Path(sys.argv[1])):
    print("mine", flush=True)
    time.sleep(600)
"""


@posix
def test_another_process_is_told_and_a_killed_one_owns_nothing(tmp_path, start, capsys):
    order = [sys.executable, "-c", OWNER, str(tmp_path / "out")]
    child = start(order, env=environment(), stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"mine\n"
    entries = read_training(got10k(tmp_path / "data"))
    with pytest.raises(FolderBusyError, match=rf"\(process {child.pid} on .*\) writes to .*out"):
        prepare(entries, tmp_path / "out")
    assert run("batch", tmp_path, "--out", tmp_path / "out") == 2
    assert "wait for it to end, or give another folder" in capsys.readouterr().err
    child.kill()
    child.wait()
    prepare(entries, tmp_path / "out")
    assert read_manifest(tmp_path / "out")
    assert not (tmp_path / "out" / LOCK).exists()


@pytest.fixture
def videos(tmp_path):
    place = tmp_path / "videos"
    place.mkdir()
    for name in "ab":
        pictures, boxes = clip(4)
        write_video(place / f"{name}.mp4", pictures)
        (place / f"{name}.txt").write_text(",".join(map(str, boxes[0])) + "\n")
    return place


def test_results_of_another_model_other_boxes_or_another_source_are_not_taken(
    videos, tmp_path, caplog
):
    out = tmp_path / "out"
    model = shutil.copytree(model_folder("lite"), tmp_path / "mine")
    mine = SharedModel(str(model))

    def track(tracker=mine, **options):
        return track_videos(find_videos(videos, out), tracker, **options)

    track()
    assert not track(), "the same again: nothing to do"
    with pytest.raises(StaleResultsError, match=r"2 of 2 existing .*redetect false, now true"):
        track(SharedModel(str(model), redetect=True))
    card = read_card(model)
    settings = type(card.tracker)(**{**vars(card.tracker), "window": 0.123})
    write_card(model, type(card)(**{**vars(card), "tracker": settings}))
    with pytest.raises(StaleResultsError, match=r"settings.window .*, now 0.123"):
        track()
    write_card(model, card)
    assert not track()
    before = (videos / "a.txt").read_text()
    (videos / "a.txt").write_text("50 60 40 40\n")
    with pytest.raises(StaleResultsError, match=r"1 of 2 existing results .*boxes"):
        track()
    (videos / "a.txt").write_text(before)
    shutil.copy(videos / "a.mp4", tmp_path / "copy")
    (tmp_path / "copy").replace(videos / "a.mp4")
    with pytest.raises(StaleResultsError, match=r"source.changed"):
        track()
    assert len(track(overwrite=True)) == 2
    assert not track()
    # of an earlier version: nobody knows what made them, and that is said
    shutil.rmtree(out / ".made")
    assert not track()
    assert "2 of 2 results that are there carry no record" in caplog.text


def test_an_evaluation_says_what_differs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pictures, boxes = clip(4)
    folder = tmp_path / "data" / "one"
    folder.mkdir(parents=True)
    for number, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{number:04d}.png"), picture)
    text = "\n".join(",".join(map(str, row)) for row in boxes)
    (folder / "groundtruth.txt").write_text(text)
    model = shutil.copytree(model_folder("lite"), tmp_path / "mine")
    words = ["eval", "folder:data", "--tracker", "x=mine", "--out", "out", "--threads", 1]
    assert run(*words) == 0
    assert run(*words) == 0
    card = read_card(model)
    settings = type(card.tracker)(**{**vars(card.tracker), "window": 0.123})
    write_card(model, type(card)(**{**vars(card), "tracker": settings}))
    capsys.readouterr()
    assert run(*words) == 2
    assert "settings.window" in capsys.readouterr().err
    assert run(*words, "--overwrite") == 0
    assert run(*words) == 0


def test_killed_between_the_note_and_the_result(tmp_path):
    file = tmp_path / "a.csv"
    assert differences(file, {"model": "x"}) == [], "an older version kept no notes"
    file.write_text("rows of x")
    record(file, {"model": "x"})
    assert differences(file, {"model": "x"}) == []
    assert differences(file, {"model": "y"}) == ['model "x", now "y"']
    with recording(file, {"model": "y"}):  # killed here, before the new rows
        assert differences(file, {"model": "y"}) is None
        file.write_text("rows of y")
    assert differences(file, {"model": "y"}) == []
    with pytest.raises(OSError, match="full"), recording(file, {"model": "z"}):
        raise OSError("full")
    assert json.loads((tmp_path / ".made" / "a.csv.json").read_text())["made"] == {"model": "y"}


# Every other verb that writes: what it reads is told apart by device and number, before it writes.


def contents(place):
    """Return the bytes of all files; the locks and notes of runs are none of a user's."""
    return {
        path: path.read_bytes()
        for path in place.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


@pytest.fixture
def sequences(tmp_path):
    pictures, boxes = clip(6)
    for name in "ab":
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        for number, picture in enumerate(pictures):
            cv2.imwrite(str(folder / f"{number:04d}.png"), picture)
        rows = "\n".join(",".join(map(str, row)) for row in boxes)
        (folder / "groundtruth.txt").write_text(rows)
    return tmp_path


@posix
@pytest.mark.parametrize(
    "words",
    [
        ["--report", "mine/card.json"],
        ["--report", "annotations.csv"],
        ["--report", "frame.html"],
        ["--report", "x.json", "--report", "y/../x.json"],
        ["--results", "old", "--report", "raw.csv"],
        ["--out", "out"],
    ],
)
def test_eval_spares_what_it_reads(sequences, monkeypatch, capsys, words):
    monkeypatch.chdir(sequences)
    shutil.copytree(model_folder("lite"), "mine")
    Path("y").mkdir()
    annotations = sequences / "data" / "a" / "groundtruth.txt"
    os.link(annotations, "annotations.csv")
    os.link("data/a/0002.png", "frame.html")
    for folder in ("old", "out/mine"):
        Path(folder).mkdir(parents=True)
    for name in "ab":
        shutil.copy(annotations, f"old/{name}.txt")
    os.link("old/b.txt", "raw.csv")
    os.link(annotations, "out/mine/a.txt")
    before = contents(sequences)
    tracker = [] if "--results" in words else ["--tracker", "mine=mine"]
    assert run("eval", "folder:data", *tracker, *words, "--threads", 1, "--overwrite") == 2
    error = capsys.readouterr().err
    assert "which would be lost" in error or "are one file" in error
    assert contents(sequences) == before


@posix
@pytest.mark.needs("optuna")
@pytest.mark.parametrize("taken", ["model/card.json", "tuned.json", "study.png"])
def test_tune_spares_the_model_the_space_and_the_frames(sequences, monkeypatch, capsys, taken):
    monkeypatch.chdir(sequences)
    shutil.copytree(model_folder("lite"), "mine/model")
    (sequences / "space.json").write_text('{"window": [0, 0.6]}')
    Path("out").mkdir()
    if taken == "model/card.json":
        shutil.move("mine/model", "out/model")
    else:
        os.link({"tuned.json": "space.json", "study.png": "data/a/0002.png"}[taken], f"out/{taken}")
    model = "out/model" if taken == "model/card.json" else "mine/model"
    words = ["--space", "space.json", "--trials", 1, "--frames", 3, "--held-out", "b", "--quiet"]
    before = contents(sequences)
    assert run("tune", model, "folder:data", "--out", "out", *words) == 2
    assert f"output out/{taken} is the input" in capsys.readouterr().err
    assert contents(sequences) == before


@posix
@pytest.mark.needs("torch")
@pytest.mark.parametrize(
    "words",
    [
        ["train", "--config", "config.json", "--out", "run"],
        ["train", "--out", "manifests"],
        ["train", "--sheet", "data/set/1.png"],
        ["train", "--sheet", "sheet.png"],
        ["train", "--config", "initial.json", "--out", "weights", "--resume"],
        ["fine-tune", "weights/run.pt", "--config", "config.json", "--out", "run"],
        ["fine-tune", "weights/run.pt", "--out", "fine"],
    ],
)
def test_training_spares_settings_weights_and_images(tmp_path, monkeypatch, capsys, words):
    from tests.networks import write_checkpoint
    from tests.training.manifest import write_manifest

    monkeypatch.chdir(tmp_path)
    write_manifest(tmp_path / "data", 20)
    for folder in ("run", "manifests", "weights", "fine"):
        Path(folder).mkdir()
    write_checkpoint(tmp_path / "weights" / "run.pt", "siamfc")
    (tmp_path / "config.json").write_text('{"steps": 1, "save_every": 0.0}')
    (tmp_path / "initial.json").write_text('{"steps": 1, "initial": "weights/metrics.jsonl"}')
    os.link("config.json", "run/config.json")
    os.link("data/manifest.jsonl", "manifests/metrics.jsonl")
    os.link("data/set/1.png", "sheet.png")
    os.link("weights/run.pt", "weights/metrics.jsonl")
    os.link("weights/run.pt", "fine/report.json")
    before = contents(tmp_path)
    assert run(*words, "--data", "data", "--quiet") == 2
    assert "which would be lost: give another name" in capsys.readouterr().err
    assert contents(tmp_path) == before


@posix
@pytest.mark.needs("torch")
def test_a_run_goes_on_with_its_own_config(tmp_path, capsys):
    from tests.training.manifest import write_manifest
    from tests.training.test_resume import TINY

    data, out = write_manifest(tmp_path / "data"), tmp_path / "run"
    (tmp_path / "c.json").write_text(json.dumps(to_dict(replace(TINY, steps=1))))
    assert run("train", "--data", data, "--config", tmp_path / "c.json", "--out", out) == 0
    words = ["--config", out / "config.json", "--out", out, "--resume"]
    assert run("train", "--data", data, *words) == 0


@posix
@pytest.mark.needs("torch")
@pytest.mark.parametrize(
    "words", [["box.pt", "out"], ["mine", "mine", "--half"], ["mine", "alias"]]
)
def test_export_spares_the_checkpoint_and_the_model(tmp_path, monkeypatch, capsys, words):
    from tests.networks import write_checkpoint

    monkeypatch.chdir(tmp_path)
    write_checkpoint(tmp_path / "box.pt", "box")
    shutil.copytree(model_folder("lite"), "mine")
    Path("alias").symlink_to("mine")
    Path("out").mkdir()
    os.link("box.pt", "out/search.onnx")
    before = contents(tmp_path)
    assert run("export", *words, "--overwrite") == 2
    assert "which would be lost: give another name" in capsys.readouterr().err
    assert contents(tmp_path) == before


@posix
@pytest.mark.parametrize(
    "words",
    [
        ["import", "mot", "source", "copy.jsonl"],
        ["import", "mot", "source", "new.jsonl", "--images", "clip.mp4"],
        ["prepare", "--data", "crops", "--out", "crops"],
        ["prepare", "--data", "manifest.jsonl", "--out", "linked"],
        ["pack", "--data", "shards:shards", "--out", "shards"],
        ["pack", "--data", "shards:shards", "--out", "same"],
    ],
)
def test_data_spares_annotations_manifests_crops_and_shards(tmp_path, monkeypatch, capsys, words):
    if words[0] == "pack":
        pytest.importorskip("webdataset")
    from tests.training.manifest import write_manifest

    monkeypatch.chdir(tmp_path)
    write_manifest(tmp_path, 6)
    pictures, boxes = clip(6)
    write_video(tmp_path / "clip.mp4", pictures)
    gt = tmp_path / "source" / "gt"
    gt.mkdir(parents=True)
    rows = [
        ",".join(map(str, [number, 1, box[0] + 1, box[1] + 1, *box[2:], 1, 1, 1]))
        for number, box in enumerate(boxes, start=1)
    ]
    (gt / "gt.txt").write_text("\n".join(rows))
    shutil.copytree("set", "source/img1")
    for number in range(6):
        shutil.move(f"source/img1/{number}.png", f"source/img1/{number + 1:06d}.png")
    os.link(gt / "gt.txt", "copy.jsonl")
    Path("clip").mkdir()
    for number in range(7):
        (tmp_path / "clip" / f"{number:06d}.jpg").write_bytes(b"mine")
    assert run("data", "prepare", "--data", "manifest.jsonl", "--out", "crops") == 0
    Path("linked").mkdir()
    shutil.copy("crops/crops.json", "linked")
    os.link("manifest.jsonl", "linked/manifest.jsonl")
    if words[0] == "pack":
        assert run("data", "pack", "--data", "manifest.jsonl", "--out", "shards") == 0
        Path("same").mkdir()
        os.link("shards/train-000000.tar", "same/train-000000.tar")
    before = contents(tmp_path)
    more = [] if "--images" in words or words[0] == "prepare" else ["--overwrite"]
    capsys.readouterr()
    assert run("data", *words, *more) == 2
    error = capsys.readouterr().err
    told = ("which would be lost", "exists: choose another", "are to be cut", "are to be read")
    assert any(part in error for part in told), error
    assert contents(tmp_path) == before


@posix
@pytest.mark.needs("skvideo")
def test_demo_spares_the_model(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    before = contents(place)
    assert run("demo", "--model", "model", "--out", "model/card.json", "--quiet") == 2
    assert "output model/card.json is the input model/card.json" in capsys.readouterr().err
    assert contents(place) == before


@posix
def test_bench_spares_the_model(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    before = contents(place)
    words = ["--tracker", "model", "--report", "model/card.json", "--overwrite"]
    assert run("bench", "in.mp4", *BOX, *words, "--rounds", 1) == 2
    assert "output model/card.json is the input model/card.json" in capsys.readouterr().err
    assert contents(place) == before


def test_the_verbs_that_write_are_those_tested_here():
    """A new verb gets a row above, or says here that it writes no file which the user names."""
    writing = {"track", "batch", "demo", "eval", "bench", "tune", "train", "fine-tune", "data"}
    writing |= {"export"}
    elsewhere = {"studio", "serve"}  # own folders; answers to tools
    assert set(VERBS) == writing | elsewhere | {"models", "plugins", "inspect"}


@posix
@pytest.mark.needs("torch", "optuna")
def test_each_verb_that_fills_a_folder_is_its_only_owner(sequences, monkeypatch, capsys):
    from tests.training.manifest import write_manifest

    monkeypatch.chdir(sequences)
    write_manifest(sequences / "crops")
    words = {
        "eval": (["eval", "folder:data", "--out", "out"], "out/base", LOCK),
        "tune": (["tune", "lite", "folder:data", "--held-out", "b", "--out", "t"], "t", WORKER),
        "train": (["train", "--data", "crops", "--steps", 1, "--out", "r"], "r", LOCK),
        "prepare": (["data", "prepare", "--data", "crops", "--out", "p"], "p", LOCK),
        "batch": (["batch", "crops", "--out", "b"], "b", LOCK),
    }
    for verb, (order, folder, lock) in words.items():
        with owning(Path(folder), lock):
            assert run(*order) == 2, verb
        assert "writes to" in capsys.readouterr().err, verb


@pytest.mark.needs("optuna")
def test_a_study_of_other_settings_is_not_taken(sequences, monkeypatch, capsys):
    monkeypatch.chdir(sequences)
    words = ["tune", "lite", "folder:data", "--out", "out", "--held-out", "b", "--quiet"]
    words += ["--trials", 1, "--starts", 1, "--frames"]
    assert run(*words, 3) == 0
    assert run(*words, 3) == 0
    before = contents(sequences / "out")
    assert run(*words, 4) == 2
    assert "holds a study made with other settings (frames 3, now 4)" in capsys.readouterr().err
    assert contents(sequences / "out") == before
