"""Our figures on published raw results are the published ones.

The real files are not ours to ship: point SIAMTRACK_EVAL_DATA at a folder that has them (see
`docs/evaluation.md`). The fixture beside this file is synthetic, and its figures come from the
GOT-10k toolkit (`benchmarks/got10k_agreement.py --fixture` writes it), so that every run of the
tests compares with an evaluator that is not ours.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from siamtrack.data import open_dataset
from siamtrack.evaluation import evaluate_results
from siamtrack.evaluation.scores import score_sequence
from tests.data.trees import rows, write

ROOT = Path(__file__).parents[2]
FIXTURE = json.loads((Path(__file__).parent / "got10k_figures.json").read_text(encoding="utf-8"))
DATA = os.environ.get("SIAMTRACK_EVAL_DATA")
published = pytest.mark.skipif(not DATA, reason="SIAMTRACK_EVAL_DATA is not set")


@pytest.mark.parametrize("case", FIXTURE["cases"], ids=lambda case: case["name"])
def test_figures_of_the_got10k_toolkit(case):
    score = score_sequence(case["name"], case["predicted"], case["truth"])
    np.testing.assert_allclose(score.success_curve, case["success_curve"], atol=1e-12)
    np.testing.assert_allclose(score.precision_curve, case["precision_curve"], atol=1e-12)
    assert score.success == pytest.approx(case["success_score"], abs=1e-12)
    assert score.precision == pytest.approx(case["precision_score"], abs=1e-12)
    assert score.sr50 == pytest.approx(case["success_rate"], abs=1e-12)


def test_figures_of_the_got10k_toolkit_on_its_own_layout(tmp_path):
    """Boxes that leave the frame on every side, and frames in which nothing is visible."""
    val = FIXTURE["val"]
    for name, entry in val["sequences"].items():
        folder = tmp_path / "val" / name
        count = len(entry["truth"])
        for number in range(1, count + 1):
            write(folder / f"{number:08d}.jpg", "")
        write(folder / "groundtruth.txt", rows(entry["truth"]))
        write(folder / "cover.label", "\n".join(map(str, entry["cover"])))
        write(folder / "absence.label", "0\n" * count)
        write(folder / "meta_info.ini", f"[METAINFO]\nresolution: {tuple(val['size'])}\n")
        write(tmp_path / "ours" / name / f"{name}_001.txt", rows(entry["guess"]))
    write(tmp_path / "val" / "list.txt", "\n".join(val["sequences"]))
    report = evaluate_results(tmp_path / "ours", open_dataset(f"got10k-val:{tmp_path}"))
    found = report.overall("ours")
    assert found["ao"] == pytest.approx(val["ao"], abs=1e-12)
    assert found["sr50"] == pytest.approx(val["sr"], abs=1e-12)
    assert report.of("ours")[0].counted == 10


def test_the_fixture_is_not_trivial():
    scores = [case["success_score"] for case in FIXTURE["cases"]]
    assert len(scores) >= 4
    assert max(scores) - min(scores) > 0.3


@published
def test_published_figures():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import parity
    finally:
        sys.path.pop(0)
    rows = list(parity.measure(Path(DATA)))
    assert len(rows) == 8
    assert [found for *_, found in rows] == [expected for _, _, expected, _ in rows]


@published
@pytest.mark.parametrize(
    ("results", "drop"),
    [("otb100_mat/SiamFC-3s", 0.003), ("otb100_mat/KCF_GaussHog", 0.003)],
)
def test_tiger1_left_at_354_rows_lowers_the_figure(results, drop, tmp_path):
    """The five rows before Tiger1's first frame shift every box, and the average shows it."""
    file = Path(DATA) / "annotations" / "OTB100.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    rows = content["Tiger1"]["gt_rect"]
    assert len(rows) == 349
    content["Tiger1"]["gt_rect"] = rows[:1] * 5 + rows[:-5]
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps(content), encoding="utf-8")
    figures = []
    for path in (file, wrong):
        dataset = open_dataset(f"otb100-annotations:{path}")
        report = evaluate_results(Path(DATA) / "results" / results, dataset)
        figures.append(report.overall(report.trackers[0])["success"])
    assert figures[0] - figures[1] == pytest.approx(drop, abs=0.0015)
