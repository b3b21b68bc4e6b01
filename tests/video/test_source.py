"""Spans, and what every source does alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamtrack.errors import VideoError
from siamtrack.video import open_video
from siamtrack.video.source import Frame, Span, VideoSource

IMAGE = np.zeros((2, 3, 3), dtype=np.uint8)


@given(
    start=st.integers(0, 30),
    length=st.none() | st.integers(1, 30),
    stride=st.integers(1, 9),
    total=st.integers(0, 50),
)
def test_a_span_is_a_slice(start, length, stride, total):
    end = None if length is None else start + length
    span = Span(start, end, stride)
    expected = list(range(total))[start:end:stride]
    assert [index for index in range(total) if span.wants(index)] == expected
    assert span.count(total) == len(expected)
    for index in range(total):
        later = any(span.wants(i) for i in range(index + 1, 100))
        if span.wants(index):
            assert span.is_last(index) == (not later)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"start": -1}, "start -1: expected 0 or more"),
        ({"end": 0}, "end 0 with start 0"),
        ({"start": 5, "end": 5}, "end 5 with start 5: expected an end above"),
        ({"stride": 0}, "stride 0: expected 1 or more"),
    ],
)
def test_spans_that_choose_nothing_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Span(**arguments)
    with pytest.raises(ValueError, match=message):
        open_video([IMAGE], **arguments)


class Reader:
    """A reader that notes whether it was closed."""

    def __init__(self, count=5, live=True):
        self.name, self.total, self.fps, self.size, self.live = "fake", None, 5.0, (3, 2), live
        self.count, self.closed, self.ended = count, False, 0

    def frames(self, span):
        try:
            for index in filter(span.wants, range(self.count)):
                yield Frame(index, None, IMAGE)
        finally:
            self.ended += 1

    def close(self):
        self.closed = True


def test_the_with_block_closes_the_source_even_after_an_exception():
    reader = Reader()

    def fail():
        with VideoSource(reader) as video:
            for _ in video:
                raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert reader.closed
    assert reader.ended == 1


def test_close_ends_a_running_iteration():
    reader = Reader()
    video = VideoSource(reader)
    frames = iter(video)
    next(frames)
    video.close()
    assert list(frames) == []
    with pytest.raises(VideoError, match="fake is closed: open it again"):
        iter(video)


def test_unknown_length_stays_unknown():
    assert VideoSource(Reader()).frames_total is None


def test_latest_needs_a_live_source():
    with pytest.raises(ValueError, match="latest=True with iterable of type list"):
        open_video([IMAGE], latest=True)


def test_latest_passes_on_errors_and_the_last_frame():
    taken = []
    with pytest.raises(VideoError, match="no frame 9"):
        taken.extend(VideoSource(Reader(), Span(9), latest=True))
    video = VideoSource(Reader(200), latest=True)
    taken = list(video)
    assert taken[-1].index == 199
    assert len(taken) + video.dropped == 200
