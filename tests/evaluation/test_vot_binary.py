"""Binary trajectories: files that the VOT toolkit 0.9.0 wrote, and damaged ones."""

import struct

import numpy as np
import pytest

from siamtrack.core.masks import Mask
from siamtrack.data.sequence import Dataset, NoFrames, Sequence
from siamtrack.errors import ResultsError
from siamtrack.evaluation import evaluate_results, evaluate_vot, longterm_report
from siamtrack.evaluation.longterm import read_runs
from siamtrack.evaluation.vot import files
from siamtrack.evaluation.vot.files import read_binary
from tests.evaluation.toys import Blob, toys

# a start, two rectangles, a failure, a frame without a tracker, a start
BOXES = (
    "010006000000000100000001000024410000a4410000f041008020420100003041"
    "0000a8410000f04100002042000200000000000000000001000000"
)
# a start and two polygons
POLYGONS = (
    "0100030000000001000000020400000020410000a041000022420000a0410000204200"
    "00704200002041000070420204000000000000000000000080400000000000008040"
    "000080400000000000008040"
)
# a start; masks of 2x2 in 5x4 at 7, 8; of 30x20 at 20, 10; of 300x300, whose run is split, at 1, 2
MASKS = (
    "01000400000000010000000307000800050004000500070002000300020006000300"
    "00000050003c00290034031e0032001e0032001e0032001e0032001e0032001e0032"
    "001e0032001e0032001e0032001e0032001e0032001e0032001e0032001e0032001e"
    "0032001e0032001e0032001e0032001e0032001e007e0903010002002c012c010400"
    "000001fe00008f61"
)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes.fromhex(text))
    return path


def test_files_of_the_toolkit(tmp_path):
    assert read_binary(write(tmp_path / "a.bin", BOXES)) == [
        [1],
        [10.25, 20.5, 30, 40.125],
        [11, 21, 30, 40],
        [2],
        [0],
        [1],
    ]
    assert read_binary(write(tmp_path / "b.bin", POLYGONS)) == [
        [1],
        [10, 20, 40.5, 20, 40, 60, 10, 60],
        [0, 0, 4, 0, 4, 4, 0, 4],
    ]
    masks = read_binary(write(tmp_path / "c.bin", MASKS))
    assert [list(each.box) if isinstance(each, Mask) else each for each in masks] == [
        [1],
        [9, 9, 2, 2],
        [20, 10, 30, 20],
        [1, 2, 300, 300],
    ]


def test_a_mask_as_text_is_the_same_box(tmp_path):
    file = tmp_path / "s_001.txt"
    file.write_text("1\nm7,8,5,4,7,2,3,2,6\n")
    codes, boxes, *_ = files.read_regions(file, 2)
    assert codes.tolist() == [1, -1]
    assert boxes[1].tolist() == [9, 9, 2, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a\.bin, frame 1: not a region"),
        ("3120", r"a\.bin, frame 1: not a region"),
        ("020001000000", r"a\.bin: begins with 2, expected 1"),
        (BOXES[:-2], r"a\.bin, frame 6: not a region"),
        (BOXES + "00", r"a\.bin: 1 bytes too long for its 6 frames"),
        ("0100010000000400000000000000", r"frame 1: not a region \(kind 4"),
        ("0100010000000007000000", r"frame 1: not a region \(the code 7, expected 0, 1 or 2"),
        ("01000100000001" + struct.pack("<4f", 1, 2, np.nan, 4).hex(), "frame 1.*the numbers"),
        ("010001000000020200" + struct.pack("<4f", 1, 2, 3, 4).hex(), "frame 1.*the numbers"),
        ("010001000000030000000002000200010009000000", "frame 1.*its runs have 9 pixels"),
    ],
)
def test_damaged_files_say_where(text, message, tmp_path):
    with pytest.raises(ResultsError, match=message):
        read_binary(write(tmp_path / "a.bin", text))
    with pytest.raises(ResultsError, match=r"none\.bin: cannot be read"):
        read_binary(tmp_path / "none.bin")


def packed(path, codes, boxes):
    """Write a trajectory as the toolkit does, and take away the text that it stands for."""
    data = struct.pack("<hI", 1, len(codes))
    for code, box in zip(codes, boxes, strict=True):
        data += struct.pack("<B4f", 1, *box) if code == -1 else struct.pack("<BI", 0, int(code))
    path.with_suffix(".bin").write_bytes(data)
    path.unlink()


@pytest.mark.parametrize("protocol", ["vot", "vot-multistart"])
def test_protocols_read_binary_results_like_text(protocol, tmp_path):
    data = toys(2)
    options = {"protocol": protocol, "interval": (5, 20)}
    ran = evaluate_vot({"blob": Blob}, data, out=tmp_path, **options)
    for sequence in data:
        for path in (tmp_path / "blob" / "baseline" / sequence.name).glob("*.txt"):
            count = len(path.read_text().splitlines())
            packed(path, *files.read_regions(path, count)[:2])
    read = evaluate_vot({"blob": tmp_path / "blob"}, data, **options)
    assert read.overall["blob"] == pytest.approx(ran.overall["blob"])


def test_long_term_results_of_the_toolkit(tmp_path):
    """Two frames with the target, two without; the second of them has a high score."""
    truth = [[0.0, 0, 10, 10], [10.25, 20.5, 30, 40.125], [np.nan] * 4, [np.nan] * 4]
    data = Dataset("LT", [Sequence("s", NoFrames(4), truth)])
    text = "010004000000" + "0001000000" + 3 * ("01" + struct.pack("<4f", *truth[1]).hex())
    file = write(tmp_path / "s" / "s_001.bin", text)
    scores = file.with_name("s_001_confidence.value")
    scores.write_text("\n0.9\n0.1\n0.9\n")
    (run,) = read_runs(tmp_path, data)
    assert run.result.boxes[:2].tolist() == truth[:2]
    assert run.result.scores[1:].tolist() == [0.9, 0.1, 0.9]
    assert longterm_report({"t": [run]}, data).overall["t"]["ROC AUC"] == 0.75
    scores.write_text("0.9\n")
    with pytest.raises(ResultsError, match=r"s_001_confidence\.value: 2 scores for 4 frames"):
        read_runs(tmp_path, data)
    scores.write_text("x\n")
    with pytest.raises(ResultsError, match=r"s_001_confidence\.value: cannot be read"):
        read_runs(tmp_path, data)
    with pytest.raises(ResultsError, match=r"s_001\.bin: a trajectory of the VOT toolkit"):
        evaluate_results(tmp_path, data)
