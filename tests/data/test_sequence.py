import numpy as np
import pytest

from siamtrack.data.sequence import Dataset, NoFrames, Sequence, canonical
from siamtrack.errors import DatasetError, UnknownNameError

BOX = [0.0, 0, 8, 6]


def named(*names):
    return [Sequence(name, NoFrames(1), [BOX]) for name in names]


def test_first_usable_box_starts():
    boxes = [[np.nan] * 4, [0, 0, 0, 6], [0, 0, 8, -1], BOX, BOX]
    assert Sequence("a", NoFrames(5), boxes).init_frame == 3


def test_boxes_are_a_copy_that_cannot_be_changed():
    given = np.array([BOX])
    sequence = Sequence("a", NoFrames(1), given)
    given[:] = 99
    assert sequence.boxes.tolist() == [BOX]
    with pytest.raises(ValueError, match="read-only"):
        sequence.boxes[0, 0] = 1


@pytest.mark.parametrize(
    ("count", "boxes", "message"),
    [
        (2, [BOX], r"a: 2 frames need boxes of shape \(2, 4\), got \(1, 4\)"),
        (1, BOX, r"got \(4,\)"),
        (2, [[np.nan] * 4] * 2, "no frame has a box with an area"),
        (1, [[5, 5, 0, 0]], "no frame has a box with an area"),
    ],
)
def test_bad_sequences(count, boxes, message):
    with pytest.raises(DatasetError, match=message):
        Sequence("a", NoFrames(count), boxes)


@pytest.mark.parametrize("name", ["Jogging-1", "jogging.1", "JOGGING_1", " Jogging 1 "])
def test_spellings(name):
    dataset = Dataset("some", named("Jogging-1", "Jogging-2"))
    assert canonical(name) == "jogging-1"
    assert dataset[name] is dataset[0]
    assert dataset.find(name) is dataset[0]


def test_positions_names_and_unknown_names():
    dataset = Dataset("some", named("a", "b", "c"))
    assert [s.name for s in dataset] == list(dataset.names) == ["a", "b", "c"]
    assert dataset[-1].name == "c"
    assert len(dataset) == 3
    assert dataset.find("d") is None
    with pytest.raises(IndexError):
        dataset[3]
    with pytest.raises(UnknownNameError, match="unknown sequence 'd'"):
        dataset["d"]


def test_aliases_never_hide_a_sequence():
    dataset = Dataset("x", named("Human4", "Human4-2"), aliases={"Human4": "Human4-2", "no": "yes"})
    assert dataset["human4"].name == "Human4"
    assert Dataset("x", named("Human4-2"), aliases={"Human4": "Human4-2"})["human4"].name == (
        "Human4-2"
    )
    assert dataset.find("no") is None


def test_empty_and_double():
    with pytest.raises(DatasetError, match="x: no sequence found"):
        Dataset("x", [])
    with pytest.raises(DatasetError, match="two sequences have the same name"):
        Dataset("x", named("a.1", "A_1"))
