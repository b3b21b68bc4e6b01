"""What a killed server left of an upload goes when the next one starts; one under way stays."""

import os
import subprocess
import sys
import textwrap

import pytest

from siamtrack.studio.library import LOCK, OLD, Library, clear_uploads, under_way
from tests.processes import started

ID = "0123456789abcdef"


def folder(home, *names, name=ID):
    made = home / name
    made.mkdir()
    for each in names:
        (made / each).write_bytes(b"half a video")
    return made


def old(path):
    past = path.stat().st_mtime - OLD - 1
    os.utime(path, (past, past))
    return path


@pytest.mark.parametrize(
    "names",
    [(LOCK,), (LOCK, "upload.part"), (LOCK, "upload"), (LOCK, "upload", "project.jsonl.part")],
)
def test_what_is_left_of_an_upload_is_removed(names, tmp_path):
    left = folder(tmp_path, *names)
    assert clear_uploads(tmp_path) == [left]
    assert not left.exists()


@pytest.mark.parametrize("names", [("project.jsonl", "upload"), ("upload", "notes.txt", LOCK)])
def test_projects_and_what_is_not_ours_stay(names, tmp_path):
    kept = old(folder(tmp_path, *names))
    assert clear_uploads(tmp_path) == []
    assert sorted(path.name for path in kept.iterdir()) == sorted(names)


def test_folders_with_other_names_stay(tmp_path):
    old(folder(tmp_path, LOCK, "upload.part", name="holiday"))
    real = folder(tmp_path, LOCK, name="f" * 15)
    (tmp_path / ID).symlink_to(real)
    assert clear_uploads(tmp_path) == []


def test_without_a_lock_only_old_ones_go(tmp_path):
    fresh = folder(tmp_path)
    assert clear_uploads(tmp_path) == []
    old(fresh)
    assert clear_uploads(tmp_path) == [fresh]


def test_one_under_way_stays(tmp_path):
    going = folder(tmp_path, "upload.part")
    with under_way(going):
        Library([], tmp_path)
        assert (going / "upload.part").exists()
    assert [path.name for path in going.iterdir()] == ["upload.part"]


def test_one_that_fails_goes_at_once(tmp_path):
    going = folder(tmp_path, "upload.part")
    with pytest.raises(ValueError, match="no video"), under_way(going):
        raise ValueError("no video")
    assert not going.exists()


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_killed_in_the_middle(tmp_path):
    going = folder(tmp_path)
    code = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from siamtrack.studio.library import under_way
        folder = Path(sys.argv[1])
        with under_way(folder):
            (folder / "upload.part").write_bytes(b"half a video")
            print("there", flush=True)
            time.sleep(60)
        """
    )
    with started([sys.executable, "-c", code, str(going)], stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        Library([], tmp_path)  # a second studio starts meanwhile
        assert (going / "upload.part").exists()
    Library([], tmp_path)
    assert not going.exists()
