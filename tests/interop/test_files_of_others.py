"""What we write is read, and understood alike, by the usual tools."""

import contextlib
import io
import json

import motmetrics
import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from siamtrack.core.tracks import Track, TrackState
from siamtrack.sinks import open_sink
from siamtrack.video import Frame

pytestmark = pytest.mark.needs("motmetrics", "pycocotools")

BOXES = {0: [(10.0, 20.0, 30.0, 40.0), (12.5, 21.0, 30.0, 40.0)], 4: [(70.0, 5.0, 8.0, 9.0)] * 2}


def written(path, format):
    with open_sink(path, format=format) as sink:
        for index in range(2):
            tracks = [
                Track(np.array(boxes[index]), 0.75, TrackState.TRACKED, number)
                for number, boxes in BOXES.items()
            ]
            sink.write(Frame(index, index / 25, np.zeros((96, 128, 3), np.uint8)), tracks)
    return path


def test_mot_is_read_by_motmetrics(tmp_path):
    """Its reader takes 1 from left and top, as files of the MOTChallenge count from 1."""
    table = motmetrics.io.loadtxt(str(written(tmp_path / "a.txt", "mot")), fmt="mot15-2D")
    assert sorted(table.index) == [(1, 0), (1, 4), (2, 0), (2, 4)]
    for number, boxes in BOXES.items():
        for index, box in enumerate(boxes):
            row = table.loc[(index + 1, number)]
            assert tuple(row[["X", "Y", "Width", "Height"]]) == box
    assert set(table["Confidence"]) == {0.75}


@pytest.mark.needs("trackeval")
def test_mot_is_scored_by_trackeval(tmp_path):
    """Our tracks as their own truth are perfect; trackeval wants OpenCV with windows: by hand."""
    import trackeval

    text = written(tmp_path / "a.txt", "mot").read_text()
    truth = tmp_path / "gt" / "MOT17-train" / "a"
    ours = tmp_path / "tr" / "MOT17-train" / "us" / "data"
    (truth / "gt").mkdir(parents=True)
    ours.mkdir(parents=True)
    (truth / "seqinfo.ini").write_text("[Sequence]\nname=a\nseqLength=2\n")
    rows = [line.split(",")[:6] for line in text.splitlines()]
    rows = [[frame, str(int(number) + 1), *box] for frame, number, *box in rows]
    (truth / "gt" / "gt.txt").write_text("".join(",".join([*r, "1,1,1"]) + "\n" for r in rows))
    (ours / "a.txt").write_text(text)
    with contextlib.redirect_stdout(io.StringIO()):
        data = trackeval.datasets.MotChallenge2DBox(
            {
                "GT_FOLDER": str(tmp_path / "gt"),
                "TRACKERS_FOLDER": str(tmp_path / "tr"),
                "SEQ_INFO": {"a": 2},
                "PRINT_CONFIG": False,
            }
        )
        found = data.get_preprocessed_seq_data(data.get_raw_seq_data("us", "a"), "pedestrian")
        scores = trackeval.metrics.HOTA().eval_sequence(found)
    assert scores["HOTA"].min() == 1.0
    assert found["num_tracker_ids"] == len(BOXES)


def test_coco_is_read_and_scored_by_pycocotools(tmp_path):
    path = written(tmp_path / "a.json", "coco")
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(path))
        found = truth.loadRes(
            [
                {key: row[key] for key in ("image_id", "category_id", "bbox", "score")}
                for row in json.loads(path.read_text())["annotations"]
            ]
        )
        run = COCOeval(truth, found, "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    assert run.stats[0] == pytest.approx(1.0)  # AP of the boxes against themselves
    rows = truth.loadAnns(truth.getAnnIds(imgIds=[2]))
    assert sorted(tuple(row["bbox"]) for row in rows) == sorted(b[1] for b in BOXES.values())
    assert truth.loadImgs([1])[0]["width"] == 128
