import json
from dataclasses import replace

import pytest

from siamtrack.benchmark.picture import draw, read_accuracy
from tests.benchmark.test_figures import REPORT

pytestmark = pytest.mark.needs("matplotlib")


@pytest.mark.parametrize("ending", [".png", ".svg"])
def test_bars_are_drawn(tmp_path, ending):
    file = tmp_path / f"speed{ending}"
    draw(REPORT, file)
    assert file.stat().st_size > 5000


def test_speed_against_accuracy_only_where_it_is_known(tmp_path):
    def words(accuracy):
        draw(REPORT, tmp_path / "speed.svg", accuracy)
        return (tmp_path / "speed.svg").read_text()

    # matplotlib writes what a text says into a comment before its outlines
    assert "success AUC" not in words({})
    assert "success AUC" not in words({"another": 0.5})
    assert "success AUC" in words({"lite": 0.67})


def test_trackers_without_stages(tmp_path):
    draw(replace(REPORT, trackers=REPORT.trackers[1:]), tmp_path / "speed.png")
    assert (tmp_path / "speed.png").stat().st_size > 5000


def test_accuracy_from_a_report(tmp_path):
    file = tmp_path / "report.json"
    file.write_text(json.dumps({"trackers": {"lite": {"overall": {"success": 0.67}}}}))
    assert read_accuracy(file) == {"lite": 0.67}
    file.write_text(json.dumps({"trackers": {"lite": {"overall": {"EAO": 0.3}}}}))
    with pytest.raises(
        ValueError, match=r"report.json has no success of trackers .*siamtrack eval"
    ):
        read_accuracy(file)
    with pytest.raises(ValueError, match="has no success"):
        read_accuracy(tmp_path / "absent.json")
