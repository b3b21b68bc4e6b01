"""Results, reports and settings that others wrote: read, or refused in a sentence."""

from dataclasses import asdict

import numpy as np
import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st

from siamtrack.benchmark.figures import read_report
from siamtrack.benchmark.picture import read_accuracy
from siamtrack.cli.train import read_settings
from siamtrack.core.config import from_dict
from siamtrack.core.settings import TrackerSettings
from siamtrack.errors import DatasetError, ResultsError, SiamtrackError
from siamtrack.evaluation.peers.trax import Message, parse
from siamtrack.evaluation.results import read_results, read_times
from siamtrack.evaluation.vot.files import read_regions
from siamtrack.tracking.follow import read_boxes
from siamtrack.training import TrainConfig
from tests.benchmark.test_figures import REPORT
from tests.fuzz.harness import CHANGES, case, changed, fuzz, slow_fuzz

pytestmark = pytest.mark.needs("torch", "scipy")

ROWS = b"10.5,20,30,40\n11,21,30,40\n12,22,30,40\n"
POLYGONS = b"1,2,3,2,3,4,1,4\n" * 3


def _mat(path):
    scipy.io.savemat(path, {"results": {"type": "rect", "res": np.ones((5, 4))}})
    return path.read_bytes()


def _boxes_of_file(path):
    for boxes in read_boxes(path, 0).values():
        for box in boxes.values():
            assert not np.isinf(box).any()


def _finite(path):
    assert np.isfinite(read_results(path)).all()


READERS = {
    "results.txt": (lambda _: ROWS, _finite, ResultsError),
    "polygons.txt": (lambda _: POLYGONS, _finite, ResultsError),
    "results.mat": (_mat, _finite, ResultsError),
    "x_time.txt": (
        lambda _: b"0.1\n0.2\n0.3\n",
        lambda p: read_times(p.with_name("x.txt"), 3),
        ResultsError,
    ),
    "regions.txt": (
        lambda _: b"1\n" + ROWS + b"2\n0\n",
        lambda p: read_regions(p, 6),
        ResultsError,
    ),
    "boxes.txt": (lambda _: b"0,1,10,20,30,40\n5,2,9,9,9,9\n", _boxes_of_file, DatasetError),
    "bench.json": (lambda _: REPORT.to_json().encode(), read_report, ValueError),
    "report.json": (
        lambda _: b'{"trackers": {"a": {"overall": {"success": 0.5}}}}',
        read_accuracy,
        ValueError,
    ),
    "settings.json": (
        lambda _: b'{"steps": 5, "seed": 3, "batch": 4}',
        lambda p: from_dict(TrainConfig, read_settings(p)),
        (SiamtrackError, TypeError, ValueError),
    ),
}


@pytest.mark.parametrize("name", READERS)
def test_files(name, tmp_path):
    make, read, refusals = READERS[name]
    path = tmp_path / name
    data = make(path)
    path.write_bytes(data)
    read(path)

    @(slow_fuzz if name.endswith(".mat") else fuzz)
    @given(changes=CHANGES)
    def run(changes):
        path.write_bytes(changed(data, changes))
        with case(name, *(refusals if isinstance(refusals, tuple) else (refusals,))):
            read(path)

    run()


@fuzz
@given(changes=CHANGES)
def test_trax_lines(changes):
    line = Message("initialize", ["file:///a/b.jpg", "1,2,3,4"], {"a.b": 'x"\\y'}).line()
    with case("TraX line"):
        found = parse(changed(line.encode(), changes).decode(errors="replace"))
        assert found is None or parse(found.line()) == found


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@fuzz
@given(value=JSON, key=st.sampled_from(sorted(asdict(TrackerSettings()))))
def test_settings_of_any_value(value, key):
    with case("TrackerSettings", SiamtrackError, TypeError, ValueError):
        from_dict(TrackerSettings, {key: value})
