"""Against cvat-sdk and cvat-cli themselves; only the server is a stand-in, `cvat_server`."""

import sys

import numpy as np
import pytest

from siamtrack.core.boxes import iou
from siamtrack.interop.cvat import create
from tests.helpers import clip
from tests.interop.cvat_server import TOKEN, CvatServer

pytestmark = pytest.mark.needs("cvat_sdk", "cvat_cli")


@pytest.fixture(scope="module")
def frames():
    pictures, boxes = clip(frames=8)
    return pictures, np.column_stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])


@pytest.fixture(scope="module")
def function():
    return create(threads=1)


def shape(kind, points):
    from cvat_sdk.auto_annotation import TrackableShape

    return TrackableShape(type=kind, points=list(points))


def pillow(picture):
    from PIL import Image

    return Image.fromarray(picture)


def started(function, picture, *shapes):
    image = function.preprocess_image(None, pillow(picture))
    return [function.init_tracking_state(None, image, each) for each in shapes]


def step(function, picture, states):
    image = function.preprocess_image(None, pillow(picture))
    return [function.track(None, image, state) for state in states]


def test_an_agent_follows_shapes_from_request_to_request(frames, monkeypatch, capsys):
    """The whole way: `siamtrack serve cvat` registers the function, runs CVAT's agent, and ends."""
    pictures, corners = frames
    monkeypatch.setenv("CVAT_ACCESS_TOKEN", TOKEN)
    drawn = [
        {"type": "rectangle", "points": corners[0].tolist()},
        {"type": "polygon", "points": polygon(corners[0])},
    ]

    def start(results):
        return {"type": "init_tracking", "task": 1, "frame": 0, "shapes": drawn}

    def bad(results):
        flat = {"type": "rectangle", "points": [20, 20, 20, 60]}
        return {"type": "init_tracking", "task": 1, "frame": 0, "shapes": [drawn[0], flat]}

    def following(frame):
        return lambda results: {
            "type": "track",
            "task": 1,
            "frame": frame,
            "states": results[0]["states"],
        }

    requests = [bad, start, *map(following, range(1, len(pictures)))]
    with CvatServer(pictures, requests) as server:
        words = ["serve", "cvat", "--server", server.address, "--create", "follow", "--burst"]
        with pytest.raises(SystemExit) as ended:
            siamtrack_main([*words, "--threads", "1"])
    assert ended.value.code == 0
    (failure,) = server.failures  # of the bad request: named to the annotator, and gone on
    assert "box" in failure
    assert not server.refused
    (made,) = server.functions.values()
    assert made["kind"] == "tracker"
    assert made["supported_shape_types"] == ["ellipse", "mask", "polygon", "rectangle"]
    assert "function 7" in capsys.readouterr().out
    for answer, truth in zip(server.results[1:], corners[1:], strict=True):
        box, outline = answer["shapes"]
        assert box["type"] == "rectangle"
        assert overlap(box["points"], truth) > 0.7
        assert outline["type"] == "polygon"
        assert len(outline["points"]) == len(drawn[1]["points"])


def test_one_picture_serves_many_shapes_with_a_state_each(function, frames):
    pictures, corners = frames
    elsewhere = corners[0] + [60, 20, 60, 20]
    shapes = [shape("rectangle", corners[0]), shape("rectangle", elsewhere)] * 3
    states = started(function, pictures[0], *shapes)
    alone = started(function, pictures[0], shapes[0])
    for picture in pictures[1:]:
        found = step(function, picture, states)
        (single,) = step(function, picture, alone)
        assert [each.points for each in found[::2]] == [single.points] * 3


def test_a_state_that_waits_goes_on_where_it_was(function, frames):
    """Another shape of the frame may be asked for ten times in between."""
    pictures, corners = frames
    first, second = started(function, pictures[0], *[shape("rectangle", corners[0])] * 2)
    for picture in pictures[1:4]:
        step(function, picture, [first])
    (late,) = step(function, pictures[1], [second])
    assert overlap(late.points, corners[1]) > 0.7


@pytest.mark.parametrize("kind", ["rectangle", "polygon", "ellipse", "mask"])
def test_shapes_come_back_as_they_were_drawn(function, frames, kind):
    from cvat_sdk.masks import decode_mask

    pictures, corners = frames
    height, width = pictures[0].shape[:2]
    state = started(function, pictures[0], drawn_as(kind, corners[0], (height, width)))
    for picture, truth in zip(pictures[1:], corners[1:], strict=True):
        (found,) = step(function, picture, state)
        assert found.type == kind
        assert all(isinstance(value, float) for value in found.points)
        if kind == "mask":
            pixels = decode_mask(found.points, image_width=width, image_height=height)
            rows, columns = pixels.any(1).nonzero()[0], pixels.any(0).nonzero()[0]
            box = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
            full = (columns[-1] + 1 - columns[0]) * (rows[-1] + 1 - rows[0])
            assert 0.4 < pixels.sum() / full < 0.6  # still a triangle
        elif kind == "ellipse":
            (x, y), (right, top) = np.reshape(found.points, (2, 2))
            box = [2 * x - right, top, right, 2 * y - top]
        else:
            xs, ys = found.points[::2], found.points[1::2]
            box = [min(xs), min(ys), max(xs), max(ys)]
        assert overlap(box, truth) > 0.65


@pytest.mark.parametrize("kind", ["rectangle", "polygon", "mask"])
def test_shapes_that_leave_the_frame_stay_in_it(function, kind):
    pictures, boxes = clip(frames=18, speed=8)
    cut = pictures[:, :, :180]  # the last ones show only a part of the target
    height, width = cut.shape[1:3]
    corners = np.concatenate([boxes[0, :2], boxes[0, :2] + 40])
    state = started(function, cut[0], drawn_as(kind, corners, (height, width)))
    for picture in cut[1:]:
        (found,) = step(function, picture, state)
        if found is not None and kind != "mask":
            xs, ys = found.points[::2], found.points[1::2]
            assert min(xs) >= 0
            assert min(ys) >= 0
            assert max(xs) <= width
            assert max(ys) <= height
        elif found is not None:
            assert found.points[-2] < width
            assert found.points[-1] < height


def test_a_lost_shape_is_none_unless_it_is_kept(frames):
    pictures, corners = frames
    plain, keeping = create(threads=1), create(threads=1, keep_lost=True)
    grey = np.full_like(pictures[0], 120)
    for function, there in ((plain, False), (keeping, True)):
        state = started(function, pictures[0], shape("rectangle", corners[0]))
        found = [step(function, grey, state)[0] for _ in range(6)]
        assert (found[-1] is not None) is there


@pytest.mark.parametrize(
    ("kind", "points", "said"),
    [
        ("skeleton", [1, 2, 3, 4], "expected one of rectangle, polygon, ellipse, mask"),
        ("rectangle", [1, 2, 3], "3 coordinates of a rectangle"),
        ("polygon", [1, 2, 3, 4], "expected at least 6"),
        ("rectangle", [5, 5, 5, 50], "box"),
        ("mask", [100, 5, 5, 14, 14], "without any pixel"),
    ],
)
def test_shapes_that_cannot_be_followed_are_refused_in_a_sentence(
    function, frames, kind, points, said
):
    from cvat_sdk.auto_annotation import BadFunctionError

    with pytest.raises(BadFunctionError, match=said):
        started(function, frames[0][0], shape(kind, points))


def test_pictures_of_any_mode(function, frames):
    """CVAT hands over what the images of a task are: grey, with a palette, with transparency."""
    pictures, corners = frames
    for mode in ("L", "P", "RGBA", "RGB"):
        image = function.preprocess_image(None, pillow(pictures[0]).convert(mode))
        assert image.shape == pictures[0].shape
        function.init_tracking_state(None, image, shape("rectangle", corners[0]))


def test_serve_says_what_is_missing(capsys, monkeypatch):
    with pytest.raises(SystemExit) as ended:
        siamtrack_main(["serve", "cvat"])
    assert ended.value.code == 2
    assert "--create NAME" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "cvat_cli", None)
    with pytest.raises(SystemExit) as ended:
        siamtrack_main(["serve", "cvat", "--function", "3"])
    assert ended.value.code == 2
    assert "siamtrack[cvat]" in capsys.readouterr().err


def siamtrack_main(words):
    from siamtrack.cli.main import main

    main(words)


def polygon(corners):
    left, top, right, bottom = corners.tolist()
    middle = (left + right) / 2
    return [middle, top, right, bottom, middle, bottom - 5, left, bottom]


def drawn_as(kind, corners, size):
    from cvat_sdk.masks import encode_mask

    left, top, right, bottom = corners.tolist()
    if kind == "ellipse":
        return shape(kind, [(left + right) / 2, (top + bottom) / 2, right, top])
    if kind == "polygon":
        return shape(kind, polygon(corners))
    if kind == "mask":
        pixels = np.zeros(size, bool)
        high, wide = int(bottom - top), int(right - left)
        triangle = np.tri(high, wide, dtype=bool)
        pixels[int(top) : int(bottom), int(left) : int(right)] = triangle
        return shape(kind, encode_mask(pixels))
    return shape(kind, corners)


def overlap(found, truth):
    (left, top, right, bottom), (x, y, to_x, to_y) = found, truth
    return float(iou(np.array([left, top, right - left, bottom - top]), [x, y, to_x - x, to_y - y]))
