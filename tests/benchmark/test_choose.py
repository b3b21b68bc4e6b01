import cv2
import pytest

import siamtrack
from siamtrack.benchmark.run import OPENCV, PEERS, choose
from siamtrack.errors import SiamtrackError, UnknownNameError


def test_what_is_installed_and_what_is_missing(tmp_path):
    found = choose((), tmp_path, threads=1)
    names = list(found.trackers)
    assert names[: len(siamtrack.model_names())] == siamtrack.model_names()
    assert len(names) + len(found.skipped) == len(siamtrack.model_names()) + len(OPENCV) + len(
        PEERS
    )
    assert ("opencv-csrt" in names) == hasattr(cv2, "TrackerCSRT_create")
    missing = [line for line in found.skipped if line.startswith("vittrack:")]
    assert len(missing) == 1
    assert "no such folder" in missing[0]
    assert found.specs["lite"] == "lite"


def test_only_what_was_asked_for():
    found = choose(["first=lite", "opencv:mil"], None, threads=1)
    assert list(found.trackers) == ["first", "opencv-mil"]
    assert found.specs == {"first": "first=lite", "opencv-mil": "opencv:mil"}


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        (["litte"], UnknownNameError, "did you mean 'lite'?"),
        (["opencv:crst"], UnknownNameError, "did you mean 'csrt'?"),
        (["fear-xs:absent"], SiamtrackError, "absent: no such folder"),
        (["lite", "lite"], ValueError, "two trackers are called 'lite'"),
    ],
)
def test_what_cannot_run_is_an_error_where_it_was_asked_for(asked, error, words):
    with pytest.raises(error, match=words):
        choose(asked, None, threads=1)


def test_peers_in_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="no such folder; it holds nanotrack_v2"):
        choose(["lite"], tmp_path / "absent", threads=1)
