"""Crops: what they show, and that a run which is killed loses nothing that was finished."""

import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from siamtrack.data.annotations import read_training
from siamtrack.data.cache import Faults, read_image
from siamtrack.data.manifest import Entry, read_manifest
from siamtrack.data.pairs import PairConfig, PairSampler, Pool
from siamtrack.data.prepare import CropConfig, prepare
from siamtrack.errors import DatasetError, StaleResultsError
from siamtrack.tracking.crops import template_side
from tests.data.annotations.trees import BOXES, FRAMES, PICTURES, coco, got10k
from tests.helpers import texture
from tests.processes import started

EXACT = CropConfig(ending="png")


@pytest.fixture
def entries(tmp_path):
    return read_training(got10k(tmp_path / "data"))


def test_a_crop_is_centred_and_shows_the_object(tmp_path, entries):
    done = prepare(entries, tmp_path / "out", EXACT)
    assert (done.crops, done.new, done.outside) == (2 * FRAMES, 2 * FRAMES, 0)
    crops = read_manifest(done.manifest)
    assert [(c.track, c.frame, c.label, c.source) for c in crops] == [
        (e.track, e.frame, e.label, e.source) for e in entries
    ]
    for crop, entry in zip(crops, entries, strict=True):
        picture = read_image(crop.image)
        assert picture.shape == (200, 200, 3)  # 2.5 template windows of 80 pixels
        np.testing.assert_allclose(crop.box, (80, 80, 40, 40), atol=1e-3)
        left, top = map(int, entry.box[:2])
        there = read_image(entry.image)[top : top + 40, left : left + 40]
        np.testing.assert_array_equal(picture[80:120, 80:120], there)


@pytest.mark.parametrize("ending", ["jpg", "webp", "png"])
def test_large_objects_are_made_smaller(ending, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), texture(0, 300, 400))
    entry = Entry(str(tmp_path / "a.png"), (100.5, 40.0, 160.0, 220.0), "t", 3, "x", "my set/1")
    done = prepare([entry], tmp_path / "out", CropConfig(side=128, multiple=2, ending=ending))
    (crop,) = read_manifest(done.manifest)
    assert read_image(crop.image).shape == (128, 128, 3)
    assert crop.image.endswith(ending)
    assert crop.source == "my set/1"
    left, top, width, height = crop.box
    assert left + width / 2 == pytest.approx(64, abs=0.01)
    assert top + height / 2 == pytest.approx(64, abs=0.01)
    assert width / height == pytest.approx(160 / 220, abs=1e-4)
    assert width * 2 * np.sqrt(350 * 410) / 128 == pytest.approx(160, abs=0.1)


def test_training_reads_them(tmp_path, entries):
    done = prepare(entries, tmp_path / "out")
    sampler = PairSampler(Pool(read_manifest(done.manifest)), PairConfig(template=65, search=129))
    assert sampler.draw(0).search.shape == (129, 129, 3)


def test_a_second_run_cuts_only_what_is_missing(tmp_path, entries):
    done = prepare(entries, tmp_path / "out")
    before = done.manifest.read_bytes()
    crops = sorted((tmp_path / "out").rglob("*.jpg"))
    crops[3].unlink()
    (crops[3].parent / "x.jpg.1.part").write_bytes(b"half")
    again = prepare(entries, tmp_path / "out", workers=1)
    assert (again.crops, again.new) == (2 * FRAMES, 1)
    assert again.manifest.read_bytes() == before
    assert not list((tmp_path / "out").rglob("*.part"))


def test_windows_of_equal_area(tmp_path):
    """With `area`, a crop shows as much of a long object as of a square one of its area."""
    cv2.imwrite(str(tmp_path / "a.png"), texture(0, 300, 400))
    boxes = [(100.0, 80.0, 40.0, 40.0), (100.0, 80.0, 80.0, 20.0)]
    entries = [
        Entry(str(tmp_path / "a.png"), box, f"t{index}", 0, "", "a")
        for index, box in enumerate(boxes)
    ]
    done = prepare(entries, tmp_path / "out", replace(EXACT, area=2.0))
    config = PairConfig(template=64, search=128, area=2.0)
    for crop, entry in zip(read_manifest(done.manifest), entries, strict=True):
        assert read_image(crop.image).shape == (200, 200, 3)  # 2.5 windows of 2 * 40 pixels
        side = template_side(*crop.box[2:], config.context, config.area)
        assert side == pytest.approx(200 / 2.5), "training shows what was cut"
        np.testing.assert_allclose(crop.box[2:], entry.box[2:])
    with pytest.raises(ValueError, match="was cut with other settings"):
        prepare(entries, tmp_path / "out", EXACT)


def test_a_folder_of_a_version_without_area(tmp_path, entries):
    done = prepare(entries, tmp_path / "out")
    settings = json.loads((tmp_path / "out/crops.json").read_text())
    del settings["area"]
    (tmp_path / "out/crops.json").write_text(json.dumps(settings))
    assert prepare(entries, tmp_path / "out").crops == done.crops
    (tmp_path / "out/crops.json").write_text("[1]")
    with pytest.raises(ValueError, match="give another folder"):
        prepare(entries, tmp_path / "out")


def test_images_that_changed_since_are_noticed(tmp_path, entries):
    out = tmp_path / "out"
    done = prepare(entries[:3], out)
    before = {crop.image: Path(crop.image).read_bytes() for crop in read_manifest(done.manifest)}
    cv2.imwrite(entries[1].image, texture(7, 240, 320))
    with pytest.raises(StaleResultsError, match=rf"1 of {len(entries)} .*00000002\.jpg has"):
        prepare(entries, out)
    assert all(Path(image).read_bytes() == data for image, data in before.items())
    # the others stay, and what is new is cut as well
    again = prepare(entries, out, overwrite=True)
    assert (again.crops, again.new) == (len(entries), len(entries) - 2)
    stayed = [Path(image).read_bytes() == data for image, data in before.items()]
    assert stayed == [True, False, True]
    assert prepare(entries, out).new == 0
    # of crops without a note nobody knows
    (out / ".made/sources.json").write_text('{"a": 3')
    os.utime(entries[0].image, (1, 1))
    assert prepare(entries, out).new == 0
    assert str(entries[0].image) in json.loads((out / ".made/sources.json").read_text())


def test_other_settings_or_files_are_refused(tmp_path, entries):
    prepare(entries, tmp_path / "out")
    with pytest.raises(ValueError, match="was cut with other settings"):
        prepare(entries, tmp_path / "out", CropConfig(side=200))
    with pytest.raises(ValueError, match="holds other files"):
        prepare(entries, tmp_path / "data")
    with pytest.raises(ValueError, match="every must be at least 1"):
        prepare(entries, tmp_path / "new", every=0)


@pytest.mark.parametrize(
    "bad",
    [
        {"side": 8},
        {"multiple": 1},
        {"multiple": float("nan")},
        {"context": -1},
        {"ending": "gif"},
        {"quality": 0},
    ],
)
def test_bad_settings(bad):
    with pytest.raises(ValueError, match="expected"):
        CropConfig(**bad)


def test_every_second_frame(tmp_path, entries):
    done = prepare(entries, tmp_path / "out", every=3)
    assert [crop.frame for crop in read_manifest(done.manifest)] == [0, 3, 0, 3]


def test_unreadable_images_and_boxes_outside(tmp_path, entries):
    os.truncate(entries[1].image, 100)
    Path(entries[2].image).unlink()
    entries[3] = replace(entries[3], box=(900.0, 5.0, 20.0, 20.0))
    done = prepare(entries, tmp_path / "out")
    assert (done.crops, done.outside, len(done.faults)) == (2 * FRAMES - 3, 1, 2)
    with pytest.raises(DatasetError, match=r"too many images.*00000002\.jpg"):
        prepare(entries, tmp_path / "two", faults=Faults(least=1))
    with pytest.raises(DatasetError, match="no crop was cut"):
        prepare(entries[1:3], tmp_path / "three")


def test_several_objects_in_an_image(tmp_path):
    entries = read_training(coco(tmp_path / "data"))
    twice = [*entries, replace(entries[0], box=(10.0, 10.0, 20.0, 20.0), track="other")]
    done = prepare(twice, tmp_path / "out", EXACT)
    assert done.crops == FRAMES + 1
    assert done.faults.good == FRAMES


def test_a_full_disk(tmp_path, entries, monkeypatch):
    def full(path, data):
        raise OSError(28, "No space left on device")

    prepare(entries[:1], tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr("siamtrack.data.prepare.write_whole", full)
        with pytest.raises(OSError, match="No space left"):
            prepare(entries, tmp_path / "out")
    assert len(read_manifest(tmp_path / "out")) == 1
    assert prepare(entries, tmp_path / "out").crops == 2 * FRAMES


CHILD = """
import sys
from siamtrack.data.prepare import CropConfig, prepare
from siamtrack.data.manifest import read_manifest
prepare(read_manifest(sys.argv[1]), sys.argv[2], CropConfig(ending="png"), workers=2)
"""


def test_killed_at_any_moment(tmp_path):
    """Every crop that is there after kill -9 is whole, and another run finishes the rest."""
    names = []
    for index in range(12):
        cv2.imwrite(str(tmp_path / f"{index}.png"), texture(index, 240, 320))
        names += [
            f'{{"image": "{index}.png", "box": [{40 + 9 * n}, 60, 50, 70]}}' for n in range(12)
        ]
    (tmp_path / "manifest.jsonl").write_text("\n".join(names))
    out = tmp_path / "out"
    counts = []
    for wanted in (1, 20, 50):
        with started([sys.executable, "-c", CHILD, str(tmp_path), str(out)]) as child:
            limit = time.monotonic() + 60
            while time.monotonic() < limit and child.poll() is None:
                if len(list(out.rglob("*.png"))) >= wanted:
                    break
                time.sleep(0.002)
        crops = list(out.rglob("*.png"))
        for crop in crops:
            read_image(crop)
        counts.append(len(crops))
    assert counts == sorted(counts)
    done = prepare(read_manifest(tmp_path), out, EXACT)
    assert done.crops == 144
    assert done.new == 144 - counts[-1]
    for crop in read_manifest(out):
        np.testing.assert_allclose(
            np.add(crop.box[:2], np.divide(crop.box[2:], 2)),
            read_image(crop.image).shape[0] / 2,
            atol=0.01,
        )


def test_pictures_are_what_the_truth_says():
    assert PICTURES.shape[0] == len(BOXES) == FRAMES
