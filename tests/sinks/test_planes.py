"""Annotated video from the planes of its source: what was not drawn upon stays as it was."""

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from siamtrack.core.masks import Mask
from siamtrack.core.tracks import Track, TrackState
from siamtrack.sinks import open_sink
from siamtrack.sinks.draw import draw_tracks, paint_tracks
from siamtrack.sinks.mp4 import patched, planes
from siamtrack.video import open_video
from tests.helpers import texture

number = st.floats(-300, 600)
length = st.floats(0.5, 500)
BOX = (30.0, 24.0, 40.0, 32.0)


def written(path, size=(128, 96), pix_fmt="yuv420p", **options):
    """A video of five moving frames, of one kind of pixels."""
    width, height = size
    picture = texture(3, height, width + 40)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25), options={"qp": "8"})
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        for name, value in options.items():
            setattr(stream.codec_context, name, value)
        for shift in range(0, 40, 8):
            seen = np.ascontiguousarray(picture[:, shift : shift + width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(seen, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def annotated(path, frames):
    with open_sink(path, fps=25) as sink:
        for frame in frames:
            sink.write(frame, [Track(np.array(BOX), 0.9, TrackState.TRACKED)])
    with av.open(str(path)) as container:
        return np.array([frame.to_ndarray() for frame in container.decode(video=0)])


@settings(deadline=None)
@given(st.tuples(number, number, length, length), st.sampled_from(TrackState), st.booleans())
@example((0.0, 0.0, 213.0, 147.0), TrackState.TRACKED, True)
def test_nothing_changes_outside_what_was_painted(box, state, has_mask):
    before = texture(5, 146, 214)
    pixels = np.zeros((40, 30), bool)
    pixels[3:30, 5:28] = True
    mask = Mask(pixels, 170, 100, (146, 214)) if has_mask else None
    tracks = [Track(np.array(box), 0.5, state, 1, mask)]
    after = before.copy()
    touched = paint_tracks(after, tracks, labels={1: "Anna"})
    assert (after == draw_tracks(before, tracks, labels={1: "Anna"})).all()
    changed = (after != before).any(2)
    for left, top, right, bottom in touched:
        assert 0 <= left < right <= 214
        assert 0 <= top < bottom <= 146
        changed[top:bottom, left:right] = False
    assert not changed.any()


def test_only_what_was_painted_is_converted():
    before = texture(5, 146, 214)
    given = planes(texture(6, 146, 214))  # others than the picture's: so it shows what was taken
    views = given[:146], given[146:].reshape(2, 73, 107)
    after = before.copy()
    touched = paint_tracks(after, [Track(np.array(BOX), 0.5, TrackState.TRACKED)])
    found, anew = patched((views[0], *views[1]), after, touched), planes(after)
    taken = np.zeros((146, 214), bool)
    for left, top, right, bottom in touched:
        taken[top - top % 2 : bottom + bottom % 2, left - left % 2 : right + right % 2] = True
    small = taken[::2, ::2]
    assert (found[:146] == np.where(taken, anew[:146], given[:146])).all()
    chroma = (each[146:].reshape(2, 73, 107) for each in (found, anew, given))
    for one, new, old in zip(*chroma, strict=True):
        assert (one == np.where(small, new, old)).all()


@pytest.mark.parametrize("size", [(128, 96), (130, 98), (64, 66)])
def test_a_video_keeps_its_pixels_beside_the_box(tmp_path, size):
    """Also of heights that PyAV takes for less: those that are no multiple of four."""
    source = written(tmp_path / "source.mp4", size)
    with open_video(source, planes=True) as video:
        frames = list(video)
    assert all(frame.planes is not None for frame in frames)
    kept = annotated(tmp_path / "kept.mp4", frames)
    with av.open(str(source)) as container:
        truth = np.array([frame.to_ndarray() for frame in container.decode(video=0)])
    with open_video(source) as video:
        anew = annotated(tmp_path / "anew.mp4", video)
    assert kept.shape == anew.shape == truth.shape
    beside = np.s_[:, size[1] * 3 // 4 : size[1], : size[0]]
    away = [np.abs(each[beside].astype(int) - truth[beside]).mean() for each in (kept, anew)]
    assert max(away) < 5  # of 256: what the encoder loses
    assert away[0] < 1.1 * away[1]
    around = np.s_[:, 16:60, 28:64]  # the box and its label are drawn in both
    alike = np.abs(kept[around].astype(int) - anew[around]).mean()
    assert np.abs(kept[around].astype(int) - truth[around]).mean() > 2 * alike


@pytest.mark.parametrize(
    "kind",
    [
        {"pix_fmt": "yuv444p"},
        {"pix_fmt": "yuvj420p"},
        {"colorspace": 1},
        {"color_range": 2},
    ],
)
def test_other_kinds_of_colors_are_converted(tmp_path, kind):
    """Of the 4:4:4, the full range and the colors of HD the output has none."""
    source = written(tmp_path / "source.mp4", **kind)
    with open_video(source, planes=True) as video:
        frames = list(video)
    assert all(frame.planes is None for frame in frames)
    assert len(annotated(tmp_path / "out.mp4", frames)) == 5


def test_planes_cost_nothing_where_nobody_asks(tmp_path):
    with open_video(written(tmp_path / "source.mp4")) as video:
        assert all(frame.planes is None for frame in video)


def test_a_decoded_frame_cannot_be_spoiled(tmp_path):
    with open_video(written(tmp_path / "source.mp4"), planes=True) as video:
        frame = next(iter(video))
    with pytest.raises(ValueError, match="read-only"):
        frame.planes[0][:] = 0
