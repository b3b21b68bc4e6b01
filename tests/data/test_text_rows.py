import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from siamtrack.core import text
from siamtrack.core.text import polygons_to_ltwh, read_rows
from siamtrack.errors import DatasetError, ResultsError

token = st.one_of(
    st.integers(-999, 9999).map(str),
    st.floats(-1e6, 1e6).map(repr),
    st.sampled_from(["nan", "1e3"]),
)
messy = st.lists(
    st.lists(token | st.sampled_from(["x", "", "inf", "-"]), min_size=1, max_size=5)
    .flatmap(lambda row: st.sampled_from([",", "\t", " ", ", ", ";"]).map(lambda c: c.join(row))),
    min_size=1,
    max_size=6,
)  # fmt: skip


def outcome(path):
    try:
        return read_rows(path, (2, 4))
    except DatasetError as reason:
        return str(reason)


@settings(max_examples=150, deadline=None)
@given(messy)
@example(["0,0,0,0", ", 0, 0, 0, 0"])
def test_reading_at_once_and_line_by_line_agree(tmp_path_factory, lines):
    """The quick way takes exactly the files that the careful way takes, with the same numbers."""
    path = tmp_path_factory.mktemp("rows") / "rows.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    quick = outcome(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "_all_at_once", lambda lines, columns: None)
        careful = outcome(path)
    if isinstance(careful, str):
        assert quick == careful
    else:
        np.testing.assert_array_equal(quick, careful)


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
