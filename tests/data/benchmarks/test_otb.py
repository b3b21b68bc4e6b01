"""OTB in its official layout: every special case on tiny trees made here."""

import json

import cv2
import numpy as np
import pytest

from siamtrack.data import open_dataset
from siamtrack.data.benchmarks.otb import ATTRIBUTES, TARGETS, targets
from siamtrack.errors import DatasetError

BY_NAME = {target.name: target for target in TARGETS}
SPECIAL = {  # the toolkit's own table: first and last image
    "David": (300, 770),
    "Football1": (1, 74),
    "Freeman3": (1, 460),
    "Freeman4": (1, 283),
    "Diving": (1, 215),
    "BlurCar1": (247, 988),
    "BlurCar3": (3, 359),
    "BlurCar4": (18, 397),
    "Board": (1, 698),
    "Tiger1": (6, 354),
}


def rows(count, start=10):
    """Return 1-based boxes whose left edge counts up from `start`."""
    boxes = np.tile([0, 20, 30, 40], (count, 1))
    boxes[:, 0] = np.arange(start, start + count)
    return boxes


def write_rows(path, boxes, delimiter=","):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, boxes, fmt="%d", delimiter=delimiter)


def write_images(folder, numbers, width=4):
    """Write images whose first pixel tells their number."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        image = np.full((4, 4, 3), (number % 250, number // 250 * 20, 0), np.uint8)
        cv2.imwrite(str(folder / f"{number:0{width}d}.png"), image)


def number_of(frame):
    red, green, blue = frame[0, 0].tolist()
    assert red == 0
    return green // 20 * 250 + blue


def tree(root, *names, **folders):
    """Write the official text files of some targets, without images."""
    for name in names:
        target = BY_NAME[name]
        video, _, number = name.partition("-")
        file = f"groundtruth_rect.{number}.txt" if number else "groundtruth_rect.txt"
        extra = 5 if name == "Tiger1" else 0
        write_rows(root / folders.get(name, video) / file, rows(len(target) + extra))
    return root


def test_counts_and_frames_of_the_benchmarks():
    assert [len(targets(version)) for version in ("2013", "50", "100")] == [51, 50, 100]
    frames = [sum(map(len, targets(version))) for version in ("2013", "100")]
    assert frames == [29491 - 5, 59040 - 5]  # as always stated, less the five of Tiger1
    assert {target.name for target in targets("50")} != {target.name for target in targets("2013")}
    assert len({target.name for target in TARGETS}) == 100
    assert {attribute for target in TARGETS for attribute in target.attributes} == set(ATTRIBUTES)
    for name, frames in SPECIAL.items():
        assert (BY_NAME[name].first, BY_NAME[name].last) == frames
    assert {target.name for target in TARGETS if target.first != 1} == {
        "David",
        "BlurCar1",
        "BlurCar3",
        "BlurCar4",
        "Tiger1",
    }


def test_boxes_are_0_based_and_named_with_attributes(tmp_path):
    dataset = open_dataset(f"otb:{tree(tmp_path, 'Deer')}")
    (deer,) = dataset
    assert deer.boxes[0].tolist() == [9, 19, 30, 40]
    assert len(deer) == 71
    assert deer.attributes == ("MB", "FM", "IPR", "BC")
    assert dataset.origin == 1


@pytest.mark.parametrize("name", ["David", "BlurCar1", "BlurCar3", "BlurCar4"])
def test_ranges_that_begin_later_take_the_images_by_their_numbers(name, tmp_path):
    target = BY_NAME[name]
    tree(tmp_path, name)
    some = (1, target.first - 1, target.first, target.first + 1, target.last, target.last + 1)
    write_images(tmp_path / name / "img", some)
    (sequence,) = open_dataset(f"otb:{tmp_path}")
    assert len(sequence) == target.last - target.first + 1
    assert number_of(sequence[0]) == target.first
    assert number_of(sequence[1]) == target.first + 1
    assert number_of(sequence[-1]) == target.last
    assert sequence.files[2].name == f"{target.first + 2:04d}.png"  # not there, and not skipped
    with pytest.raises(DatasetError, match=f"{target.first + 2:04d}.png: the frame is missing"):
        sequence[2]


@pytest.mark.parametrize("name", ["Football1", "Freeman3", "Freeman4", "Diving"])
def test_images_after_the_last_row_are_not_used(name, tmp_path):
    target = BY_NAME[name]
    tree(tmp_path, name)
    write_images(tmp_path / name / "img", (1, 2, target.last, target.last + 1, target.last + 9))
    (sequence,) = open_dataset(f"otb:{tmp_path}")
    assert len(sequence) == target.last
    assert number_of(sequence[-1]) == target.last
    assert len(sequence.files) == len(sequence.boxes) == target.last


@pytest.mark.parametrize("drop", [0, 5])
def test_tiger1_begins_at_frame_6_whether_its_file_has_354_or_349_rows(drop, tmp_path):
    write_rows(tmp_path / "Tiger1" / "groundtruth_rect.txt", rows(354)[drop:])
    write_images(tmp_path / "Tiger1" / "img", range(1, 10))
    (tiger,) = open_dataset(f"otb:{tmp_path}")
    assert len(tiger) == 349
    assert tiger.dropped_first == 5
    assert tiger.boxes[0].tolist() == [14, 19, 30, 40]  # the sixth row
    assert number_of(tiger[0]) == 6


def test_two_targets_share_the_images_of_one_video(tmp_path):
    for video, count in (("Jogging", 307), ("Skating2", 473)):
        for number, start in ((1, 100), (2, 500)):
            write_rows(tmp_path / video / f"groundtruth_rect.{number}.txt", rows(count, start))
        write_images(tmp_path / video / "img", (1, 2))
    dataset = open_dataset(f"otb:{tmp_path}")
    assert dataset.names == ("Jogging-1", "Jogging-2", "Skating2-1", "Skating2-2")
    assert [sequence.boxes[0, 0] for sequence in dataset] == [99, 499, 99, 499]
    assert dataset["jogging_1"].files == dataset["Jogging.2"].files


def test_one_unnumbered_file_is_neither_of_two_targets(tmp_path):
    """It could be either target's, and taking it for both would make two equal sequences."""
    write_rows(tmp_path / "Jogging" / "groundtruth_rect.txt", rows(307))
    tree(tmp_path, "Deer")
    assert open_dataset(f"otb:{tmp_path}").names == ("Deer",)


@pytest.mark.parametrize("folder", ["Jogging-1", "jogging.1", "Jogging_1"])
def test_a_folder_for_each_target(folder, tmp_path):
    write_rows(tmp_path / folder / "groundtruth_rect.txt", rows(307))
    assert open_dataset(f"otb:{tmp_path}").names == ("Jogging-1",)


def test_human4_is_its_second_file(tmp_path):
    folder = tmp_path / "Human4"
    write_rows(folder / "groundtruth_rect.2.txt", rows(667, 77))
    (folder / "groundtruth_rect.1.txt").touch()
    dataset = open_dataset(f"otb:{tmp_path}")
    assert dataset.names == ("Human4-2",)
    assert dataset["human4"].boxes[0, 0] == 76


@pytest.mark.parametrize("width", [4, 5])
def test_board_has_five_digits(width, tmp_path):
    tree(tmp_path, "Board")
    write_images(tmp_path / "Board" / "img", (1, 698), width)
    (board,) = open_dataset(f"otb:{tmp_path}")
    assert [number_of(board[index]) for index in (0, -1)] == [1, 698]
    assert board.files[1].name == f"{2:0{width}d}.png"


def test_board_without_images_expects_five_digits(tmp_path):
    (board,) = open_dataset(f"otb:{tree(tmp_path, 'Board')}")
    assert board.files[0].name == "00001.jpg"


@pytest.mark.parametrize(
    ("folder", "name"),
    [("faceocc1", "FaceOcc1"), ("fleetface", "FleetFace"), ("CARDARK", "CarDark")],
)
def test_case_of_folders(folder, name, tmp_path):
    assert open_dataset(f"otb:{tree(tmp_path, name, **{name: folder})}").names == (name,)


@pytest.mark.parametrize("delimiter", [",", "\t", " "])
def test_delimiters(delimiter, tmp_path):
    write_rows(tmp_path / "Deer" / "groundtruth_rect.txt", rows(71), delimiter)
    assert open_dataset(f"otb:{tmp_path}")[0].boxes[-1].tolist() == [79, 19, 30, 40]


@pytest.mark.parametrize("count", [70, 72])
def test_a_wrong_number_of_rows_names_the_file(count, tmp_path):
    write_rows(tmp_path / "Deer" / "groundtruth_rect.txt", rows(count))
    message = rf"groundtruth_rect.txt: Deer has {count} rows, expected 71 \(frames 1 to 71\)"
    with pytest.raises(DatasetError, match=message):
        open_dataset(f"otb:{tmp_path}")


def test_a_benchmark_must_be_whole(tmp_path):
    tree(tmp_path, *(t.name for t in targets("2013") if t.name not in ("Deer", "Jogging-2")))
    message = "OTB-2013: 2 of 51 sequences are missing: Deer, Jogging-2; "
    with pytest.raises(DatasetError, match=message):
        open_dataset(f"otb2013:{tmp_path}")
    part = open_dataset(f"otb2013:{tmp_path}", partial=True)
    assert (len(part), part.missing) == (49, ("Deer", "Jogging-2"))
    assert part.check()[:2] == [
        "Deer: the sequence is missing",
        "Jogging-2: the sequence is missing",
    ]
    assert "David: 471 of 471 frames are missing, the first is" in "\n".join(part.check())
    tree(tmp_path, "Deer", "Jogging-2")
    whole = open_dataset(f"otb2013:{tmp_path}")
    assert (len(whole), whole.missing, whole.name) == (51, (), "OTB-2013")


def test_empty_folder(tmp_path):
    (tmp_path / "MyCar").mkdir()
    with pytest.raises(DatasetError, match=r"no sequence found: .* folder:PATH"):
        open_dataset(f"otb:{tmp_path}")


class TestAnnotationsAlone:
    """The JSON files of tracker repositories, and a folder of text files."""

    def content(self, version):
        return {t.name: {"gt_rect": rows(len(t)).tolist()} for t in targets(version)}

    def test_json(self, tmp_path):
        content = self.content("2013")
        content["david"] = content.pop("David")
        content["jogging_1"] = content.pop("Jogging-1")
        content["Tiger1"]["gt_rect"] = rows(354).tolist()
        file = tmp_path / "OTB2013.json"
        file.write_text(json.dumps(content))
        dataset = open_dataset(f"otb2013-annotations:{file}")
        assert (len(dataset), dataset.origin) == (51, 1)
        assert [len(dataset[name]) for name in ("David", "Tiger1", "Football1")] == [471, 349, 74]
        assert dataset["Tiger1"].boxes[0].tolist() == [14, 19, 30, 40]
        assert dataset["Jogging.1"].boxes[0].tolist() == [9, 19, 30, 40]
        with pytest.raises(DatasetError, match="annotations without frames"):
            dataset[0][0]

    def test_human4_by_its_short_name(self, tmp_path):
        content = self.content("100")
        content["Human4"] = content.pop("Human4-2")
        file = tmp_path / "OTB100.json"
        file.write_text(json.dumps(content))
        assert open_dataset(f"otb100-annotations:{file}")["Human4"].name == "Human4-2"

    def test_folder(self, tmp_path):
        for target in targets("50"):
            write_rows(tmp_path / f"{target.name.replace('-', '.')}.txt", rows(len(target)), "\t")
        assert len(open_dataset(f"otb50-annotations:{tmp_path}")) == 50
        (tmp_path / "Walking.txt").unlink()
        with pytest.raises(
            DatasetError, match=r"1 of 50 sequences are missing: Walking.*--partial in a shell"
        ):
            open_dataset(f"otb50-annotations:{tmp_path}")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[1, 2]", "maps names to objects with 'gt_rect'"),
            ("{", "maps names to objects with 'gt_rect'"),
            ('{"Deer": {"boxes": []}}', "maps names to objects with 'gt_rect'"),
            ('{"Deer": {"gt_rect": [[1, 2, 3]]}}', r"gt_rect of Deer has shape \(1, 3\)"),
            ('{"Deer": {"gt_rect": [[1, 2, 3, 4], [1]]}}', "gt_rect"),
            ('{"Deer": {"gt_rect": [[1, 2, 3, 4]]}}', "Deer has 1 rows, expected 71"),
        ],
    )
    def test_bad_json(self, text, message, tmp_path):
        file = tmp_path / "x.json"
        file.write_text(text)
        with pytest.raises(DatasetError, match=message):
            open_dataset(f"otb100-annotations:{file}", partial=True)
