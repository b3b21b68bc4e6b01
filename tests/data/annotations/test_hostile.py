"""Whatever stands in annotation files, readers give entries or one clear error."""

import shutil

import numpy as np
import pytest

from siamtrack.data.annotations import read_training
from siamtrack.data.manifest import read_manifest
from siamtrack.errors import DatasetError
from tests.data.annotations.own_trees import OWN
from tests.data.annotations.trees import TREES, write_text

ANNOTATIONS = {".txt", ".xml", ".json", ".csv", ".ini", ".label", ".yaml", ".png"}
TOKENS = [
    b"",
    b"\0",
    b"\xff\xfe",
    b"nan",
    b"-1",
    b"1e999",
    b"9" * 400,
    b"Infinity",
    b"null",
    b"[",
    b"{}",
    b'"',
    b"\n\n",
    b"0",
    b",",
    b"<x>",
    b"\xc3\xa9",
    b"1e-320",
]


def trouble(read, source):
    """Return what the error says, an empty text if there is none; entries are never empty."""
    try:
        assert read(source)
    except DatasetError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", [*TREES, *OWN])
def test_changed_annotations(name, tmp_path):
    source = (TREES | OWN)[name](tmp_path / "own")
    files = [
        path
        for path in sorted((tmp_path / "own").rglob("*"))
        if path.suffix in ANNOTATIONS and "images" not in path.parts
    ]
    rng = np.random.default_rng(0)
    outcomes = {"entries": 0, "error": 0}
    for _ in range(60):
        path = files[int(rng.integers(len(files)))]
        data = path.read_bytes()
        start = int(rng.integers(len(data)))
        token = TOKENS[int(rng.integers(len(TOKENS)))]
        path.write_bytes(data[:start] + token + data[start + int(rng.integers(0, 6)) :])
        try:
            for entry in read_training(source):
                assert np.isfinite(entry.box).all()
                assert min(entry.box[2:]) > 0
            outcomes["entries"] += 1
        except DatasetError:
            outcomes["error"] += 1
        path.write_bytes(data)
    assert outcomes["entries"] > 0


@pytest.mark.parametrize("name", [*TREES, *OWN])
@pytest.mark.parametrize("text", ["", "[" * 100_000, "<a>" * 100_000, "1" * 5000, "\0"])
def test_another_content(name, text, tmp_path):
    source = (TREES | OWN)[name](tmp_path / "own")
    for path in (tmp_path / "own").rglob("*"):
        if path.suffix in ANNOTATIONS - {".png"}:
            write_text(path, text)
    assert len(trouble(read_training, source)) < 5000, "the message is for people"


@pytest.mark.parametrize("name", [*TREES, *OWN])
def test_missing_files(name, tmp_path):
    """Without any one of its files, a tree can still be read or says what is missing."""
    source = (TREES | OWN)[name](tmp_path / "own")
    for path in sorted((tmp_path / "own").rglob("*")):
        moved = tmp_path / "away"
        shutil.move(path, moved)
        words = trouble(read_training, source)
        assert not words or str(tmp_path) in words
        shutil.move(moved, path)


@pytest.mark.parametrize(
    "line",
    [
        '{"image": "a.png", "box": [1e999, 1, 2, 3]}',
        '{"image": "a.png", "box": "1234"}',
        '{"image": "a.png", "box": [1, 2, 3, 4], "frame": Infinity}',
        "[1]",
        "[" * 100_000,
        '{"image": "a.png", "box": [1, 2, 3, ' + "9" * 400 + "]}",
        "\0",
        '{"image": "a.png", "box": {"0": 1}}',
    ],
)
def test_odd_lines_of_a_manifest(line, tmp_path):
    write_text(tmp_path / "manifest.jsonl", line)
    words = trouble(read_manifest, tmp_path)
    if "1234" in line:
        assert read_manifest(tmp_path)[0].box == (1, 2, 3, 4)
    else:
        assert "manifest.jsonl:1" in words


def test_a_manifest_that_is_no_text(tmp_path):
    (tmp_path / "manifest.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match="no UTF-8 text"):
        read_manifest(tmp_path)
