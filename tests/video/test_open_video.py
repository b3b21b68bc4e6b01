"""What `open_video` makes of its argument."""

import os
from pathlib import Path

import pytest

from siamtrack.errors import VideoError
from siamtrack.video import open_video


@pytest.mark.parametrize("kind", [str, os.fspath, lambda path: path])
def test_paths_of_any_type(clip, kind):
    assert len(list(open_video(kind(clip), end=2))) == 2


@pytest.mark.parametrize("source", ["nothing.mp4", "no/such/folder/a.mp4", "~/nothing.avi", ""])
def test_a_missing_file_is_named_with_what_would_do(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    if source:
        with pytest.raises(VideoError, match="does not exist: give a video file, a folder") as e:
            open_video(source)
        assert source in str(e.value)
    else:
        with pytest.raises(VideoError, match="holds no images"):
            open_video(source)


@pytest.mark.parametrize("source", [True, b"clip.mp4", None, 1.5, object()])
def test_other_types_are_refused(source):
    with pytest.raises(TypeError, match="expected a path, a URL, a camera number or"):
        open_video(source)


@pytest.mark.parametrize("source", [97, "97"])
def test_a_camera_that_is_not_there(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(VideoError, match="camera 97 cannot be opened: check its number"):
        open_video(source)


def test_a_file_named_like_a_camera_is_a_file(tmp_path, monkeypatch, clip):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "97").write_bytes(clip.read_bytes())
    assert open_video("97").frames_total == 20


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(VideoError, match="is no ordinary file"):
        open_video(tmp_path / "pipe.mp4")


def test_an_unreadable_file_is_named(clip, monkeypatch):
    def refuse(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)  # root may read whatever the permissions say
    with pytest.raises(VideoError, match=r"clip\.mp4 cannot be read \(Permission denied\)"):
        open_video(clip)


def test_what_was_opened_is_closed_when_the_arguments_do_not_fit(monkeypatch, clip):
    closed = []
    monkeypatch.setattr(
        "siamtrack.video.files.FileReader.close", lambda self: closed.append(self.name)
    )
    with pytest.raises(ValueError, match="latest=True"):
        open_video(clip, latest=True)
    assert closed == [str(clip)]
