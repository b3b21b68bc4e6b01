import json
from dataclasses import replace

import numpy as np
import pytest

from siamtrack.data.cache import read_image
from siamtrack.data.check import check_training
from siamtrack.errors import DatasetError
from tests.data.annotations.trees import FRAMES, TREES, coco, got10k, trackingnet, write_text
from tests.training.manifest import write_manifest


@pytest.mark.parametrize("decode", [False, True])
@pytest.mark.parametrize("name", TREES)
def test_whole_sets_have_no_problem(name, decode, tmp_path):
    report = check_training(TREES[name](tmp_path), decode=decode)
    assert report.problems == 0
    assert report.images == report.boxes == FRAMES * (2 if name == "got10k" else 1)
    assert report.videos == {"got10k": 2, "coco": 0, "imagenet_det": 0}.get(name, 1)


def test_everything_that_is_wrong_is_counted_and_named(tmp_path):
    source = got10k(tmp_path, sequences=3)
    one, two, three = (tmp_path / f"train/GOT-10k_Train_{n:06d}" for n in (1, 2, 3))
    (one / "00000002.jpg").unlink()
    (one / "00000003.jpg").write_bytes((one / "00000003.jpg").read_bytes()[:2000])
    write_text(two / "absence.label", "1\n" * FRAMES)
    (three / "meta_info.ini").unlink()
    write_text(three / "groundtruth.txt", "300,1,20,20\n" + "61,71,40,40\n" * (FRAMES - 1))
    report = check_training(source, decode=True)
    assert report.found.counts == {"missing": 1, "unreadable": 1, "empty": 1, "outside": 1}
    table = report.table()
    assert "tracks with boxes in more than one image" in table
    for name in ("00000002.jpg", "00000003.jpg: cut short", "GOT-10k_Train_000002", "[299.0, 0.0"):
        assert name in table
    # without decoding, the cut image is not noticed, for its header is whole
    assert check_training(source).found.counts == {"missing": 1, "empty": 1, "outside": 1}
    values = json.loads(json.dumps(report.to_dict()))
    assert values["problems"]["missing"] == {"count": 1, "names": [str(one / "00000002.jpg")]}


def test_missing_folders_and_many_names(tmp_path):
    source = trackingnet(tmp_path)
    for file in (tmp_path / "TRAIN_0/frames/abc_0").iterdir():
        file.unlink()
    report = check_training(source)
    assert report.found.counts == {"missing": FRAMES}
    assert f"and {FRAMES - 1} more" in report.table(names=1)


def test_stills_are_compared_with_their_own_size(tmp_path):
    source = coco(tmp_path)
    file = tmp_path / "annotations/instances_train2017.json"
    content = json.loads(file.read_text())
    for image in content["images"]:
        image["width"] = 9999
    content["annotations"][2]["bbox"] = [5000, 1, 5, 5]
    write_text(file, json.dumps(content))
    assert check_training(source).found.counts == {"outside": 1}


def test_manifest(tmp_path):
    report = check_training(write_manifest(tmp_path))
    assert (report.images, report.tracks, report.videos, report.labels) == (7, 4, 1, 1)
    with pytest.raises(DatasetError, match="no such manifest"):
        check_training(tmp_path / "gone")


def test_masks_of_a_manifest_are_compared_with_their_boxes(tmp_path):
    from siamtrack.core.masks import Mask
    from siamtrack.data.manifest import read_manifest
    from siamtrack.data.manifest import write_manifest as write

    path = write_manifest(tmp_path)
    entries = read_manifest(path)

    def mask_of(box, form, image=entries[0].image):
        height, width = read_image(image).shape[:2]
        left, top, wide, high = map(round, box)
        bits = np.zeros((height, width), bool)
        bits[max(top, 0) : top + high, max(left, 0) : left + wide] = True
        mask = Mask.of(bits)
        return mask.rle() if form else [each.ravel().tolist() for each in mask.polygons()]

    whole = [
        replace(each, mask=mask_of(each.box, k % 2, each.image)) for k, each in enumerate(entries)
    ]
    write(whole, tmp_path / "masks.jsonl")
    report = check_training(tmp_path / "masks.jsonl")
    assert (report.problems, report.masks) == (0, len(entries))
    assert "boxes with a mask" in report.table()
    assert read_manifest(tmp_path / "masks.jsonl") == whole
    height, width = read_image(entries[0].image).shape[:2]
    # Elsewhere, empty, of another size, and no mask at all
    wrong = [
        mask_of((0, 0, 3, 3), True),
        {"size": [height, width], "counts": [height * width]},
        {"size": [height + 1, width], "counts": [(height + 1) * width]},
        7,
    ]
    damaged = [replace(each, mask=mask) for each, mask in zip(whole, wrong, strict=False)]
    write([*damaged, *whole[4:]], tmp_path / "wrong.jsonl")
    found = check_training(tmp_path / "wrong.jsonl").found
    assert found.counts == {"masks": 4}
    for name in ("mask in (0.0, 0.0", "an empty mask", "its image has", "no mask: expected"):
        assert sum(name in each for each in found.names["masks"]) == 1
