"""VOT's protocols where sequences are annotated with masks, worked by hand."""

import numpy as np
import pytest

from siamtrack.core.masks import Mask
from siamtrack.core.tracks import Track, TrackState
from siamtrack.data import open_dataset
from siamtrack.data.benchmarks.vot import read_mask
from siamtrack.data.sequence import Dataset, Sequence
from siamtrack.evaluation import evaluate_vot, open_tracker
from siamtrack.evaluation.trackers import tracker_made
from siamtrack.evaluation.vot import files
from siamtrack.evaluation.vot.multistart import anchor_overlaps, failed_at, run_anchor
from siamtrack.evaluation.vot.regions import overlaps, region_overlaps
from siamtrack.evaluation.vot.supervised import FAILURE, INIT, run_overlaps, run_supervised
from tests.data.annotations.trees import write_image
from tests.evaluation.toys import Squares

SIZE = (80, 60)


def mask(*parts):
    """A mask of rectangles left, top, width, height."""
    bits = np.zeros(SIZE[::-1], bool)
    for left, top, width, height in parts:
        bits[top : top + height, left : left + width] = True
    return Mask.of(bits)


def test_pixels_of_masks_count_one_by_one():
    corner = mask((10, 10, 10, 20), (10, 20, 20, 10))  # an L of 200 + 100 pixels
    other = mask((10, 10, 20, 10))  # its upper half, of which the L has 100
    box = np.array([10.0, 10, 20, 20])
    found = region_overlaps([corner, other, box, box], [other, corner, corner, other], SIZE)
    assert found.tolist() == [100 / 400, 100 / 400, 300 / 400, 200 / 400]
    # A polygon's right and lower edges belong to it: columns 10 to 29, rows 10 to 29
    square = np.array([10.0, 10, 29, 10, 29, 29, 10, 29])
    assert region_overlaps([square], [corner], SIZE).tolist() == [0.75]
    assert region_overlaps([box + 0.4], [corner], SIZE).tolist() == [0.75]  # 10.4 is pixel 10
    hole = Mask.of(corner.full() & ~mask((12, 12, 2, 5)).full())
    assert region_overlaps([hole], [corner], SIZE).tolist() == [290 / 300]


def test_what_has_no_pixel_overlaps_nothing():
    truth, nothing = mask((10, 10, 10, 10)), Mask.of(np.zeros((60, 80)))
    gone = np.full(4, np.nan)
    assert region_overlaps([nothing, gone], [truth, truth], SIZE).tolist() == [0, 0]
    assert region_overlaps([truth], [nothing], SIZE).tolist() == [0]


def test_boxes_alone_are_compared_as_ever():
    rng = np.random.default_rng(0)
    a, b = rng.uniform(0, 40, (2, 50, 4))
    assert region_overlaps(a, b, SIZE).tolist() == overlaps(a, b, SIZE).tolist()
    # A mask of all pixels of a box is that box, beyond the frame and one pixel wide as well
    boxes = np.array([[10.0, 10, 20, 30], [70, 50, 20, 20], [79, 10, 5, 9], [4, 4, 1, 9]])
    truths = np.array([[15.0, 20, 20, 30], [72, 40, 20, 15], [79, 12, 3, 9], [4, 6, 1, 9]])
    whole = [Mask.of(np.ones((int(h), int(w))), (int(x), int(y)), (99, 99)) for x, y, w, h in boxes]
    assert region_overlaps(whole, truths, SIZE).tolist() == overlaps(boxes, truths, SIZE).tolist()


class Half:
    """Says that the target stays, and outlines its left half; nothing at first if it is `blind`."""

    def __init__(self, masks=True):
        self.masks = masks

    def init(self, frame, box):
        self.box = np.array(box)

    def update(self, frame):
        left, top, width, height = self.box.astype(int).tolist()
        part = mask((left, top, width // 2, height)) if self.masks else None
        return Track(self.box, 1.0, TrackState.TRACKED, 0, part)


class Whole(Half):
    """Says where the target stays, by its box alone."""

    def __init__(self):
        super().__init__(masks=False)


def cross(left):
    """A target of 12x12 without its corners of 4x4: 144 - 64 = 80 pixels, 40 in each half."""
    return mask((left + 4, 10, 4, 12), (left, 14, 12, 4))


class Crosses:
    """Gives the masks of a sequence; can go to other processes."""

    def __init__(self, boxes):
        self.boxes = boxes

    def __call__(self, index):
        return cross(int(self.boxes[index, 0]))


def sequence(frames=40, at=20):
    """A cross that is elsewhere from frame `at` on."""
    boxes = np.tile([10.0, 10, 12, 12], (frames, 1))
    boxes[at:, 0] = 50
    return Sequence("cross", Squares(boxes), boxes, size=SIZE, masks=Crosses(boxes))


def test_supervised_by_hand():
    """The half of 6x12 has 40 of the 80 pixels and 32 others; the box all 80 and 64 others."""
    for tracker, value in ((Half(), 40 / (80 + 32)), (Whole(), 80 / 144)):
        run = run_supervised(tracker, sequence())
        assert np.flatnonzero(run.codes == FAILURE).tolist() == [20]
        assert np.flatnonzero(run.codes == INIT).tolist() == [0, 25]
        overlap = run_overlaps(run, sequence())
        np.testing.assert_allclose(overlap[1:20], value)
        np.testing.assert_allclose(overlap[26:], value)
        figures = evaluate_vot({"t": tracker}, Dataset("crosses", [sequence()])).overall["t"]
        assert figures["accuracy"] == pytest.approx(value)
        assert figures["failures"] == 1


def test_a_mask_beside_the_truth_is_a_failure_though_its_box_is_not():
    class Corner(Half):
        def update(self, frame):
            left = int(self.box[0])
            return Track(self.box, 1.0, TrackState.TRACKED, 0, mask((left, 10, 4, 4)))

    assert run_supervised(Corner(), sequence()).codes[1] == FAILURE
    plain = sequence()
    plain.masks = None  # annotated with boxes: masks do not count
    assert run_supervised(Corner(), plain).codes[1] != FAILURE


def test_from_anchors_by_hand():
    run = run_anchor(Half(), sequence(), 30, -1)
    overlap = anchor_overlaps(run, sequence())
    np.testing.assert_allclose(overlap[1:11], 40 / 112)
    assert failed_at(overlap) == 11
    figures = evaluate_vot(
        {"half": Half, "whole": Whole},
        Dataset("crosses", [sequence()]),
        protocol="vot-multistart",
        interval=(2, 5),
    ).overall
    # The toolkit counts the frame of the start as one of overlap 0
    starts = {0: 20, 39: 20}  # anchors every 50 frames and at the end: frames until they fail
    for name, value in (("half", 40 / 112), ("whole", 80 / 144)):
        tracked, total = sum(starts.values()), 80
        assert figures[name]["robustness"] == pytest.approx(tracked / total)
        assert figures[name]["accuracy"] == pytest.approx(value * (tracked - 2) / tracked)
        assert figures[name]["EAO"] == pytest.approx(value)


def test_frames_without_a_target_do_not_count():
    boxes = sequence().boxes.copy()
    boxes[5:8] = np.nan

    def truth(index):
        return Mask.of(np.zeros((60, 80))) if 5 <= index < 8 else Crosses(boxes)(index)

    gone = Sequence("gone", Squares(boxes), boxes, size=SIZE, masks=truth)
    overlap = run_overlaps(run_supervised(Half(), gone), gone)
    assert np.isnan(overlap[5:8]).all()
    assert np.isfinite(overlap[8:20]).all()


@pytest.mark.parametrize("protocol", ["vot", "vot-multistart"])
def test_masks_are_written_read_and_resumed(protocol, tmp_path):
    data = Dataset("crosses", [sequence()])
    ran = evaluate_vot({"half": Half}, data, protocol=protocol, out=tmp_path)
    (first, *_) = sorted((tmp_path / "half/baseline/cross").glob("*.txt"))
    assert first.read_text().splitlines()[1] == "m10,10,6,12,0,72"
    read = evaluate_vot({"half": tmp_path / "half"}, data, protocol=protocol)
    assert read.to_dict() == ran.to_dict()
    both = evaluate_vot({"half": Half}, data, protocol=protocol, workers=2)
    assert both.overall["half"] == pytest.approx(ran.overall["half"])
    # Where the sequence has boxes only, the box around a mask counts, as before
    plain = sequence()
    plain.masks = None
    if protocol == "vot":
        run = files.read_supervised(first, plain)
        assert run.masks is None
        assert run.boxes[1].tolist() == [10, 10, 6, 12]


def test_sequences_of_vot_have_their_masks(tmp_path):
    folder = tmp_path / "a"
    lines = ["m10,20,4,2,1,2,2,1,2", "m0,0,0,0", "m0,0,80,60,4800"]
    for index, _ in enumerate(lines, 1):
        write_image(folder / f"color/{index:08d}.jpg", np.zeros((60, 80, 3), np.uint8))
    (folder / "groundtruth.txt").write_text("\n".join(lines))
    (tmp_path / "list.txt").write_text("a\n")
    (found,) = open_dataset(f"vot2022:{tmp_path}")
    assert found.masks(0).area == 3
    assert found.masks(0).box == tuple(found.boxes[0])
    assert [found.masks(index).area for index in (1, 2)] == [0, 0]
    assert np.isnan(found.boxes[1:]).all()
    assert read_mask(found.masks(0).vot()).full().sum() == 3


def test_our_tracker_outlines_where_it_is_asked_to():
    name, make = open_tracker("lite+masks")
    assert name == "lite+masks"
    assert tracker_made(make) != tracker_made(open_tracker("lite")[1])
    frame = np.full((60, 80, 3), 90, np.uint8)
    frame[20:40, 30:50] = (220, 40, 40)
    tracker = make()
    tracker.init(frame, (30, 20, 20, 20))
    assert tracker.update(frame).mask.area > 200
    assert open_tracker("lite+redetect+masks")[1]().redetect
    assert open_tracker("lite+redetect+masks")[1]().outliner is not None
    assert open_tracker("lite")[1]().outliner is None
