import cv2
import numpy as np
import pytest

from siamtrack.data import open_dataset
from siamtrack.errors import DatasetError

ONE_BASED = "1,2,10,20\n3,4,10,20\n"


def images(folder, names=("1.png", "2.png", "10.png")):
    """Write images whose first pixel is the place of their name in `names`."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(names):
        cv2.imwrite(str(folder / name), np.full((4, 4, 3), index, np.uint8))
    return folder


@pytest.mark.parametrize("place", ["", "img", "imgs", "frames"])
@pytest.mark.parametrize(
    ("file", "first"),
    [
        ("groundtruth_rect.txt", [0, 1, 10, 20]),
        ("groundtruth.txt", [0, 1, 10, 20]),
        ("boxes.txt", [1, 2, 10, 20]),
    ],
)
def test_one_folder(place, file, first, tmp_path):
    images(tmp_path / "toy" / place)
    (tmp_path / "toy" / file).write_text(ONE_BASED)
    for path in (tmp_path / "toy", tmp_path):
        (toy,) = open_dataset(f"folder:{path}")
        assert (toy.name, len(toy)) == ("toy", 3)
        assert toy.boxes[0].tolist() == first
        assert np.isnan(toy.boxes[2]).all()  # frames after the last row are not annotated
        assert [int(frame[0, 0, 0]) for frame in toy] == [0, 1, 2]  # 2 comes before 10


def test_polygons_and_absent_targets(tmp_path):
    images(tmp_path)
    text = "1,1,5,1,5,9,1,9\nnan,nan,nan,nan,nan,nan,nan,nan\n2,3,6,1,9,4,4,9\n"
    (tmp_path / "groundtruth.txt").write_text(text)
    (toy,) = open_dataset(f"folder:{tmp_path}")
    assert toy.boxes[[0, 2]].tolist() == [[0, 0, 4, 8], [1, 0, 7, 8]]
    assert np.isnan(toy.boxes[1]).all()


def test_several_targets_and_empty_files(tmp_path):
    images(tmp_path / "v" / "img")
    for number, text in ((1, ""), (2, ONE_BASED), (3, "7,7,7,7\n")):
        (tmp_path / "v" / f"groundtruth_rect.{number}.txt").write_text(text)
    dataset = open_dataset(f"folder:{tmp_path}")
    assert dataset.names == ("v-2", "v-3")
    assert dataset["v.3"].boxes[0].tolist() == [6, 6, 7, 7]


def test_bad_folders(tmp_path):
    with pytest.raises(DatasetError, match=r"has groundtruth_rect\.txt, groundtruth\.txt or"):
        open_dataset(f"folder:{tmp_path}")
    (tmp_path / "boxes.txt").write_text(ONE_BASED)
    with pytest.raises(DatasetError, match="has boxes but no frames"):
        open_dataset(f"folder:{tmp_path}")
    images(tmp_path, ("1.png",))
    with pytest.raises(DatasetError, match=r"boxes\.txt: 2 rows, but 1 frames beside it"):
        open_dataset(f"folder:{tmp_path}")
    (tmp_path / "boxes.txt").write_text("1,2,3,4\n1,2,3,b\n")
    with pytest.raises(DatasetError, match=r"boxes\.txt, line 2: '1,2,3,b'"):
        open_dataset(f"folder:{tmp_path}")


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("otb100", ValueError, "expected NAME:PATH, with NAME one of"),
        ("otb100:", ValueError, "expected NAME:PATH"),
        ("otb100:/none/at/all", DatasetError, "/none/at/all does not exist"),
        ("obt100:.", LookupError, "unknown data set 'obt100': did you mean 'otb100'"),
    ],
)
def test_bad_sources(source, error, message):
    with pytest.raises(error, match=message):
        open_dataset(source)


def test_a_file_in_place_of_a_folder(tmp_path):
    (tmp_path / "x").touch()
    for name in ("otb", "folder", "tld"):
        with pytest.raises(DatasetError, match="is a file; give a folder"):
            open_dataset(f"{name}:{tmp_path / 'x'}")


def test_names_of_data_sets_do_not_depend_on_case(tmp_path):
    images(tmp_path)
    (tmp_path / "boxes.txt").write_text(ONE_BASED)
    assert len(open_dataset(f"Folder:{tmp_path}")) == 1
