"""The quick reader against Python's own `float`, line by line."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from siamtrack.core.plain import plain_rows

from siamtrack.core.files import read_files
from siamtrack.errors import ResultsError

quick = settings(max_examples=200, deadline=None)


def careful(text, columns):
    """Return the rows of a text, or None if it is not one of rows of numbers."""
    rows = []
    for line in text.rstrip().splitlines():
        try:
            row = [float(word) for word in re.split(r"[,;\s]+", line.strip().strip(",;"))]
        except ValueError:
            return None
        if len(row) != columns or any(map(math.isinf, row)):
            return None
        rows.append(row)
    return rows or None


@quick
@given(st.text(alphabet="0123456789" + "09" * 3 + ",,\n\n.-- \t\r;+eE_xn", max_size=30))
def test_what_it_reads_is_what_stands_there(text):
    """Whatever the bytes: either it declines, or the careful way reads the same numbers."""
    for columns in (1, 2):
        found = plain_rows([text.encode()], (columns,))
        if found is not None:
            assert found[0].tolist() == careful(text, columns)


@quick
@given(
    st.integers(0, 6).flatmap(
        lambda decimals: st.lists(
            st.lists(
                st.lists(
                    st.integers(-(10**9), 10**9).map(lambda n: f"{n / 10**decimals:.{decimals}f}"),
                    min_size=4,
                    max_size=4,
                ),
                min_size=1,
                max_size=5,
            ),
            min_size=1,
            max_size=4,
        )
    ),
    st.sampled_from([",", "\t", " "]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "\n", "\n\n "]),
)
def test_plain_files_are_read_to_the_last_bit(files, separator, newline, end):
    texts = [newline.join(separator.join(row) for row in rows) + end for rows in files]
    found = plain_rows([text.encode() for text in texts], (4, 8))
    assert found is not None
    assert [rows.tolist() for rows in found] == [
        [[float(word) for word in row] for row in rows] for rows in files
    ]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"1,2",
        b"1,2,3,4\n\n5,6,7,8",
        b"1,2,3,4\n5,6,7",
        b"1,2\n3,4,5,6\n7,8",
        b"1, 2, 3, 4",
        b"1,2,3,4,\n5,6,7,8,",
        b"1.0,2.00,3.0,4.0",
        b"1.,2.,3.,4.",
        b".5,.5,.5,.5",
        b"1.5,2.5,3.5,4x5",
        b"1,2,3,:",
        b"1,2,3,nan",
        b"1,2,3,-",
        b"1,2,3,--4",
        b"1,2,3,4-",
        b"1,2,3,+4",
        b"\xef\xbb\xbf1,2,3,4",
        b"1,2,3," + b"4" * 16,
        b"1,2,3," + b"4" * 300,
    ],
)
def test_everything_else_is_declined(text):
    assert plain_rows([text], (4,)) is None
    assert plain_rows([b"1,2,3,4", text], (4,)) is None


def test_many_digits_are_exact():
    (rows,) = plain_rows([b"0.012345678,123456.123456789,-9.000000001,0.000000000"], (4,))
    assert rows.tolist() == [[0.012345678, 123456.123456789, -9.000000001, 0.0]]


def test_many_files_with_one_that_is_not_plain(tmp_path):
    paths = [tmp_path / f"{k}.txt" for k in range(4)]
    for path, text in zip(paths, ("1,2\n3,4\n", "5, 6\n", "7.5;8\n", "9 1e1"), strict=True):
        path.write_text(text)
    found = read_files(paths, (2,))
    assert [rows.tolist() for rows in found] == [[[1, 2], [3, 4]], [[5, 6]], [[7.5, 8]], [[9, 10]]]
    assert read_files([], (2,)) == []
    paths[2].write_text("7,8\n7,x\n")
    with pytest.raises(ResultsError, match=r"2\.txt, line 2: '7,x' is not a row of 2 numbers"):
        read_files(paths, (2,), ResultsError)
    paths[1].unlink()
    with pytest.raises(ResultsError, match=r"1\.txt: cannot be read"):
        read_files(paths, (2,), ResultsError)


def test_arrays_of_several_files_do_not_share_rows(tmp_path):
    paths = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for path in paths:
        path.write_text("1,2\n3,4\n")
    first, second = read_files(paths, (2,))
    first += 10
    assert second.tolist() == [[1, 2], [3, 4]]
    np.testing.assert_array_equal(first, [[11, 12], [13, 14]])
