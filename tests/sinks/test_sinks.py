import contextlib
import csv
import json
import math
import zipfile

import av
import numpy as np
import pytest

from siamtrack.core.tracks import Track, TrackState
from siamtrack.errors import UnknownNameError
from siamtrack.sinks import SINKS, open_sink
from siamtrack.video import Frame
from tests.helpers import texture

ENDINGS = {
    "mp4": "a.mp4",
    "csv": "a.csv",
    "jsonl": "a.jsonl",
    "coco": "a.json",
    "mot": "a.txt",
    "otb": "a.txt",
    "cvat": "a.xml",
    "cvat-masks": "a.xml",
    "yolo": "a.zip",
    "yolo-seg": "a.zip",
    "yolo-obb": "a.zip",
    "davis": "a.zip",
    "vot": "a.txt",
    "vot-rotated": "a.txt",
}


def frame(index, height=48, width=64):
    return Frame(index, index / 25, texture(index, height, width))


def track(id=0, left=10.0, state=TrackState.TRACKED, score=0.75):
    return Track(np.array([left, 8.25, 20.0, 16.0]), score, state, id)


def write(path, name, frames, **options):
    with open_sink(path, format=name, **options) as sink:
        for picture, tracks in frames:
            sink.write(picture, tracks)
    return path


TWO = [(frame(0), [track(0)]), (frame(2), [track(0, 12.0), track(3, 30.0, TrackState.LOST, 0.1)])]


def test_every_format_is_tried_here():
    assert set(SINKS) == set(ENDINGS)


def test_csv(tmp_path):
    path = write(tmp_path / "a.csv", None, TWO)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["frame"], row["id"], row["state"]) for row in rows] == [
        ("0", "0", "tracked"),
        ("2", "0", "tracked"),
        ("2", "3", "lost"),
    ]
    assert float(rows[1]["left"]) == 12.0
    assert float(rows[1]["time"]) == pytest.approx(0.08)


def test_json_lines(tmp_path):
    path = write(tmp_path / "a.jsonl", None, TWO)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert rows[2] == {
        "frame": 2,
        "time": 0.08,
        "id": 3,
        "box": [30.0, 8.25, 20.0, 16.0],
        "score": 0.1,
        "state": "lost",
    }


def test_mot_counts_from_one_and_leaves_lost_targets_out(tmp_path):
    path = write(tmp_path / "a.txt", "mot", TWO)
    assert path.read_text().splitlines() == [
        "1,0,11.000,9.250,20.000,16.000,0.7500,-1,-1,-1",
        "3,0,13.000,9.250,20.000,16.000,0.7500,-1,-1,-1",
    ]


def test_otb_has_a_file_for_each_target_with_nan_where_it_is_missing(tmp_path):
    write(tmp_path / "a.txt", "otb", [*TWO, (frame(3), [])])
    first = np.loadtxt(tmp_path / "a.txt", delimiter=",")
    other = np.loadtxt(tmp_path / "a_2.txt", delimiter=",")
    np.testing.assert_allclose(first[:2], [[11, 9.25, 20, 16], [13, 9.25, 20, 16]])
    np.testing.assert_allclose(other[1], [31, 9.25, 20, 16])
    assert np.isnan(first[2]).all()
    assert np.isnan(other[[0, 2]]).all()


def test_coco(tmp_path):
    path = write(tmp_path / "a.json", None, TWO)
    value = json.loads(path.read_text())
    assert [image["frame_id"] for image in value["images"]] == [0, 2]
    assert [image["width"] for image in value["images"]] == [64, 64]
    assert [row["track_id"] for row in value["annotations"]] == [0, 0]
    assert value["annotations"][1]["bbox"] == [12.0, 8.25, 20.0, 16.0]
    assert value["annotations"][1]["area"] == 320.0
    ids = [row["id"] for row in value["annotations"]]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(("height", "width"), [(48, 64), (47, 63), (2, 2), (1, 1)])
def test_mp4_plays_with_its_index_in_front(tmp_path, height, width):
    frames = [(frame(k, height, width), [track()]) for k in range(5)]
    path = write(tmp_path / "a.mp4", None, frames, fps=12.5)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert float(stream.average_rate) == pytest.approx(12.5)
        pictures = [picture.to_ndarray(format="rgb24") for picture in container.decode(video=0)]
    assert len(pictures) == 5
    assert pictures[0].shape == (height + height % 2, width + width % 2, 3)
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_mp4_shows_the_boxes(tmp_path):
    plain = frame(0, 120, 160)
    path = write(tmp_path / "a.mp4", None, [(plain, [track()])])
    with av.open(str(path)) as container:
        shown = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    change = np.abs(shown - plain.image).sum(2)
    assert change[8:24, 9:12].mean() > 3 * change[60:, 60:].mean()


@pytest.mark.parametrize("name", ENDINGS)
def test_files_are_whole_after_an_error_in_between(tmp_path, name):
    path = tmp_path / ENDINGS[name]
    with contextlib.suppress(KeyboardInterrupt), open_sink(path, format=name) as sink:
        for picture, tracks in TWO:
            sink.write(picture, tracks)
        raise KeyboardInterrupt
    whole = write(tmp_path / f"whole_{path.name}", name, TWO)
    if name == "mp4":
        with av.open(str(path)) as container:
            assert sum(1 for _ in container.decode(video=0)) == 2
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path) as file, zipfile.ZipFile(whole) as other:
            names = [each.replace("whole_a/", "a/") for each in other.namelist()]
            assert file.namelist() == names
            assert file.testzip() is None
    else:
        text = path.read_text().replace('"a"', '"whole_a"').replace(">a<", ">whole_a<")
        assert text == whole.read_text()


@pytest.mark.parametrize("name", ["csv", "jsonl", "mot", "otb"])
def test_text_is_complete_after_every_frame(tmp_path, name):
    path = tmp_path / ENDINGS[name]
    with open_sink(path, format=name) as sink:
        sink.write(*TWO[0])
        assert path.read_text().splitlines()[-1].count(",") >= 3


@pytest.mark.parametrize("name", ENDINGS)
def test_nothing_is_replaced_unless_allowed_or_before_the_first_frame(tmp_path, name):
    path = tmp_path / ENDINGS[name]
    path.write_text("precious")
    with pytest.raises(FileExistsError, match="exists: choose another name"):
        open_sink(path, format=name)
    open_sink(path, format=name, overwrite=True).close()
    assert path.read_text() == "precious"
    write(path, name, TWO, overwrite=True)
    assert path.read_bytes() != b"precious"


@pytest.mark.parametrize("name", ENDINGS)
def test_boxes_that_are_not_finite_break_no_file(tmp_path, name):
    broken = Track(np.array([math.nan, 1.0, math.inf, 2.0]), math.nan, TrackState.UNCERTAIN, 0)
    path = write(tmp_path / ENDINGS[name], name, [(frame(0), [broken]), (frame(1), [track()])])
    if name == "jsonl":
        row = json.loads(path.read_text().splitlines()[0])
        assert row["box"] == [None, 1.0, None, 2.0]
    if name == "coco":
        assert len(json.loads(path.read_text())["annotations"]) == 1


def test_bad_input(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist: make it"):
        open_sink(tmp_path / "no" / "a.csv")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        open_sink(tmp_path, format="csv")
    with pytest.raises(ValueError, match="does not tell the format"):
        open_sink(tmp_path / "a.xyz")
    with pytest.raises(UnknownNameError, match="did you mean 'jsonl'"):
        open_sink(tmp_path / "a.xyz", format="jsnl")
    for fps in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match="expected frames per second"):
            open_sink(tmp_path / "a.mp4", fps=fps)
    sink = open_sink(tmp_path / "a.csv")
    sink.close()
    with pytest.raises(ValueError, match="is closed"):
        sink.write(*TWO[0])
    assert not (tmp_path / "a.csv").exists()
