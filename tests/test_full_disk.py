"""A disk that is really full, in the middle of everything that writes."""

import csv
import json
import xml.etree.ElementTree as ET
import zipfile
from dataclasses import replace

import av
import numpy as np
import pytest

from siamtrack.cli import main
from siamtrack.core.tracks import Track, TrackState
from siamtrack.data.manifest import Pool, read_manifest
from siamtrack.data.pairs import PairSampler
from siamtrack.evaluation import evaluate
from siamtrack.sinks import open_sink
from siamtrack.sinks.base import MARGIN
from siamtrack.video import Frame
from tests.evaluation.test_evaluate import figures
from tests.evaluation.toys import Blob, toys
from tests.helpers import clip, texture, write_video
from tests.training.manifest import write_manifest

pytestmark = pytest.mark.root

FRAMES = 300
LINES = ("a.csv", "a.jsonl", "mot.txt", "otb.txt")


def lines(path):
    text = path.read_text()
    assert text.endswith("\n"), "no line is cut"
    return text.splitlines()


def frames_in(path, kind):
    """Read a file as its users do and return how many frames it holds."""
    if kind == "mp4":
        with av.open(str(path)) as container:
            return sum(1 for _ in container.decode(video=0))
    if kind == "coco":
        found = json.loads(path.read_text())
        assert len(found["annotations"]) == len(found["images"])
        return len(found["images"])
    if kind == "cvat":
        return len(ET.parse(path).findall("track/box"))
    if kind == "yolo":
        with zipfile.ZipFile(path) as file:
            assert file.testzip() is None
            return sum(name.startswith("labels") for name in file.namelist())
    if kind == "jsonl":
        return len([json.loads(line) for line in lines(path)])
    widths = {len(row) for row in csv.reader(lines(path))}
    assert len(widths) == 1, "every line is whole"
    return len(lines(path)) - (kind == "csv")


@pytest.mark.parametrize(
    ("kind", "room"),
    [
        ("csv", 4096),
        ("jsonl", 8192),
        ("mot", 4096),
        ("otb", 4096),
        ("coco", 2 * MARGIN + 20_000),
        ("cvat", MARGIN + 40_000),
        ("yolo", MARGIN + 20_000),
        ("mp4", MARGIN + 340_000),
    ],
)
def test_outputs_are_whole_and_hold_the_frames_before(disk, kind, room):
    path = disk.place / "out"
    disk.leave(room)
    picture, rng = texture(3, 192, 256), np.random.default_rng(0)
    count = 0

    def write(sink):
        nonlocal count
        for index in range(FRAMES):
            box = np.array([10.0 + index / 7, 20.0, 30.0, 40.0])
            grain = rng.integers(0, 30, picture.shape, dtype=np.uint8)
            track = Track(box, 0.5, TrackState.TRACKED, 0)
            sink.write(Frame(index, index / 25, picture // 2 + grain), [track])
            count += 1

    sink = open_sink(path, format=kind, fps=25.0)
    with pytest.raises(OSError, match=r"out cannot be written \(No space left .* make room"), sink:
        write(sink)
    assert 20 < count < FRAMES
    assert frames_in(path, kind) == count
    disk.empty()
    with open_sink(path, format=kind, fps=25.0, overwrite=True) as sink:
        write(sink)
    assert frames_in(path, kind) == FRAMES


@pytest.mark.slow
def test_track_says_it_in_one_sentence_and_a_rerun_goes_on(disk, tmp_path, capsys):
    pictures, boxes = clip(20)
    video = write_video(tmp_path / "clip.mp4", np.tile(pictures, (6, 1, 1, 1)))
    outs = [disk.place / name for name in ("a.mp4", "a.csv", "a.json")]
    order = ["track", str(video), "--box", *map(str, boxes[0]), "--quiet", "--overwrite"]
    order += [part for out in outs for part in ("--out", str(out))]
    disk.leave(MARGIN + 160_000)
    with pytest.raises(SystemExit) as end:
        main(order)
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "a.mp4 cannot be written (No space left on device); the frames before" in error
    assert "Errno" not in error
    count = frames_in(outs[0], "mp4")
    assert 20 < count < 120
    assert frames_in(outs[1], "csv") == frames_in(outs[2], "coco") == count
    disk.empty()
    with pytest.raises(SystemExit) as end:
        main([*order, "--start", "20"])
    assert end.value.code == 0
    assert frames_in(outs[0], "mp4") == frames_in(outs[1], "csv") == 100


def test_an_evaluation_keeps_what_is_finished_and_goes_on(disk, tmp_path):
    out = disk.place / "results"
    out.mkdir()
    disk.leave(8 * 4096)
    with pytest.raises(OSError, match=r"Toy.* cannot be written .* before stays: make room"):
        evaluate(Blob, toys(6), out=out, name="toy")
    kept = {file: file.stat().st_mtime_ns for file in (out / "toy").glob("Toy?.txt")}
    assert 0 < len(kept) < 6
    assert not list(out.rglob(".*")), "nothing half written is left"
    disk.empty()
    again = evaluate(Blob, toys(6), out=out, name="toy")
    assert all(file.stat().st_mtime_ns == then for file, then in kept.items())
    assert figures(again) == figures(evaluate(Blob, toys(6), out=tmp_path / "whole", name="toy"))


@pytest.mark.needs("torch")
@pytest.mark.slow
@pytest.mark.parametrize("room", [0, 8192])
def test_training_resumes_to_the_bit_once_there_is_room(disk, tmp_path, room):
    import torch

    from siamtrack.training import train
    from siamtrack.training.monitor import Watch
    from tests.training.test_resume import TINY

    class Fills(PairSampler):
        def draw(self, index):
            if index == 4 * config.batch:
                disk.leave(room)
            return super().draw(index)

    config, watch = replace(TINY, steps=90, rate=1e-3, save_every=0.0), Watch(every=1)
    pool = Pool(read_manifest(write_manifest(tmp_path / "data")))
    out = disk.place / "run"
    with pytest.raises(OSError, match=r"cannot be written .*(make room|resume)"):
        train(config, Fills(pool, config.pairs, config.seed), out, watch=watch)
    step = torch.load(out / "checkpoint.pt", weights_only=True)["step"]
    assert step >= 4
    assert not list(out.glob("*.part"))
    disk.empty()

    def run(where, resume):
        path = train(config, PairSampler(pool, config.pairs, config.seed), where, resume=resume)
        return torch.load(path, weights_only=True)

    resumed, whole = run(out, True), run(tmp_path / "whole", False)
    assert all(torch.equal(resumed["model"][k], v) for k, v in whole["model"].items())
    json.loads((out / "config.json").read_text())


@pytest.mark.needs("torch")
@pytest.mark.slow
@pytest.mark.parametrize("formats", [(), ("torch", "pt2"), ("openvino",)])
def test_an_export_leaves_the_model_that_was_there(disk, tmp_path, formats):
    from siamtrack.packages.card import load_model
    from siamtrack.training import train
    from siamtrack.training.checkpoint import export
    from tests.training.test_loop import SMALL

    config = replace(SMALL, steps=1)
    pool = Pool(read_manifest(write_manifest(tmp_path / "data")))
    checkpoint = train(config, PairSampler(pool, config.pairs), tmp_path / "run")
    out = disk.place / "model"
    export(checkpoint, out)
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    size = sum(map(len, before.values()))
    disk.leave(4096 if not formats else size + 20_000)
    for again in (out, disk.place / "new"):
        with pytest.raises(OSError, match=rf"{again} cannot be written .* make room"):
            export(checkpoint, again, formats=formats, overwrite=True)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    assert not (disk.place / "new").exists()
    load_model(out)
    disk.empty()
    export(checkpoint, out, formats=formats, overwrite=True)
    load_model(out)
