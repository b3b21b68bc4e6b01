"""Every export is read by the tools that people use next, where those are installed."""

import contextlib
import io
import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from siamtrack.core.masks import Mask, from_polygons
from siamtrack.core.tracks import Track, TrackState
from siamtrack.sinks import open_sink
from siamtrack.video import Frame

FRAMES = 12
DATUMARO = "datumaro is not installed (make test-interop)"
NAMES, CLASSES = {0: "Anna", 1: "Bo"}, {0: "person", 1: "person", 2: "car"}


def box(number, index):
    return np.array([5.0 + index + 30 * number, 10.0 + 0.5 * index, 20.0, 16.0])


def export(path, format=None, **options):
    """Two people and a car; the car is lost in frames 5 and 6."""
    options = {"names": NAMES, "classes": CLASSES} | options
    with open_sink(path, format=format, **options) as sink:
        for index in range(FRAMES):
            picture = np.full((96, 128, 3), 90, np.uint8)
            tracks = [
                Track(
                    box(number, index),
                    0.75,
                    TrackState.LOST if number == 2 and index in (5, 6) else TrackState.TRACKED,
                    number,
                )
                for number in range(3)
            ]
            sink.write(Frame(index, index / 25, picture), tracks)
    return path


def pictures(folder, name, first=0):
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(FRAMES):
        cv2.imwrite(str(folder / name.format(index + first)), np.full((96, 128, 3), 90, np.uint8))


def labels_of(dataset, item):
    categories = dataset.categories()
    names = next(iter(categories.values()))
    return sorted(names[each.label].name for each in item.annotations)


class TestDatumaro:
    def imported(self, path, format):
        datumaro = pytest.importorskip(
            "datumaro", reason="datumaro is not installed (make test-interop)"
        )
        with contextlib.redirect_stderr(io.StringIO()):
            return datumaro.Dataset.import_from(str(path), format)

    def test_cvat_with_key_frames(self, tmp_path):
        pictures(tmp_path / "images", "frame_{:06d}.PNG")
        export(tmp_path / "annotations.xml", "cvat", keyframes=1.0)
        items = list(self.imported(tmp_path, "cvat"))
        assert len(items) == FRAMES
        first = items[0]
        assert len(first.annotations) == 3
        found = [note for item in items for note in item.annotations]
        assert sum(bool(note.attributes.get("keyframe")) for note in found) < len(found)
        assert {note.attributes.get("name") for note in found} >= {"Anna", "Bo"}
        for index, item in enumerate(sorted(items, key=lambda item: item.attributes["frame"])):
            for note in item.annotations:
                number = note.attributes["track_id"]
                if not note.attributes.get("outside"):
                    np.testing.assert_allclose(note.get_bbox(), box(number, index), atol=1.01)

    def test_cvat_outlines(self, tmp_path):
        pictures(tmp_path / "images", "frame_{:06d}.PNG")
        masks = []
        with open_sink(tmp_path / "annotations.xml", format="cvat") as sink:
            for index in range(FRAMES):
                bits = np.zeros((96, 128), np.uint8)
                cv2.ellipse(bits, (50 + index, 40), (30 - index, 12), 10 * index, 0, 360, 1, -1)
                masks.append(bits != 0)
                state = TrackState.LOST if index == 5 else TrackState.TRACKED
                found = Track(box(0, index), 0.75, state, 0, Mask.of(bits))
                sink.write(Frame(index, index / 25, np.full((96, 128, 3), 90, np.uint8)), [found])
        items = sorted(self.imported(tmp_path, "cvat"), key=lambda item: item.attributes["frame"])
        seen = {}
        for item in items:
            for note in item.annotations:
                if not note.attributes.get("outside"):
                    seen[item.attributes["frame"]] = np.reshape(note.points, (-1, 2))
        assert sorted(seen) == [index for index in range(FRAMES) if index != 5]
        for index, points in seen.items():
            covered = from_polygons([points], 96, 128).full()
            assert (covered & masks[index]).sum() / (covered | masks[index]).sum() > 0.95

    @pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # COCO's
    def test_cvat_masks(self, tmp_path):
        pictures(tmp_path / "images", "frame_{:06d}.PNG")
        masks = []
        file = tmp_path / "annotations.xml"
        with open_sink(file, format="cvat-masks", names=NAMES) as sink:
            for index in range(FRAMES):
                bits = np.zeros((96, 128), np.uint8)
                cv2.ellipse(bits, (50 + index, 40), (30 - index, 12), 10 * index, 0, 360, 1, -1)
                cv2.circle(bits, (50 + index, 40), 4, 0, -1)  # a hole
                bits[80:84, 3:20] = 1  # and another part
                masks.append(bits)
                found = Track(box(0, index), 0.75, TrackState.TRACKED, 0, Mask.of(bits))
                sink.write(Frame(index, index / 25, np.full((96, 128, 3), 90, np.uint8)), [found])
        items = sorted(self.imported(tmp_path, "cvat"), key=lambda item: item.attributes["frame"])
        assert len(items) == FRAMES
        for item, bits in zip(items, masks, strict=True):
            (note,) = item.annotations
            assert note.group == 1
            assert np.array_equal(note.image, bits)

    # It warns by a deprecated function that boxes have no outlines
    @pytest.mark.filterwarnings("ignore:The 'warn' function is deprecated:DeprecationWarning")
    def test_coco(self, tmp_path):
        (tmp_path / "annotations").mkdir()
        export(tmp_path / "annotations" / "instances_train.json", "coco")
        pictures(tmp_path / "images" / "train", "{:06d}.jpg")
        dataset = self.imported(tmp_path, "coco_instances")
        items = sorted(dataset, key=lambda item: item.id)
        assert len(items) == FRAMES
        assert labels_of(dataset, items[0]) == ["car", "person", "person"]
        assert len(items[5].annotations) == 2
        assert {note.attributes.get("name") for note in items[0].annotations} >= {"Anna", "Bo"}

    def test_yolo(self, tmp_path):
        with zipfile.ZipFile(export(tmp_path / "a.zip")) as file:
            file.extractall(tmp_path / "yolo")
        pictures(tmp_path / "yolo" / "images" / "train", "frame_{:06d}.jpg")
        dataset = self.imported(tmp_path / "yolo", "yolo")
        items = sorted(dataset, key=lambda item: item.id)
        assert len(items) == FRAMES
        assert labels_of(dataset, items[0]) == ["car", "person", "person"]

    def test_mot(self, tmp_path):
        (tmp_path / "gt").mkdir()
        export(tmp_path / "gt" / "gt.txt", "mot")
        (tmp_path / "gt" / "gt_labels.txt").rename(tmp_path / "gt" / "labels.txt")
        pictures(tmp_path / "img1", "{:06d}.jpg", first=1)
        dataset = self.imported(tmp_path, "mot_seq")
        items = sorted(dataset, key=lambda item: int(item.id))
        assert len(items) == FRAMES
        assert labels_of(dataset, items[0]) == ["car", "person", "person"]
        tops = sorted(tuple(note.get_bbox()[:2]) for note in items[3].annotations)
        np.testing.assert_allclose(tops[0], box(0, 3)[:2], atol=1.01)


class TestSupervision:
    def test_coco_and_yolo(self, tmp_path):
        reason = "supervision is not installed (make test-interop)"
        supervision = pytest.importorskip("supervision", reason=reason)
        pictures(tmp_path / "coco", "{:06d}.jpg")
        coco = supervision.DetectionDataset.from_coco(
            str(tmp_path / "coco"), str(export(tmp_path / "a.json"))
        )
        assert coco.classes == ["person", "car"]
        assert len(coco) == FRAMES
        with zipfile.ZipFile(export(tmp_path / "a.zip", images=True)) as file:
            file.extractall(tmp_path / "yolo")
        yolo = supervision.DetectionDataset.from_yolo(
            str(tmp_path / "yolo/images/train"),
            str(tmp_path / "yolo/labels/train"),
            str(tmp_path / "yolo/data.yaml"),
        )
        assert yolo.classes == ["person", "car"]
        (found,) = [note for path, _, note in yolo if path.endswith("_000000.jpg")]
        expected = [box(number, 0) for number in range(3)]
        widths = found.xyxy[:, 2:] - found.xyxy[:, :2]
        np.testing.assert_allclose(np.hstack([found.xyxy[:, :2], widths]), expected, atol=0.01)


def test_motmetrics_reads_classes(tmp_path):
    motmetrics = pytest.importorskip("motmetrics", reason="motmetrics is not installed")
    table = motmetrics.io.loadtxt(str(export(tmp_path / "a.txt", "mot")), fmt="mot16")
    assert table.loc[(1, 2)]["ClassId"] == 2
    assert set(table.loc[1]["Visibility"]) == {1}
    assert len(table) == 3 * FRAMES - 2


def test_pycocotools_knows_the_categories(tmp_path):
    reason = "pycocotools is not installed"
    coco = pytest.importorskip("pycocotools.coco", reason=reason).COCO
    with contextlib.redirect_stdout(io.StringIO()):
        found = coco(str(export(tmp_path / "a.json")))
    people = found.getCatIds(catNms=["person"])
    assert len(found.getAnnIds(catIds=people)) == 2 * FRAMES


def test_label_studio_converts_coco_and_yolo(tmp_path):
    """Label Studio imports both by way of its own converter."""
    reason = "label-studio-sdk is not installed (make test-interop)"
    pytest.importorskip("label_studio_sdk", reason=reason)
    from label_studio_sdk.converter.imports.coco import convert_coco_to_ls
    from label_studio_sdk.converter.imports.yolo import convert_yolo_to_ls

    convert_coco_to_ls(
        input_file=str(export(tmp_path / "a.json")),
        out_file=str(tmp_path / "coco.ls.json"),
        out_type="predictions",
    )
    with zipfile.ZipFile(export(tmp_path / "a.zip")) as file:
        file.extractall(tmp_path / "yolo")
        names = file.read("data.yaml").decode()
    # Its converter wants the older layout of YOLO
    folder = tmp_path / "yolo"
    pictures(folder / "images", "frame_{:06d}.jpg")
    for label in (folder / "labels" / "train").iterdir():
        label.rename(folder / "labels" / label.name)
    classes = [line.split('"')[1] for line in names.splitlines() if '"' in line]
    (folder / "classes.txt").write_text("\n".join(classes))
    convert_yolo_to_ls(
        input_dir=str(folder),
        out_file=str(tmp_path / "yolo.ls.json"),
        out_type="predictions",
        image_ext=".jpg",
    )
    for name in ("coco.ls.json", "yolo.ls.json"):
        tasks = json.loads(Path(tmp_path / name).read_text())
        assert len(tasks) == FRAMES
        rows = [row for task in tasks for row in task["predictions"][0]["result"]]
        assert len(rows) == 3 * FRAMES - 2
        kinds = {kind for row in rows for kind in row["value"]["rectanglelabels"]}
        assert kinds == {"person", "car"}
