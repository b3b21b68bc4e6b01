import math
import re
from string import whitespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from siamtrack.core.boxes import polygons_to_ltwh
from siamtrack.core.files import read_rows
from siamtrack.errors import DatasetError, ResultsError

token = st.one_of(
    st.integers(-999, 9999).map(str),
    st.floats(-1e6, 1e6).map(repr),
    st.sampled_from(["nan", "1e3"]),
)
messy = st.lists(
    st.lists(token | st.sampled_from(["x", "", "inf", "-"]), min_size=1, max_size=5).flatmap(
        lambda row: st.sampled_from([",", "\t", " ", ", ", ";"]).map(lambda c: c.join(row))
    ),
    min_size=1,
    max_size=6,
)


def careful(text, columns):
    """Return the rows of a text, or the number of the first line that is not one like the first."""
    rows = []
    for number, line in enumerate(text.rstrip().splitlines(), start=1):
        try:
            row = [float(word) for word in re.split(r"[,;\s]+", line.strip(f",;{whitespace}"))]
        except ValueError:
            return number
        if len(row) not in (columns if not rows else [len(rows[0])]) or any(map(math.isinf, row)):
            return number
        rows.append(row)
    return np.array(rows) if rows else 0


def check(text, columns, path):
    """Read a text as Python's own `float` does, line by line, to the last bit or the same fault."""
    path.write_bytes(text.encode())
    wanted = careful(text, columns)
    if isinstance(wanted, int):
        with pytest.raises(DatasetError, match=f"line {wanted}: " if wanted else "is empty"):
            read_rows(path, columns)
    else:
        np.testing.assert_array_equal(read_rows(path, columns), wanted)


@settings(max_examples=150, deadline=None)
@given(messy)
@example(["0,0,0,0", ", 0, 0, 0, 0"])
def test_rows_are_those_of_float(tmp_path_factory, lines):
    """Whether a file is read at once or line by line, which nobody sees from outside."""
    check("\n".join(lines), (2, 4), tmp_path_factory.mktemp("rows") / "rows.txt")


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="0123456789" + "09" * 3 + ",,\n\n.-- \t\r;+eE_xn", max_size=30))
def test_what_is_read_is_what_stands_there(tmp_path_factory, text):
    for columns in ((1,), (2,)):
        check(text, columns, tmp_path_factory.mktemp("rows") / "rows.txt")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1,2",
        "1,2,3,4\n\n5,6,7,8",
        "1,2,3,4\n5,6,7",
        "1,2\n3,4,5,6\n7,8",
        "1, 2, 3, 4",
        "1,2,3,4,\n5,6,7,8,",
        "1.0,2.00,3.0,4.0",
        "1.,2.,3.,4.",
        ".5,.5,.5,.5",
        "1.5,2.5,3.5,4x5",
        "1,2,3,:",
        "1,2,3,nan",
        "1,2,3,-",
        "1,2,3,--4",
        "1,2,3,4-",
        "1,2,3,+4",
        "1,2,3," + "4" * 16,
        "1,2,3," + "4" * 300,
        "0.012345678,123456.123456789,-9.000000001,0.000000000",
    ],
)
def test_odd_files(text, tmp_path):
    check(text, (4,), tmp_path / "rows.txt")


def test_a_byte_order_mark_is_no_part_of_the_first_number(tmp_path):
    (tmp_path / "rows.txt").write_bytes(b"\xef\xbb\xbf1,2,3,4")
    assert read_rows(tmp_path / "rows.txt", (4,)).tolist() == [[1, 2, 3, 4]]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4), min_size=1, max_size=8))
def test_numbers_come_back_exactly(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("rows") / "rows.txt"
    path.write_text("\n".join(",".join(map(repr, row)) for row in rows))
    assert read_rows(path, (4,)).tolist() == rows


def test_the_error_class_is_the_callers(tmp_path):
    path = tmp_path / "rows.txt"
    path.write_text("1 2 3\n")
    with pytest.raises(DatasetError, match="line 1: '1 2 3' is not a row of 4 numbers"):
        read_rows(path, (4,))
    with pytest.raises(ResultsError, match="line 1"):
        read_rows(path, (4,), ResultsError)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.floats(-100, 100), min_size=8, max_size=8), min_size=1, max_size=5))
def test_boxes_of_polygons_touch_them_on_four_sides(rows):
    for polygon, (left, top, width, height) in zip(
        rows, polygons_to_ltwh(np.array(rows)).tolist(), strict=True
    ):
        xs, ys = polygon[::2], polygon[1::2]
        assert (left, top) == (min(xs), min(ys))
        assert (left + width, top + height) == pytest.approx((max(xs), max(ys)), abs=1e-12)
