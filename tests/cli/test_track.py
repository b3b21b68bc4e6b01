import contextlib
import csv
import json
import os
import signal
import subprocess
import zipfile

import av
import cv2
import numpy as np
import pytest

from siamtrack.cli import main
from siamtrack.core.boxes import iou
from siamtrack.sinks.text import CsvSink
from tests.helpers import clip, write_video
from tests.processes import siamtrack, started


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    pictures, boxes = clip(12)
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", pictures), boxes


def box(values):
    return ["--box", *(f"{value:g}" for value in values)]


def run(*arguments):
    """Run the command and return its exit code."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


def test_all_outputs_at_once(video, tmp_path, capsys):
    path, boxes = video
    outs = [tmp_path / name for name in ("a.mp4", "a.csv", "a.jsonl", "a.json")]
    flags = [part for out in outs for part in ("--out", out)]
    flags += ["--mot", tmp_path / "mot.txt", "--otb", tmp_path / "otb.txt", "--json", "--quiet"]
    assert run("track", path, *box(boxes[0]), *box((20, 20, 30, 30)), *flags) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["frames"] == 12
    assert summary["targets"] == 2
    assert sum(summary["states"].values()) == 24
    assert min(summary["milliseconds"].values()) > 0  # of reading, tracking and writing
    whole = 1000 / summary["frames_per_second"]  # a frame, finishing the files included
    assert whole >= 0.99 * max(summary["milliseconds"].values())
    with av.open(str(outs[0])) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert sum(1 for _ in container.decode(video=0)) == 12
    with outs[1].open() as file:
        rows = [row for row in csv.DictReader(file) if row["id"] == "0"]
    found = np.array([[float(row[k]) for k in ("left", "top", "width", "height")] for row in rows])
    assert iou(found, boxes).mean() > 0.6
    assert len(outs[2].read_text().splitlines()) == 24
    assert len(json.loads(outs[3].read_text())["images"]) == 12
    otb = np.loadtxt(tmp_path / "otb.txt", delimiter=",")
    np.testing.assert_allclose(otb - [1, 1, 0, 0], found, atol=2e-3)
    assert (tmp_path / "mot.txt").read_text().startswith("1,0,")


def test_masks_go_to_the_formats_that_hold_them(video, tmp_path, capsys):
    path, boxes = video
    files = [tmp_path / name for name in ("a.json", "seg.zip", "davis.zip", "vot.txt")]
    kinds = ("", "yolo-seg:", "davis:", "vot:")
    outs = [f"{kind}{file}" for kind, file in zip(kinds, files, strict=True)]
    flags = [part for out in outs for part in ("--out", out)]
    few = ("--end", 4, "--quiet")
    assert run("track", path, *box(boxes[0]), *flags, *few) == 2
    assert "--out yolo-seg:... holds nothing but masks: add --masks" in capsys.readouterr().err
    assert not any(file.exists() for file in files)
    assert run("track", path, *box(boxes[0]), *flags, *few, "--masks") == 0
    notes = json.loads(files[0].read_text())["annotations"]
    assert len(notes) == 4
    assert all("segmentation" in note for note in notes)
    with zipfile.ZipFile(files[1]) as seg, zipfile.ZipFile(files[2]) as masks:
        assert len(seg.read("labels/train/frame_000002.txt").split()) > 7
        assert len(masks.namelist()) == 4
    assert [line[0] for line in files[3].read_text().splitlines()] == ["1", "m", "m", "m"]
    # An output that would replace the input is found under its format, too
    assert run("track", path, *box(boxes[0]), "--out", f"vot:{path}", *few, "--overwrite") == 2


def test_without_outputs_csv_goes_to_stdout(video, capsys):
    path, boxes = video
    assert run("track", path, *box(boxes[3]), "--start", 3, "--end", 6, "--quiet") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == CsvSink.header
    assert [line.split(",")[0] for line in lines[1:]] == ["3", "4", "5"]


def test_boxes_from_a_file(video, tmp_path, capsys):
    path, boxes = video
    file = tmp_path / "boxes.txt"
    file.write_text("\n".join(f"{k} {k + 4} " + " ".join(map(str, boxes[k])) for k in (0, 5)))
    assert run("track", path, "--boxes", file, "--quiet") == 0
    rows = [line.split(",")[:3:2] for line in capsys.readouterr().out.splitlines()[1:]]
    assert rows[0] == ["0", "4"]
    assert rows[-2:] == [["11", "4"], ["11", "9"]]
    file.write_text("1 2 3\n")
    assert run("track", path, "--boxes", file) == 2
    assert "boxes.txt" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["absent.mp4", "--box", "1", "1", "5", "5"], "absent.mp4 does not exist"),
        (["VIDEO"], "no target: give --box"),
        (["VIDEO"], "`siamtrack studio VIDEO` draws boxes"),
        (["VIDEO", "--box", "1", "1", "0", "5"], "width and height must be above 0"),
        (["VIDEO", "--box", "1", "1", "nan", "5"], "must be finite"),
        (["VIDEO", "--box", "1000", "1", "5", "5"], "outside the frame of 256x192"),
        (["VIDEO", "--box", "1", "1", "5", "5", "--model", "lit"], "did you mean 'lite'"),
        (["VIDEO", "--box", "1", "1", "5", "5", "--stride", "0"], "stride 0"),
        (["VIDEO", "--box", "1", "1", "5", "5", "--start", "50"], "has no frame 50"),
        (["VIDEO", "--box", "1", "1", "5", "5", "--out", "x.avi"], "does not tell the format"),
        (["VIDEO", "--box", "1", "1", "5", "5", "--out", "no/x.csv"], "does not exist"),
        (["TEXT", "--box", "1", "1", "5", "5"], "text.mp4"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(video, tmp_path, capsys, arguments, words):
    (tmp_path / "text.mp4").write_text("this is not a video")
    names = {"VIDEO": str(video[0]), "TEXT": str(tmp_path / "text.mp4")}
    assert run("track", *(names.get(word, word) for word in arguments), "--quiet") == 2
    out, error = capsys.readouterr()
    assert not out
    assert words in error
    assert "Traceback" not in error


def test_bad_usage_is_exit_code_2(capsys):
    assert run("track") == 2
    assert run("trakc") == 2
    capsys.readouterr()


def test_nothing_is_overwritten_unasked(video, tmp_path, capsys):
    path, boxes = video
    out = tmp_path / "a.csv"
    out.write_text("precious")
    other = tmp_path / "b.csv"
    common = ["track", path, *box(boxes[0]), "--out", other, "--out", out, "--quiet"]
    assert run(*common) == 2
    assert out.read_text() == "precious"
    error = capsys.readouterr().err
    assert "a.csv exists" in error
    assert "--overwrite" in error
    assert run(*common, "--overwrite") == 0
    assert out.read_text().startswith("frame,")


def test_truncated_video_keeps_what_was_tracked(tmp_path, capsys):
    pictures, boxes = clip(40)
    whole = write_video(tmp_path / "whole.mkv", pictures)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    out = tmp_path / "a.csv"
    code = run("track", cut, *box(boxes[0]), "--out", out, "--quiet")
    assert code in (0, 2)
    rows = out.read_text().splitlines()
    assert 5 < len(rows) < 41
    assert all(len(row.split(",")) == 9 for row in rows)
    assert "Traceback" not in capsys.readouterr().err


def test_a_video_that_changes_its_size_midway(tmp_path, capsys):
    """What was tracked is kept; both ways that the error names go on."""
    pictures, boxes = clip(6)
    large = np.stack([cv2.resize(each, (384, 288)) for each in pictures])
    parts = [write_video(tmp_path / "a.ts", pictures), write_video(tmp_path / "b.ts", large)]
    both = tmp_path / "both.ts"
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    outs = [tmp_path / "a.mp4", tmp_path / "a.csv", tmp_path / "a.json"]
    flags = [part for out in outs for part in ("--out", out)] + ["--quiet", "--overwrite"]
    assert run("track", both, *box(boxes[0]), *flags) == 2
    error = capsys.readouterr().err
    assert "both.ts: frame 6 has 384x288 pixels, those before it 256x192" in error
    assert "begin again at frame 6 with boxes in it" in error
    assert "Traceback" not in error
    with av.open(str(outs[0])) as container:
        assert sum(1 for _ in container.decode(video=0)) == 6
    assert len(outs[1].read_text().splitlines()) == 7
    assert len(json.loads(outs[2].read_text())["images"]) == 6
    again = boxes[0] * 1.5
    assert run("track", both, *box(again), "--start", 6, *flags) == 0
    assert len(outs[1].read_text().splitlines()) == 7
    starts = tmp_path / "boxes.txt"
    starts.write_text(
        "".join(
            f"{frame} 0 {' '.join(map(str, values))}\n"
            for frame, values in ((0, boxes[0]), (6, again))
        )
    )
    assert run("track", both, "--boxes", starts, *flags) == 0
    rows = list(csv.DictReader(outs[1].read_text().splitlines()))
    assert [int(row["frame"]) for row in rows] == list(range(12))
    found = [[float(row[k]) for k in ("left", "top", "width", "height")] for row in rows]
    np.testing.assert_allclose(found[6], again, atol=1e-3)
    assert iou(np.array(found[11]), boxes[5] * 1.5) > 0.3
    capsys.readouterr()


def test_boxes_have_names_and_classes(video, tmp_path, capsys):
    video, boxes = video
    table, mot = tmp_path / "a.csv", tmp_path / "m.txt"
    words = [*box(boxes[0]), "name=Anna", "class=person", *box(boxes[1]), "class=a car"]
    words += ["--end", "3", "--out", table, "--mot", mot, "--quiet"]
    assert run("track", *words, video) == 0  # the video may also come last
    rows = table.read_text().splitlines()
    assert rows[0].endswith(",state,name,class")
    assert rows[1].endswith(",Anna,person")
    assert rows[2].endswith(",,a car")
    assert (tmp_path / "m_labels.txt").read_text() == "person\na car\n"
    capsys.readouterr()
    assert run("track", video, *box(boxes[0]), "class=dog", "--end", "2", "--quiet") == 0
    assert capsys.readouterr().out.splitlines()[1].endswith(",,dog")


def test_key_frames_need_an_output_that_has_them(video, tmp_path, capsys):
    video, boxes = video
    out = tmp_path / "a.xml"
    words = ["track", video, *box(boxes[0]), "--quiet", "--keyframes"]
    assert run(*words, "1.0", "--out", tmp_path / "a.csv") == 2
    assert "no output has key frames; add --out NAME.xml" in capsys.readouterr().err
    assert run(*words, "-1", "--out", out) == 2
    assert "expected pixels" in capsys.readouterr().err
    assert run(*words, "1.0", "--out", out) == 0
    text = out.read_text()
    assert text.count('keyframe="0"') > text.count('keyframe="1"') >= 2


def test_a_data_set_for_yolo_with_its_images(video, tmp_path, capsys):
    video, boxes = video
    words = ["track", video, *box(boxes[0]), "--quiet", "--end", "3", "--images"]
    assert run(*words, "--out", tmp_path / "a.csv") == 2
    assert "no output holds images; add --out NAME.zip" in capsys.readouterr().err
    assert run(*words, "--out", tmp_path / "a.zip") == 0
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        names = sorted(file.namelist())
    assert names[0] == "data.yaml"
    assert names[1:] == [
        f"{kind}/train/frame_00000{index}.{suffix}"
        for kind, suffix in (("images", "jpg"), ("labels", "txt"))
        for index in range(3)
    ]


def test_a_camera_that_is_not_there_is_one_sentence():
    """OpenCV writes its warnings past Python's streams, so they are looked for in the process."""
    command = siamtrack("track", "97", "--box", 1, 2, 3, 4)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "camera 97 cannot be opened: check its number" in line


SIGNALED = 30
SIGNALS_ITSELF = """
import os
from siamtrack.sinks.text import CsvSink
write = CsvSink._write
def signal_at(sink, frame, tracks):
    write(sink, frame, tracks)
    if frame.index == {1}:
        os.kill(os.getpid(), {0})
CsvSink._write = signal_at
"""
"""Sends the signal in the middle of the run, whatever the speed of the machine."""


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("ignored", [False, True], ids=["", "inherited-ignore"])
@pytest.mark.parametrize("stop", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_interrupt_leaves_whole_files(tmp_path, stop, ignored):
    """Also where these tests themselves were started by what ignores signals, as `nohup` does."""
    stop = getattr(signal, stop)
    pictures, boxes = clip(10)
    video = write_video(tmp_path / "long.mp4", np.tile(pictures, (30, 1, 1, 1)))
    outs = [tmp_path / name for name in ("a.mp4", "a.csv", "a.json")]
    words = ["track", video, *box(boxes[0]), "--quiet"]
    for out in outs:
        words += ["--out", out]
    before = signal.signal(stop, signal.SIG_IGN) if ignored else signal.getsignal(stop)
    try:
        child = started(
            siamtrack(*words, before=SIGNALS_ITSELF.format(int(stop), SIGNALED)),
            stderr=subprocess.PIPE,
            text=True,
        )
        process = child.__enter__()
    finally:
        signal.signal(stop, before)
    with contextlib.ExitStack() as stack:
        stack.push(child)
        _, error = process.communicate(timeout=600)
    assert process.returncode == 130, error
    assert "Traceback" not in error
    frames = len(outs[1].read_text().splitlines()) - 1
    assert SIGNALED < frames < 300
    # all three have the frames that were tracked, those that waited for the encoder too
    with av.open(str(outs[0])) as container:
        assert sum(1 for _ in container.decode(video=0)) in (frames, frames + 1)
    assert len(json.loads(outs[2].read_text())["images"]) in (frames - 1, frames)


def test_a_ruler_to_read_a_box_off(video, tmp_path, capsys):
    video, _ = video
    out = tmp_path / "first.png"
    words = [video, "--start", "3", "--box", "66", "72", "40", "40", "--ruler", out]
    assert run("track", *words) == 0
    assert f"wrote {out}: frame 3 of 256x192 pixels" in capsys.readouterr().out
    picture = cv2.imread(str(out))
    assert picture.shape == (192 * 5, 256 * 5, 3)
    assert picture[72 * 5, 86 * 5].tolist() == [0, 255, 0]  # the upper side of the box
    assert run("track", *words) == 2
    assert "exists: choose another name" in capsys.readouterr().err
    assert run("track", video, "--ruler", tmp_path / "first.jpg") == 2
    assert "expected an ending of .png" in capsys.readouterr().err
    assert run("track", video, "--start", "99", "--ruler", tmp_path / "late.png") == 2
    assert "choose an earlier start" in capsys.readouterr().err
