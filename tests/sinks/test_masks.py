"""Masks in every format that holds them, read back by programs of others where there are any."""

import io
import json
import zipfile
from xml.etree import ElementTree

import av
import cv2
import numpy as np
import pytest

from siamtrack.core.masks import Mask, from_polygons, read_segmentation
from siamtrack.core.tracks import Track, TrackState
from siamtrack.data.annotations import Findings, read_training
from siamtrack.errors import UnknownNameError
from siamtrack.sinks import open_sink
from siamtrack.sinks.draw import draw_tracks
from siamtrack.video import Frame
from tests.helpers import texture

SIZE = (60, 80)
"""Height and width of the frames."""


def frame(index):
    return Frame(index, index / 25, texture(index, *SIZE))


def ellipse(cx, cy, angle=30):
    picture = np.zeros(SIZE, np.uint8)
    cv2.ellipse(picture, (cx, cy), (18, 8), angle, 0, 360, 1, cv2.FILLED)
    return picture != 0


def ring():
    bits = ellipse(40, 30)
    bits[28:32, 37:43] = False
    return bits


def track(bits, number=0, state=TrackState.TRACKED):
    mask = None if bits is None else Mask.of(bits, shape=SIZE)
    box = (10.0, 10.0, 30.0, 20.0) if mask is None or not mask.area else mask.box
    return Track(np.array(box), 0.9, state, number, mask)


FRAMES = [
    (frame(0), [track(ring()), track(ellipse(20, 20, 0), 5)]),
    (frame(1), [track(ellipse(42, 30)), track(ellipse(21, 20, 0), 5, TrackState.LOST)]),
    (frame(2), [track(np.zeros(SIZE, bool)), track(None, 5)]),
]
"""A hole and two targets; one lost; an empty mask and none."""


def write(path, kind, **options):
    with open_sink(path, format=kind, **options) as sink:
        for picture, tracks in FRAMES:
            sink.write(picture, tracks)
    return path


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools
@pytest.mark.parametrize("form", ["polygons", "rle"])
def test_coco(tmp_path, form):
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    found = coco.COCO(str(write(tmp_path / "a.json", None, masks=form)))
    notes = found.loadAnns(found.getAnnIds())
    assert len(notes) == 5
    masked = [note for note in notes if "segmentation" in note]
    truths = [ring(), ellipse(20, 20, 0), ellipse(42, 30)]
    for note, truth in zip(masked, truths, strict=True):
        there = found.annToMask(note) != 0
        if form == "rle":
            assert (there == truth).all()
        else:  # COCO's own rule of what a polygon covers differs by parts of pixels, and no holes
            assert overlap(there, truth) > 0.85
        assert note["area"] == truth.sum()


def test_an_unknown_form_of_masks_is_refused(tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'polygons'"):
        open_sink(tmp_path / "a.json", masks="polygon")


def test_json_lines(tmp_path):
    lines = write(tmp_path / "a.jsonl", None).read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [("mask" in row, "rotated" in row) for row in rows] == [(True, True)] * 4 + [
        (False, False)
    ] * 2
    assert (read_segmentation(rows[0]["mask"], *SIZE).full() == ring()).all()
    corners = np.array(rows[1]["rotated"], np.float32)
    assert cv2.contourArea(corners) == pytest.approx(37 * 17, rel=0.1)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools
def test_json_lines_are_read_by_pycocotools(tmp_path):
    coco = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed")
    lines = write(tmp_path / "a.jsonl", None).read_text().splitlines()
    found = [coco.decode(row["mask"]) for row in map(json.loads, lines) if "mask" in row]
    truths = [ring(), ellipse(20, 20, 0), ellipse(42, 30), ellipse(21, 20, 0)]
    for there, truth in zip(found, truths, strict=True):
        assert np.array_equal(there != 0, truth)


def test_cvat_tracks_are_polygons(tmp_path):
    tracks = ElementTree.parse(write(tmp_path / "a.xml", None)).getroot().findall("track")
    shapes = [[(each.tag, each.attrib) for each in one] for one in tracks]
    assert [[tag for tag, _ in one] for one in shapes] == [["polygon"] * 3, ["polygon"] * 2]
    assert [[each["outside"] for _, each in one] for one in shapes] == [["0", "0", "1"], ["0", "1"]]
    text = shapes[0][1][1]["points"]
    points = [[float(value) for value in pair.split(",")] for pair in text.split(";")]
    assert overlap(from_polygons([points], *SIZE).full(), ellipse(42, 30)) > 0.95
    # With key frames to choose, boxes as before
    boxes = ElementTree.parse(write(tmp_path / "b.xml", None, keyframes=1.0)).getroot()
    assert {each.tag for one in boxes.findall("track") for each in one} == {"box"}


def cvat_masks(path):
    """Decode the masks of CVAT XML as its documentation says, without the package."""
    for image in ElementTree.parse(path).getroot().findall("image"):
        for node in image.findall("mask"):
            left, top, width, height = (
                int(node.get(key)) for key in ("left", "top", "width", "height")
            )
            bits = np.zeros(width * height, bool)
            place = 0
            for number, run in enumerate(node.get("rle").split(", ")):
                bits[place : place + int(run)] = number % 2
                place += int(run)
            assert place == width * height
            full = np.zeros((int(image.get("height")), int(image.get("width"))), bool)
            full[top : top + height, left : left + width] = bits.reshape(height, width)
            yield image.get("name"), node.get("label"), node.get("group_id"), full


def test_cvat_masks_are_exact(tmp_path):
    path = write(tmp_path / "a.xml", "cvat-masks", names={5: 'A & "B"'}, classes={0: "ring"})
    found = list(cvat_masks(path))
    assert [each[:3] for each in found] == [
        ("frame_000000.PNG", "ring", "1"),
        ("frame_000000.PNG", 'A & "B"', "6"),
        ("frame_000001.PNG", "ring", "1"),
    ]
    truths = [ring(), ellipse(20, 20, 0), ellipse(42, 30)]
    assert all((each[3] == truth).all() for each, truth in zip(found, truths, strict=True))
    root = ElementTree.parse(path).getroot()
    assert [each.get("id") for each in root.findall("image")] == ["0", "1", "2"]
    assert [each.text for each in root.findall("./meta/task/labels/label/name")] == [
        'A & "B"',
        "ring",
    ]


def test_cvat_masks_are_decoded_by_cvat_sdk(tmp_path):
    """Runs and rectangle as CVAT's own server takes them from the file."""
    masks = pytest.importorskip("cvat_sdk.masks", reason="cvat-sdk is not installed")
    root = ElementTree.parse(write(tmp_path / "a.xml", "cvat-masks")).getroot()
    nodes = [node for image in root.findall("image") for node in image.findall("mask")]
    for node, truth in zip(nodes, [ring(), ellipse(20, 20, 0), ellipse(42, 30)], strict=True):
        left, top, width, height = (
            int(node.get(key)) for key in ("left", "top", "width", "height")
        )
        points = [int(run) for run in node.get("rle").split(",")]
        points += [left, top, left + width - 1, top + height - 1]
        bits = masks.decode_mask(points, image_width=SIZE[1], image_height=SIZE[0])
        assert (bits == truth).all()


def test_cvat_masks_come_back_to_a_manifest(tmp_path):
    for picture, _ in FRAMES:
        path = tmp_path / "images" / f"frame_{picture.index:06d}.PNG"
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), picture.image)
    write(tmp_path / "annotations.xml", "cvat-masks")
    found = Findings()
    entries = read_training(f"cvat:{tmp_path}", found)
    assert not found.summary()
    masks = [read_segmentation(entry.mask, *SIZE).full() for entry in entries]
    truths = [ring(), ellipse(20, 20, 0), ellipse(42, 30)]
    assert all((mask == truth).all() for mask, truth in zip(masks, truths, strict=True))


def labels(path):
    with zipfile.ZipFile(path) as file:
        names = sorted(name for name in file.namelist() if name.endswith(".txt"))
        texts = [file.read(name).decode() for name in names]
    return [[line.split() for line in text.splitlines()] for text in texts]


@pytest.mark.parametrize("kind", ["yolo-seg", "yolo-obb"])
def test_yolo(tmp_path, kind):
    rows = labels(write(tmp_path / "a.zip", kind))
    assert [len(each) for each in rows] == [2, 1, 0]
    shares = np.array(rows[1][0][1:], float).reshape(-1, 2)
    assert (len(shares) == 4) == (kind == "yolo-obb")
    covered = from_polygons([shares * (SIZE[1], SIZE[0])], *SIZE).full()
    if kind == "yolo-seg":
        assert overlap(covered, ellipse(42, 30)) > 0.95
    else:
        assert (covered & ellipse(42, 30)).sum() > 0.97 * ellipse(42, 30).sum()
        assert covered.sum() < 1.5 * ellipse(42, 30).sum()


@pytest.mark.needs("supervision")
@pytest.mark.parametrize("kind", ["yolo-seg", "yolo-obb"])
def test_yolo_is_read_by_supervision(tmp_path, kind):
    supervision = pytest.importorskip("supervision", reason="supervision is not installed")
    with zipfile.ZipFile(write(tmp_path / "a.zip", kind)) as file:
        file.extractall(tmp_path)
    images = tmp_path / "images/train"
    images.mkdir(parents=True)
    for picture, _ in FRAMES:
        cv2.imwrite(str(images / f"frame_{picture.index:06d}.jpg"), picture.image)
    data = supervision.DetectionDataset.from_yolo(
        str(images),
        str(tmp_path / "labels/train"),
        str(tmp_path / "data.yaml"),
        force_masks=kind == "yolo-seg",
        is_obb=kind == "yolo-obb",
    )
    found = {path.rsplit("_", 1)[1]: detections for path, _, detections in data}
    assert [len(found[f"{index:06d}.jpg"]) for index in range(3)] == [2, 1, 0]
    one = found["000001.jpg"]
    if kind == "yolo-seg":
        assert overlap(one.mask[0], ellipse(42, 30)) > 0.85
    left, top, right, bottom = one.xyxy[0]
    assert np.allclose((left + right, top + bottom), (85, 61), atol=3)


def test_davis(tmp_path):
    images = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    with zipfile.ZipFile(write(tmp_path / "clip.zip", "davis")) as file:
        assert file.namelist() == [f"clip/{index:05d}.png" for index in range(3)]
        pictures = [images.open(io.BytesIO(file.read(name))) for name in file.namelist()]
    assert {picture.mode for picture in pictures} == {"P"}
    assert pictures[0].getpalette()[3:9] == [128, 0, 0, 0, 128, 0]
    first, second, third = (np.asarray(picture) for picture in pictures)
    # Where both are, the smaller one is on top
    small = ellipse(20, 20, 0)
    assert (small.sum() < ring().sum()) == ((first == 2)[small].all() and small.any())
    assert ((first != 0) == (ring() | small)).all()
    assert set(np.unique(second)) == {0, 1}
    assert not third.any()


def region(text):
    """Decode a mask of VOT as its protocol says."""
    left, top, width, height, *counts = map(int, text.removeprefix("m").split(","))
    bits = [place % 2 == 1 for place, count in enumerate(counts) for _ in range(count)]
    full = np.zeros(SIZE, bool)
    full[top : top + height, left : left + width] = np.reshape(bits, (height, width))
    return full


def test_vot(tmp_path):
    write(tmp_path / "a.txt", "vot")
    assert (tmp_path / "a.txt").read_text().splitlines()[0] == "1"
    _, mask, empty = (tmp_path / "a.txt").read_text().splitlines()
    assert (region(mask) == ellipse(42, 30)).all()
    assert empty == "10.000,10.000,30.000,20.000"
    assert (tmp_path / "a_2.txt").read_text().splitlines() == ["1", "0", empty]
    write(tmp_path / "r.txt", "vot-rotated")
    corners = (tmp_path / "r.txt").read_text().splitlines()[1].split(",")
    points = np.array(corners, np.float32).reshape(4, 2)
    assert cv2.contourArea(points) == pytest.approx(37 * 17, rel=0.2)


def test_video_shows_the_outline(tmp_path):
    write(tmp_path / "a.mp4", None, fps=25)
    with av.open(str(tmp_path / "a.mp4")) as video:
        shown = [each.to_ndarray(format="rgb24") for each in video.decode(video=0)]
    assert len(shown) == 3
    picture, tracks = FRAMES[1]
    tinted = draw_tracks(picture.image, tracks[:1])
    plain = draw_tracks(picture.image, [track(None)])
    inside, outside = ellipse(42, 30), np.zeros(SIZE, bool)
    outside[50:, 60:] = True
    assert (tinted[inside] != picture.image[inside]).any(axis=1).mean() > 0.95
    assert (tinted[outside] == picture.image[outside]).all()
    assert (plain[inside] == picture.image[inside]).all(axis=1).mean() > 0.5
    # A mask of another frame's size is not drawn, and spoils nothing
    other = Track(np.array([1.0, 1, 5, 5]), 0.5, TrackState.TRACKED, 0, Mask.of(np.ones((9, 9))))
    assert draw_tracks(picture.image, [other]).shape == picture.image.shape


@pytest.mark.needs("supervision")
def test_supervision(tmp_path):
    pytest.importorskip("supervision", reason="supervision is not installed")
    from siamtrack.interop.supervision import to_detections

    found = to_detections(FRAMES[0][1])
    assert found.mask.shape == (2, *SIZE)
    assert (found.mask[0] == ring()).all()
    assert to_detections([track(None)]).mask is None
    some = to_detections([track(None), track(ring(), 1)])
    assert [int(each.sum()) for each in some.mask] == [0, ring().sum()]
