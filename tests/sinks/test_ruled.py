import cv2
import numpy as np
import pytest

from siamtrack.sinks.draw import LONGEST, MOST_LINES, ruled, spacing


@pytest.mark.parametrize("shape", [(1, 1), (144, 176), (272, 640), (1080, 1920), (2160, 3840)])
@pytest.mark.parametrize("ground", [0, 128, 255])
def test_lines_are_where_their_numbers_say(shape, ground):
    """The picture is the frame but for lines and numbers, and a line shows on any ground."""
    height, width = shape
    frame = np.full((height, width, 3), ground, np.uint8)
    picture = ruled(frame)
    factor = picture.shape[1] // width
    assert picture.shape == (height * factor, width * factor, 3)
    assert max(picture.shape) >= LONGEST
    step = spacing(max(shape)) * factor
    row = min(picture.shape[0] - 1, step // 2 + step // 4)  # between two lines, below the numbers
    differs = np.flatnonzero((picture[row, step // 2 :] != ground).any(axis=1)) + step // 2
    found = sorted({int(x) // step for x in differs})
    assert found == list(range(1, -(-picture.shape[1] // step)))
    assert (frame == ground).all()


@pytest.mark.parametrize("length", [1, 16, 17, 100, 640, 1920, 8192, 10**6])
def test_lines_are_few_and_round(length):
    step = spacing(length)
    assert length / MOST_LINES <= step
    assert str(step).rstrip("0") in ("1", "2", "5")
    assert step == 1 or step < 2.5 * length / MOST_LINES


def test_boxes_are_drawn_at_their_pixels():
    frame = np.zeros((200, 1280, 3), np.uint8)
    green = (ruled(frame, [(300, 40, 60, 50)]) == (0, 255, 0)).all(axis=2).astype(np.uint8)
    left, top, width, height = cv2.boundingRect(green)
    assert abs(left - 300) <= 1
    assert abs(top - 40) <= 1
    assert abs(width - 60) <= 2
    assert abs(height - 50) <= 2


@pytest.mark.parametrize("ground", [0, 128, 235, 255])
def test_numbers_can_be_read_on_any_ground(ground):
    """On a bright sky as well: strokes in light and dark, each wide enough to be seen."""
    picture = ruled(np.full((272, 640, 3), ground, np.uint8))
    corner = picture[2 : round(30 * max(picture.shape) / 2400) + 3, :14].astype(int)
    away = np.abs(corner - ground).max(axis=2)
    assert (away > 100).sum() > 25  # the digit 0 of the first line
    assert np.ptp(corner) > 180
