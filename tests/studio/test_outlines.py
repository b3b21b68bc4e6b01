"""Outlines: off until somebody asks, of the box that is shown, and in every export of masks."""

import io
import json
import xml.etree.ElementTree as ET
import zipfile

import av
import cv2
import numpy as np
import pytest

from siamtrack.core.masks import from_polygons, read_segmentation
from siamtrack.data.benchmarks.vot import read_mask
from siamtrack.studio.library import Models
from siamtrack.tracking.outline import load_outliner
from tests.helpers import write_video
from tests.studio.conftest import FRAMES, SOCKETS, open_project

SIZE = (120, 160)
"""Height and width of the frames."""


def disc(index, lane=40):
    bits = np.zeros(SIZE, np.uint8)
    cv2.circle(bits, (30 + 4 * index, lane), 14, 1, cv2.FILLED)
    return bits != 0


def box(index, lane=40):
    return [30.0 + 4 * index - 14, lane - 14.0, 28.0, 28.0]


@pytest.fixture(scope="module")
def discs(tmp_path_factory):
    """A clip of two discs, red and blue, that move to the right: every pixel of them is known."""
    folder = tmp_path_factory.mktemp("discs")
    pictures = np.full((FRAMES, *SIZE, 3), 90, np.uint8)
    for index, picture in enumerate(pictures):
        picture[disc(index)] = (220, 40, 40)
        picture[disc(index, 85)] = (40, 60, 230)
    write_video(folder / "clip.mp4", pictures)
    return folder


@pytest.fixture
def client(serve, discs):
    return serve(discs)


def edit(client, project, **change):
    answer = client.post(project + "/edits", json=change)
    assert answer.status_code == 200, answer.text


@pytest.fixture
def project(client):
    """Two targets with a key frame in every frame, but the second is absent from the third on."""
    path = open_project(client)
    for index in range(FRAMES):
        kind = {"do": "key", "target": 0} if index else {"do": "draw", "name": "red"}
        edit(client, path, **kind, frame=index, box=box(index))
    edit(client, path, do="draw", name="blue", frame=0, box=box(0, 85))
    edit(client, path, do="key", target=1, frame=1, box=box(1, 85))
    edit(client, path, do="absent", target=1, frame=2)
    return path


def outlines(client, project, frame):
    answer = client.get(f"{project}/outlines/{frame}")
    assert answer.status_code == 200, answer.text
    return {id: (box, polygons) for id, box, polygons in answer.json()["outlines"]}


def covered(polygons):
    return from_polygons([np.reshape(each, (-1, 2)) for each in polygons], *SIZE).full()


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def exported(client, project, **order):
    with client.websocket_connect(SOCKETS + project + "/exports") as socket:
        socket.send_json(order)
        while (news := socket.receive_json())["state"] == "working":
            pass
        assert news["state"] == "ready", news
        return client.get(f"{project}/exports/{news['id']}").content


def test_outlines_follow_their_targets(client, project):
    found = outlines(client, project, 1)
    assert [found[0][0], found[1][0]] == [box(1), box(1, 85)]
    assert overlap(covered(found[0][1]), disc(1)) > 0.6
    assert overlap(covered(found[1][1]), disc(1, 85)) > 0.6
    assert list(outlines(client, project, 2)) == [0]  # the other is absent


def test_a_corrected_box_changes_the_outline(client, project):
    before = outlines(client, project, 5)[0]
    edit(client, project, do="key", target=0, frame=5, box=box(5, 85))
    after = outlines(client, project, 5)[0]
    assert (before[0], after[0]) == (box(5), box(5, 85))
    assert overlap(covered(before[1]), disc(5)) > 0.6
    assert overlap(covered(after[1]), disc(5, 85)) > 0.6
    assert not (covered(after[1]) & disc(5)).any()
    edit(client, project, do="undo")
    assert outlines(client, project, 5)[0] == before
    # What is exported is the corrected one as well
    edit(client, project, do="redo")
    document = json.loads(exported(client, project, format="coco", masks="rle"))
    (note,) = [each for each in document["annotations"] if each["image_id"] == 6]
    assert overlap(read_segmentation(note["segmentation"], *SIZE).full(), disc(5, 85)) > 0.6


def test_a_frame_or_a_model_that_is_not_there(client, project):
    assert client.get(f"{project}/outlines/{FRAMES}").status_code == 404
    assert client.get(f"{project}/outlines/0?model=none").status_code == 400
    assert outlines(client, open_project(client), 0)


def test_nothing_is_loaded_until_outlines_are_asked_for(discs, tmp_path, serve):
    loads = []

    def load(**options):
        loads.append(options)
        return load_outliner(**options)

    client = serve(discs, models=Models(["lite"], threads=1, outliner=load))
    project = open_project(client)
    assert outlines(client, project, 0) == {}  # no target: nothing to outline
    edit(client, project, do="draw", frame=0, box=box(0))
    for format in ("coco", "cvat", "jsonl", "mp4", "yolo", "csv", "json"):
        assert exported(client, project, format=format)
    assert loads == []
    assert list(outlines(client, project, 0)) == [0]
    assert exported(client, project, format="davis")
    assert loads == [{"threads": 1}]


@pytest.mark.parametrize("form", ["polygons", "rle"])
def test_coco_holds_them(client, project, form):
    document = json.loads(exported(client, project, format="coco", masks=form))
    notes = [each for each in document["annotations"] if each["track_id"] == 0]
    assert len(notes) == FRAMES
    for index, note in enumerate(notes):
        mask = read_segmentation(note["segmentation"], *SIZE)
        assert overlap(mask.full(), disc(index)) > 0.6
        assert isinstance(note["segmentation"], dict) == (form == "rle")
    assert not any("segmentation" in each for each in plain(client, project)["annotations"])


def plain(client, project):
    return json.loads(exported(client, project, format="coco"))


def test_cvat_holds_them(client, project):
    tracks = ET.fromstring(exported(client, project, format="cvat", masks="polygons", keyframes=1))
    shapes = [each for each in tracks.iter("polygon") if each.get("outside") == "0"]
    assert len(shapes) == FRAMES + 2
    points = shapes[3].get("points").replace(";", ",").split(",")
    assert overlap(covered([[float(each) for each in points]]), disc(3)) > 0.6
    images = ET.fromstring(exported(client, project, format="cvat-masks"))
    assert [len(each.findall("mask")) for each in images.iter("image")] == [2, 2] + [1] * 14


def test_json_lines_and_video_hold_them(client, project):
    lines = exported(client, project, format="jsonl", masks="polygons").splitlines()
    rows = [json.loads(line) for line in lines]
    assert all("mask" in row and "rotated" in row for row in rows)
    shown = []
    for masks in (None, "polygons"):
        with av.open(io.BytesIO(exported(client, project, format="mp4", masks=masks))) as video:
            shown.append(next(video.decode(video=0)).to_ndarray(format="rgb24").astype(int))
    assert abs(shown[0] - shown[1])[disc(0)].mean() > 10  # a tint


@pytest.mark.parametrize("format", ["yolo-seg", "yolo-obb"])
def test_yolo_has_pictures_and_corners(client, project, format):
    with zipfile.ZipFile(io.BytesIO(exported(client, project, format=format))) as file:
        assert file.testzip() is None
        names = file.namelist()
        texts = [file.read(name).decode() for name in names if name.startswith("labels/")]
    assert sum(name.endswith(".jpg") for name in names) == len(texts) == FRAMES
    kind, *shares = texts[0].split("\n")[0].split()
    points = np.array(shares, float).reshape(-1, 2) * (SIZE[1], SIZE[0])
    assert kind == "0"
    assert (len(points) == 4) == (format == "yolo-obb")
    assert overlap(covered([points.ravel()]), disc(0)) > 0.55


def test_davis_and_vot(client, project):
    with zipfile.ZipFile(io.BytesIO(exported(client, project, format="davis"))) as file:
        names = file.namelist()
        bgr = cv2.imdecode(np.frombuffer(file.read(names[1]), np.uint8), cv2.IMREAD_COLOR)
    assert names == [f"clip/{index:05d}.png" for index in range(FRAMES)]
    assert overlap((bgr == (0, 0, 128)).all(axis=2), disc(1)) > 0.6
    assert overlap((bgr == (0, 128, 0)).all(axis=2), disc(1, 85)) > 0.6
    # A file for each target, and none is left behind
    with zipfile.ZipFile(io.BytesIO(exported(client, project, format="vot"))) as file:
        assert file.namelist() == ["clip_vot.txt", "clip_vot_2.txt"]
        first, second = (file.read(name).decode().split() for name in file.namelist())
    assert (len(first), first[0]) == (FRAMES, "1")
    left, top, width, height = read_mask(first[3]).box
    assert abs(left + width / 2 - 42) < 4
    assert abs(top + height / 2 - 40) < 4
    assert (second[0], second[2:]) == ("1", ["0"] * (FRAMES - 2))
    edit(client, project, do="remove", target=1)
    lines = exported(client, project, format="vot-rotated").decode().split()
    assert len(lines[1].split(",")) == 8


def test_a_form_of_masks_that_there_is_not(client, project):
    for wrong in ("bits", True, 3):
        with client.websocket_connect(SOCKETS + project + "/exports") as socket:
            socket.send_json({"format": "coco", "masks": wrong})
            assert "polygons or rle" in socket.receive_json()["error"]


def test_propagation_gives_masks_where_they_are_asked_for(client):
    (entry,) = client.get("/api/studio").json()["clips"]
    order = {"clip": entry["id"], "frame": 0, "boxes": [box(0)], "count": 2}
    for masks in (False, True):
        answer = client.post("/api/propagate", json={**order, "masks": masks})
        *lines, last = [json.loads(line) for line in answer.text.splitlines()]
        assert last == {"done": True}
        rows = [row for line in lines for row in line["tracks"]]
        assert [("mask" in row) for row in rows] == [masks] * 2
    assert overlap(read_segmentation(rows[0]["mask"], *SIZE).full(), disc(1)) > 0.6
