"""VOT with rectangles, polygons and masks; DAVIS with palette masks."""

import cv2
import numpy as np
import pytest

from siamtrack.data import open_dataset
from siamtrack.data.benchmarks.davis import palette_index
from siamtrack.data.benchmarks.vot import anchors_every
from siamtrack.errors import DatasetError
from tests.data.trees import boxes, images, rows, write


def vot(root, truth, name="bag", color=False, count=4):
    write(root / "list.txt", f"{name}\n")
    folder = root / name
    images(folder / "color" if color else folder, range(1, count + 1))
    write(folder / "groundtruth.txt", truth)
    return folder


def test_rectangles_beside_the_frames(tmp_path):
    vot(tmp_path, rows(boxes(4)))
    (bag,) = open_dataset(f"vot2013:{tmp_path}")
    assert bag.boxes[0].tolist() == [10, 20, 8, 6]
    assert (bag.polygons, bag.anchors, bag.size) == (None, None, (64, 48))


def test_polygons_in_color_with_tags_and_anchors(tmp_path):
    polygon = [10, 20, 18, 22, 16, 30, 8, 28]
    folder = vot(tmp_path, rows([polygon] * 4), color=True)
    write(folder / "occlusion.tag", "0\n1\n0\n0\n")
    write(folder / "size_change.label", "0\n0\n0\n0\n")
    write(folder / "anchor.value", "1\n0\n0\n-1\n")
    (bag,) = open_dataset(f"vot2018:{tmp_path}")
    assert bag.polygons[0].tolist() == polygon
    assert bag.boxes[0].tolist() == [8, 20, 10, 10]
    assert bag.attributes == ("occlusion",)
    assert bag.anchors.tolist() == [1, 0, 0, -1]


def test_a_workspace_of_the_toolkit(tmp_path):
    vot(tmp_path / "sequences", rows(boxes(4)), color=True)
    assert open_dataset(f"vot2019:{tmp_path}").names == ("bag",)


def test_masks(tmp_path):
    vot(tmp_path, "m10,20,4,2,1,2,2,1,2\n" * 3 + "m0,0,1,1,1\n", color=True)
    (bag,) = open_dataset(f"vot2020:{tmp_path}")
    assert bag.boxes[0].tolist() == [11, 20, 2, 2]
    assert np.isnan(bag.boxes[3]).all()
    vot(tmp_path, "m10,20,4,2,1,2,2,1,2\nm0,0,1,1,9\n" * 2, color=True)
    with pytest.raises(DatasetError, match=r"groundtruth\.txt, line 2: not a mask .*9 pixels"):
        open_dataset(f"vot2020:{tmp_path}")


def test_long_term_with_absent_frames(tmp_path):
    vot(tmp_path, rows([*boxes(2), [np.nan] * 4, *boxes(1)]), color=True)
    (bag,) = open_dataset(f"votlt:{tmp_path}")
    assert np.isnan(bag.boxes[2]).all()


def test_anchors_where_there_are_none():
    truth = np.array(boxes(120), float)
    truth[50] = np.nan
    anchors = anchors_every(truth)
    assert np.flatnonzero(anchors).tolist() == [0, 49, 100, 119]
    assert anchors[[0, 49, 100, 119]].tolist() == [1, 1, -1, -1]


def test_what_is_missing(tmp_path):
    folder = vot(tmp_path, rows(boxes(4)))
    (folder / "00000004.jpg").unlink()
    with pytest.raises(DatasetError, match="4 rows, but 3 images"):
        open_dataset(f"vot2015:{tmp_path}")
    vot(tmp_path, rows(boxes(4)))
    write(tmp_path / "list.txt", "bag\nball1\n")
    with pytest.raises(DatasetError, match="1 of 2 sequences are missing: ball1"):
        open_dataset(f"vot2016:{tmp_path}")


def palette(index):
    """Colour masks as the files of DAVIS have them."""
    colors = np.zeros((*index.shape, 3), np.uint8)
    for bit in range(8):
        colors[..., bit % 3] |= (((index >> bit) & 1) << (7 - bit // 3)).astype(np.uint8)
    return colors


def davis(root, year=2017):
    first = np.zeros((48, 64), np.uint8)
    first[10:14, 20:26], first[30:40, 5:15] = 1, 2
    second = np.roll(first, 3, axis=1)
    second[second == 2] = 0
    for number, index in enumerate((first, second)):
        folder = root / "Annotations" / "480p" / "bear"
        folder.mkdir(parents=True, exist_ok=True)
        color = palette(index) if year == 2017 else np.repeat((index > 0)[..., None] * 255, 3, 2)
        cv2.imwrite(str(folder / f"{number:05d}.png"), color[..., ::-1].astype(np.uint8))
    images(root / "JPEGImages" / "480p" / "bear", range(2), "{:05d}.jpg")
    return root


def test_davis_2017_has_a_target_for_each_index(tmp_path):
    write(davis(tmp_path) / "ImageSets" / "2017" / "val.txt", "bear\n")
    dataset = open_dataset(f"davis2017:{tmp_path}")
    assert dataset.names == ("bear-1", "bear-2")
    assert dataset["bear-1"].boxes.tolist() == [[20, 10, 6, 4], [23, 10, 6, 4]]
    assert dataset["bear-2"].boxes[0].tolist() == [5, 30, 10, 10]
    assert np.isnan(dataset["bear-2"].boxes[1]).all()


def test_davis_2016_has_one(tmp_path):
    line = "/JPEGImages/480p/bear/00000.jpg /Annotations/480p/bear/00000.png\n"
    write(davis(tmp_path, 2016) / "ImageSets" / "2016" / "val.txt", line)
    (bear,) = open_dataset(f"davis2016:{tmp_path}")
    assert bear.boxes.tolist() == [[5, 10, 21, 30], [23, 10, 6, 4]]


def test_davis_without_masks(tmp_path):
    write(davis(tmp_path) / "ImageSets" / "2017" / "val.txt", "bear\ncows\n")
    with pytest.raises(DatasetError, match="no masks of cows"):
        open_dataset(f"davis2017:{tmp_path}")
    assert open_dataset(f"davis2017:{tmp_path}", partial=True).missing == ("cows",)


def test_palette_of_every_index():
    index = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert (palette_index(palette(index)) == index).all()
