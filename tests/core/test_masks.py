"""Masks: COCO's own tools are the oracle for run lengths, OpenCV's components for outlines."""

import cv2
import numpy as np
import pytest

from siamtrack.core.masks import (
    Mask,
    from_polygons,
    packed,
    polygon_area,
    read_segmentation,
    unpacked,
)


def shapes(count=40):
    """Yield masks that are empty, full, of one pixel, noisy with diagonal contacts, and smooth."""
    rng = np.random.default_rng(29)
    yield np.zeros((5, 7), bool)
    yield np.ones((5, 7), bool)
    yield np.ones((1, 1), bool)
    yield np.eye(9, dtype=bool)
    for number in range(count):
        height, width = rng.integers(1, 40, 2)
        values = rng.random((height, width))
        if number % 2:
            values = cv2.GaussianBlur(values, (7, 7), 0).reshape(height, width)
        yield values < np.quantile(values, rng.random())


def filled(mask):
    """Fill what the border does not reach, also across corners."""
    _, parts = cv2.connectedComponents((~np.pad(mask, 1)).astype(np.uint8), connectivity=8)
    return ~(parts == parts[0, 0])[1:-1, 1:-1]


def test_a_mask_is_the_same_after_every_way_and_back():
    for bits in shapes():
        mask = Mask.of(bits)
        assert (mask.full() == bits).all()
        assert mask.area == bits.sum()
        for value in (mask.rle(), {"size": list(bits.shape), "counts": mask.counts()}):
            assert (read_segmentation(value, *bits.shape).full() == bits).all()
        outlines = mask.polygons()
        assert (from_polygons(outlines, *bits.shape).full() == filled(bits)).all()
        assert sum(map(polygon_area, outlines)) >= mask.area


def test_run_lengths_are_those_of_coco():
    coco = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed")
    for bits in shapes():
        ours = Mask.of(bits).rle()
        theirs = coco.encode(np.asfortranarray(bits, dtype=np.uint8))
        assert ours == {"size": theirs["size"], "counts": theirs["counts"].decode()}
    huge = [0, 100_000, 3, 2**20, 5]
    assert unpacked(packed(huge)) == huge


def test_windows_beyond_the_frame_are_cut_off():
    window = np.ones((10, 10), bool)
    mask = Mask.of(window, (-4, 95), (100, 50))
    assert mask.box == (0.0, 95.0, 6.0, 5.0)
    assert mask.full().shape == (100, 50)
    for offset in ((-10, 0), (50, 0), (0, 100), (0, -10), (900, 900)):
        gone = Mask.of(window, offset, (100, 50))
        assert (gone.area, gone.box, gone.rotated(), gone.polygons()) == (0, (0, 0, 0, 0), None, [])
        assert not gone.full().any()
    with pytest.raises(ValueError, match=r"shape \(2, 2, 3\): expected \(height, width\)"):
        Mask.of(np.zeros((2, 2, 3)))


def test_the_rotated_rectangle_fits_a_turned_bar():
    for angle in (0.0, 20.0, 45.0, 77.0, 90.0):
        corners = cv2.boxPoints(((60.0, 55.0), (70.0, 16.0), angle))
        found = from_polygons([corners], 110, 120).rotated()
        sides = sorted((found.width, found.height))
        assert np.allclose(sides, (16, 70), atol=1.6)
        assert np.allclose((found.cx, found.cy), (60, 55), atol=0.6)
        assert 0 < found.angle <= 90
        theirs = np.array(sorted(map(tuple, corners.tolist())))
        ours = sorted(map(tuple, found.corners.tolist()))
        near = np.linalg.norm(theirs[:, None] - np.array(ours)[None], axis=2)
        assert (near.min(axis=0) < 2).all()
        assert (near.min(axis=1) < 2).all()
        assert polygon_area(found.corners) == pytest.approx(found.width * found.height)


def test_simple_outlines_have_few_corners_and_lose_little():
    rows, columns = np.mgrid[:200, :200]
    disk = Mask.of((rows - 90) ** 2 + (columns - 80) ** 2 < 60**2)
    (simple,) = disk.polygons(1.0)
    assert len(simple) < 60
    again = from_polygons([simple], 200, 200).full()
    assert (again & disk.full()).sum() / (again | disk.full()).sum() > 0.97
    # The largest part comes first
    two = Mask.of(disk.full() | ((rows > 180) & (columns > 180)))
    assert [abs(polygon_area(each)) > 9000 for each in two.polygons()] == [True, False]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"size": [4, 5], "counts": [20]}, r"size \[4, 5\]: its image has \[4, 6\]"),
        ({"size": [4, 6], "counts": [20]}, "of 20 pixels: the frame has 6x4"),
        ({"size": [4, 6], "counts": [-1, 25]}, "run lengths that are not"),
        ({"size": [4, 6], "counts": [10**30]}, "run lengths that are not"),
        ({"size": [4, 6], "counts": "a"}, "end within a number"),
        ({"size": [4, 6], "counts": "é"}, "character"),
        ({"size": [4, 6], "counts": None}, "no mask"),
        ({"size": [4, 6], "counts": [1.5]}, "no mask"),
        ([[0, 0, 1, 1]], "fewer than six"),
        ([[0, 0, 1, 1, 2, 2, 3]], "odd number"),
        ([[0, 0, 1, 1, 2, float("nan")]], "not finite"),
        ([[0, 0, 1, 1, 2, "x"]], "no number"),
        ([], "no mask"),
        ("", "no mask"),
        (None, "no mask"),
        ({"size": 3}, "of size 3"),
    ],
)
def test_damaged_masks_are_refused_in_a_sentence(value, says):
    with pytest.raises(ValueError, match=says):
        read_segmentation(value, 4, 6)
