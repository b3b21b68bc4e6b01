"""Views of objects: what is drawn, how objects are divided, and how a manifest is cut."""

import json

import cv2
import numpy as np
import pytest

from siamtrack.data.objects import ObjectViews, generated_views, manifest_views
from siamtrack.errors import DatasetError
from tests.helpers import clip


def numbered(objects=6, views=3, sources=2):
    """Objects whose pixels say which object and view they are."""
    made = [
        np.stack([np.full((4, 4, 3), 10 * i + v, np.uint8) for v in range(views)])
        for i in range(objects)
    ]
    return ObjectViews(tuple(made), tuple(f"s{i % sources}" for i in range(objects)))


def who(crops):
    return crops[:, 0, 0, 0] // 10, crops[:, 0, 0, 0] % 10


def test_pairs_are_what_their_labels_say():
    objects = numbered()
    first, second, labels = objects.pairs(200, np.random.default_rng(0))
    assert first.shape == second.shape == (200, 4, 4, 3)
    assert labels.tolist() == [0, 1] * 100
    (a, view_a), (b, view_b) = who(first), who(second)
    assert (a[labels == 0] == b[labels == 0]).all()
    assert (view_a[labels == 0] != view_b[labels == 0]).all()
    assert (a[labels == 1] != b[labels == 1]).all()
    assert (a % 2 == b % 2).all()  # of one source
    assert set(a) == set(range(6))
    again = objects.pairs(200, np.random.default_rng(0))
    assert np.array_equal(first, again[0])
    assert np.array_equal(second, again[1])


def test_an_object_alone_in_its_source_is_never_drawn():
    objects = numbered(3, sources=2)  # s0, s1, s0
    first, _, _ = objects.pairs(50, np.random.default_rng(0))
    assert set(who(first)[0]) == {0, 2}


def test_a_batch_has_views_of_each_object():
    crops, identities = numbered().batch(4, 3, np.random.default_rng(0))
    objects, views = who(crops)
    assert np.array_equal(objects, identities)
    assert (np.unique(identities, return_counts=True)[1] == 3).all()
    assert all(set(views[objects == i]) == {0, 1, 2} for i in set(objects))
    crops, identities = numbered().batch(99, 5, np.random.default_rng(0))
    assert len(crops) == len(identities) == 30


def test_no_object_is_on_both_sides():
    objects = numbered(20, sources=2)
    seen, unseen = objects.split(0.3, seed=1)
    sides = [{int(each[0, 0, 0, 0]) for each in side.views} for side in (seen, unseen)]
    assert not sides[0] & sides[1]
    assert [len(seen), len(unseen)] == [14, 6]
    assert unseen.sources.count("s0") == 3
    assert np.array_equal(unseen.views[0], objects.split(0.3, seed=1)[1].views[0])


def test_bad_input():
    view = np.zeros((2, 4, 4, 3), np.uint8)
    for views, sources in [
        ((view,), ("a",)),
        ((view, view), ("a",)),
        ((view, view[:1]), ("a", "a")),
        ((view, view[:, :3]), ("a", "a")),
        ((view, view), ("a", "b")),
    ]:
        with pytest.raises(DatasetError, match="expected"):
            ObjectViews(views, sources)
    with pytest.raises(ValueError, match="share"):
        numbered().split(0)
    with pytest.raises(DatasetError, match="expected at least two"):
        numbered(4).split(0.99)


def test_generated_objects_can_be_told_apart_and_come_again():
    objects = generated_views(6, 3, 32, seed=3)
    assert len(objects) == 6
    assert objects.views[0].shape == (3, 32, 32, 3)
    assert np.array_equal(objects.views[5], generated_views(6, 3, 32, seed=3).views[5])
    assert not np.array_equal(objects.views[0], objects.views[1])


def write_tracks(folder, tracks=2, frames=5):
    (folder / "set").mkdir(parents=True)
    pictures, boxes = clip(frames)
    lines = []
    for index, picture in enumerate(pictures):
        cv2.imwrite(str(folder / "set" / f"{index}.png"), picture[..., ::-1])
        for track in range(tracks):
            left, top, width, height = boxes[index]
            box = [left + 5 * track, top, width, height]
            image = f"set/{index}.png"
            lines.append({"image": image, "box": box, "track": str(track), "frame": index})
    lines.append({"image": "set/0.png", "box": [1, 1, 9, 9], "track": "alone"})
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return pictures, boxes


def test_a_manifest_gives_the_boxes_without_context(tmp_path):
    pictures, boxes = write_tracks(tmp_path)
    objects = manifest_views(tmp_path, size=40, most=3)
    assert len(objects) == 2
    assert objects.sources == ("set", "set")
    left, top = boxes[0, :2].astype(int)
    assert np.array_equal(objects.views[0][0], pictures[0][top : top + 40, left : left + 40])
    assert [len(each) for each in objects.views] == [3, 3]
    left, top = boxes[4, :2].astype(int)
    assert np.array_equal(objects.views[0][2], pictures[4][top : top + 40, left : left + 40])


def test_a_manifest_without_tracks_is_refused(tmp_path):
    write_tracks(tmp_path, tracks=1)
    with pytest.raises(DatasetError, match="at least two objects"):
        manifest_views(tmp_path)
