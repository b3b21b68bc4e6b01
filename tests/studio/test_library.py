"""What the studio opens, and what it refuses at its start."""

import pytest

from siamtrack.errors import VideoError
from siamtrack.studio.library import Library
from tests.cli.test_other_verbs import run


@pytest.mark.parametrize(
    ("name", "data"),
    [("notes.txt", b"to do: find the cyclist\n" * 40), ("cut.mp4", b""), ("data.bin", bytes(999))],
)
def test_a_file_that_is_no_video_is_refused(name, data, tmp_path, movie, capsys):
    file = tmp_path / name
    file.write_bytes(data)
    with pytest.raises(VideoError, match="give a video file, a folder of videos"):
        Library([movie[0], file], tmp_path / "projects")
    assert run("studio", file, "--projects", tmp_path / "projects", "--no-browser") == 2
    said = capsys.readouterr().err
    assert (said.count("\n"), str(file) in said) == (1, True)


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(VideoError, match=r"gone\.mp4 does not exist: .*cameras go by --camera"):
        Library([tmp_path / "gone.mp4"], tmp_path / "projects")


def test_videos_and_folders_are_offered(movie, tmp_path):
    library = Library([movie[0], movie[0] / "clip.mp4"], tmp_path / "projects")
    assert [entry.name for entry in library.clips()] == ["clip.mp4"]
