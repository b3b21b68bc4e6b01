"""Detectors in ONNX files: graphs that give known outputs in the layouts of YOLOv8 and YOLOX."""

import json

import numpy as np
import pytest

from siamtrack.cli.main import main
from siamtrack.errors import WeightsError
from siamtrack.tracking.detector import EveryNth, OnnxDetector
from tests.helpers import clip, write_video

pytestmark = pytest.mark.needs("onnx")

SIDE = 64
CELLS = 8 * 8 + 4 * 4 + 2 * 2
WIDE = np.full((48, 96, 3), 90, np.uint8)
"""A frame twice as wide as high: 64x32 in the picture, with 16 rows above in YOLOv8's layout."""


def save(path, output, *, names=None, task=None, shape=(1, 3, SIDE, SIDE), add=(), dtype=None):
    """Write a graph that gives `output` for every picture, plus what `add` nodes make of it."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    kind = dtype or TensorProto.FLOAT
    whole = numpy_helper.from_array(np.asarray(output), "whole")
    nothing = numpy_helper.from_array(np.zeros((), np.asarray(output).dtype), "nothing")
    nodes = list(add) or [
        # the picture takes part, so that its shape is checked
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "nothing"], ["none"]),
        helper.make_node("Add", ["whole", "none"], ["output0"]),
    ]
    graph = helper.make_graph(
        nodes,
        "detector",
        [helper.make_tensor_value_info("images", kind, shape)],
        [helper.make_tensor_value_info("output0", kind, np.shape(output))],
        [whole, nothing],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for key, value in (("names", names), ("task", task)):
        if value is not None:
            entry = model.metadata_props.add()
            entry.key, entry.value = key, value
    onnx.save(model, str(path))
    return path


def yolov8(*found, classes=3, dtype=np.float32):
    """Output (1, 4 + C, N) with (cell, center x, y, width, height, class, score) of each."""
    output = np.zeros((1, 4 + classes, CELLS), dtype)
    for cell, *box, number, score in found:
        output[0, :4, cell], output[0, 4 + number, cell] = box, score
    return output


def yolox(*found, classes=3):
    """Output (1, N, 5 + C) as YOLOX exports it: offsets in cells, logarithms of sizes in cells."""
    output = np.zeros((1, CELLS, 5 + classes), np.float32)
    for cell, x, y, width, height, number, score in found:
        stride, first, across = next(
            each for each in ((32, 80, 2), (16, 64, 4), (8, 0, 8)) if cell >= each[1]
        )
        row, column = divmod(cell - first, across)
        output[0, cell, :4] = (
            x / stride - column,
            y / stride - row,
            np.log(width / stride),
            np.log(height / stride),
        )
        output[0, cell, 4], output[0, cell, 5 + number] = 0.8, score / 0.8
    return output


BOX = (32, 32, 16, 8)
"""Center and size in the picture of 64x64: in the middle of it, and of YOLOv8's frame."""


def test_yolov8_boxes_come_back_from_a_letterboxed_picture(tmp_path):
    path = save(tmp_path / "v8.onnx", yolov8((70, *BOX, 2, 0.9)), names="{0: 'a', 2: 'car'}")
    detector = OnnxDetector(path)
    found = detector.detect(WIDE)
    assert (detector.layout, detector.names, detector.size) == (
        "yolov8",
        {0: "a", 2: "car"},
        (64, 64),
    )
    # the frame is shown at 2/3 of its size, its middle in that of the picture
    assert found.boxes == pytest.approx(np.array([[36, 18, 24, 12]]))
    assert found.scores == pytest.approx([0.9])
    assert found.classes.tolist() == [2]


@pytest.mark.parametrize("cell", [0, 13, 63, 64, 70, 79, 80, 83])
def test_yolox_boxes_of_every_stride_are_decoded(tmp_path, cell):
    path = save(tmp_path / "x.onnx", yolox((cell, 30, 15, 20, 12, 1, 0.7)))
    found = OnnxDetector(path).detect(WIDE)
    # the frame is at the top left of the picture
    assert found.boxes == pytest.approx(np.array([[30, 13.5, 30, 18]]), abs=1e-3)
    assert found.scores == pytest.approx([0.7])
    assert found.classes.tolist() == [1]


def test_yolox_exported_with_its_decoder(tmp_path):
    output = yolox()
    output[0, :, :2], output[0, :, 2:4] = 32, 10  # every cell says something in pixels
    output[0, 5] = [30, 15, 20, 12, 1, 0, 0.6, 0]
    found = OnnxDetector(save(tmp_path / "x.onnx", output)).detect(WIDE)
    assert found.boxes == pytest.approx(np.array([[30, 13.5, 30, 18]]))


def test_pixels_reach_the_network_as_it_was_trained(tmp_path):
    """YOLOv8 is shown RGB in [0, 1], YOLOX BGR in [0, 255]: a graph that gives back its picture."""
    from onnx import helper

    frame = np.zeros((SIDE, SIDE, 3), np.uint8)
    frame[..., 0], frame[..., 1] = 200, 100  # red, green
    seen = {}
    for name, output in (("yolov8", yolov8()), ("yolox", yolox())):
        shape = np.shape(output)
        # the score of class 0 at every cell becomes the mean of the first plane
        mask = np.zeros(shape, np.float32)
        where = (0, 4) if name == "yolov8" else (0, slice(None), 5)
        mask[where] = 1 / 255 if name == "yolox" else 1
        base = output.copy()
        if name == "yolox":
            base[0, :, 4] = 1
        base[(0, slice(2, 4)) if name == "yolov8" else (0, slice(None), slice(2, 4))] = (
            60 if name == "yolov8" else np.log(60 / 8)
        )
        nodes = [
            helper.make_node("Constant", [], ["at"], value_ints=[0]),
            helper.make_node("Gather", ["images", "at"], ["plane"], axis=1),
            helper.make_node("ReduceMean", ["plane"], ["mean"], keepdims=0),
            helper.make_node("Constant", [], ["mask"], value=_tensor(mask)),
            helper.make_node("Mul", ["mask", "mean"], ["score"]),
            helper.make_node("Add", ["whole", "score"], ["output0"]),
        ]
        path = save(tmp_path / f"{name}.onnx", base, add=nodes)
        seen[name] = OnnxDetector(path, least=0.0, overlap=0.0).detect(frame).scores.max()
    assert seen["yolov8"] == pytest.approx(200 / 255, abs=1e-3)
    assert seen["yolox"] == pytest.approx(0, abs=1e-3)  # blue comes first


def _tensor(array):
    from onnx import numpy_helper

    return numpy_helper.from_array(array)


def test_doubles_go_other_classes_stay_and_unsure_ones_are_left_out(tmp_path):
    output = yolov8(
        (0, 32, 32, 16, 8, 0, 0.8),
        (1, 33, 32, 16, 8, 0, 0.9),
        (2, 32, 32, 16, 8, 1, 0.7),
        (3, 10, 32, 8, 8, 0, 0.5),
        (4, 50, 32, 8, 8, 0, 0.2),
        (5, np.nan, 32, 8, 8, 0, 0.9),
        (6, 32, 32, 0, 0, 0, 0.9),
        (7, -200, 32, 8, 8, 0, 0.9),
    )
    path = save(tmp_path / "v8.onnx", output, names="['person', 'dog', 'kite']")
    found = OnnxDetector(path).detect(WIDE)
    assert found.scores == pytest.approx([0.9, 0.7, 0.5])
    assert found.classes.tolist() == [0, 1, 0]
    assert OnnxDetector(path, classes=["dog"]).detect(WIDE).classes.tolist() == [1]
    assert OnnxDetector(path, classes=[0], least=0.6)(WIDE).shape == (1, 4)
    assert OnnxDetector(path, classes=["2"])(WIDE).shape == (0, 4)
    assert len(OnnxDetector(path, overlap=1.0)(WIDE)) == 4


def test_any_size_and_half_precision(tmp_path):
    import onnx

    cells = 80 * 80 + 40 * 40 + 20 * 20
    output = np.zeros((1, 6, cells), np.float16)
    output[0, :, 9] = [320, 320, 100, 50, 0, 0.75]
    kind = onnx.TensorProto.FLOAT16
    path = save(tmp_path / "v8.onnx", output, shape=("b", 3, "h", "w"), dtype=kind)
    detector = OnnxDetector(path)
    assert detector.size == (640, 640)
    assert detector(np.zeros((640, 640, 3), np.uint8)).tolist() == [[270, 295, 100, 50]]


@pytest.mark.parametrize(
    ("output", "more", "message"),
    [
        (np.zeros((1, 300, 6)), {}, r"output of shape \(1, 300, 6\): expected \(1, 4 \+ classes, "),
        (np.zeros((1, 3 * CELLS, 8)), {}, r"\(1, 84, 5 \+ classes\) as of YOLOX, for a picture of"),
        (np.zeros((CELLS, 8)), {}, "another detector can write its boxes to a .jsonl file"),
        (yolov8(), {"task": "pose"}, "is a model for the task 'pose'"),
        (yolov8(), {"shape": (1, 3, 60, 64)}, "sides that 32 divides"),
        (yolov8(), {"shape": (8, 3, 64, 64)}, "takes 8 pictures at a time"),
        (yolov8(), {"shape": (1, 1, 64, 64)}, "expected three channels"),
        (yolov8(), {"shape": (3, 64, 64)}, r"expected one float picture \(1, 3, height, width\)"),
    ],
)
def test_other_graphs_are_refused_before_anything_is_tracked(tmp_path, output, more, message):
    path = save(tmp_path / "other.onnx", np.asarray(output, np.float32), **more)
    with pytest.raises(WeightsError, match=message):
        OnnxDetector(path)


def test_a_file_that_is_no_graph_and_classes_that_are_not_there(tmp_path):
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"<!DOCTYPE html>")
    with pytest.raises(WeightsError, match=r"bad\.onnx cannot be loaded as a detector"):
        OnnxDetector(bad)
    with pytest.raises(WeightsError, match=r"none\.onnx cannot be loaded"):
        OnnxDetector(tmp_path / "none.onnx")
    named = save(tmp_path / "v8.onnx", yolov8(), names="{0: 'person', 1: 'dog', 2: 'car'}")
    with pytest.raises(ValueError, match=r"class 'cat': .* has 3 classes, person, dog, car"):
        OnnxDetector(named, classes=["cat"])
    unnamed = save(tmp_path / "x.onnx", yolox(), names="{0: __import__('os')}")
    with pytest.raises(ValueError, match="3 classes, by number alone"):
        OnnxDetector(unnamed, classes=["3"])
    with pytest.raises(ValueError, match=r"least 1\.5"):
        OnnxDetector(unnamed, least=1.5)


def test_a_detector_in_every_nth_frame():
    asked = []
    looks = EveryNth(lambda frame: asked.append(frame) or [], 2)
    assert [looks(number) for number in range(5)] == [[], None, [], None, []]
    assert asked == [0, 2, 4]
    with pytest.raises(ValueError, match="every 0: expected"):
        EveryNth(lambda frame: [], 0)


def ended(order):
    with pytest.raises(SystemExit) as end:
        main(order)
    return end.value.code


def test_track_corrects_a_target_by_a_detector(tmp_path, capsys):
    """The graph sees one box, three pixels larger than the target, which then has that size."""
    pictures, boxes = clip(6, speed=0.0)
    height, width = pictures.shape[1:3]
    video = write_video(tmp_path / "a.mp4", pictures)
    scale = SIDE / max(height, width)
    left, top, *sides = boxes[0] + [0, 0, 3, 3]
    center = np.array([left + sides[0] / 2, top + sides[1] / 2])
    inner = np.round(np.array([width, height]) * scale)
    corner = (SIDE - inner) // 2
    seen = yolov8((3, *(center * scale + corner), *(np.array(sides) * scale), 1, 0.9))
    graph = save(tmp_path / "v8.onnx", seen, names="{0: 'a', 1: 'square', 2: 'b'}")
    order = ["track", str(video), "--box", *map(str, boxes[0]), "--quiet"]
    order += ["--detections", str(graph)]
    out = tmp_path / "a.jsonl"
    assert ended([*order, "--detection-classes", "square", "--out", str(out)]) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert rows[-1]["box"] == pytest.approx([left, top, *sides], abs=0.5)
    capsys.readouterr()
    assert ended([*order, "--detection-classes", "cat", "--out", str(tmp_path / "b.csv")]) == 2
    assert "class 'cat'" in capsys.readouterr().err
    assert not (tmp_path / "b.csv").exists()


def test_options_of_a_detector_without_one(tmp_path, capsys):
    video = write_video(tmp_path / "a.mp4", clip(3)[0])
    order = ["track", str(video), "--box", "60", "70", "40", "40", "--quiet"]
    assert ended([*order, "--detection-every", "3"]) == 2
    assert "give --detections NAME.onnx" in capsys.readouterr().err
    assert ended([*order, "--detection-score", "0.5"]) == 2
    assert "--detection-score 0.5 without --detections" in capsys.readouterr().err
