"""Ray gives the files of the local run, to the byte."""

import pytest

from siamtrack.core.parallel import RayCluster, run_jobs
from siamtrack.errors import SiamtrackError
from siamtrack.evaluation import evaluate
from tests.evaluation.test_evaluate import figures
from tests.evaluation.toys import Blob, toys

pytestmark = [pytest.mark.slow, pytest.mark.needs("ray")]


def test_results_are_those_of_the_local_run(tmp_path):
    data = toys(3, 12)
    there = evaluate(Blob, data, out=tmp_path / "ray", workers=RayCluster("local"), name="b")
    here = evaluate(Blob, data, out=tmp_path / "local", name="b")
    assert figures(there) == figures(here)
    files = sorted(path.name for path in (tmp_path / "local/b").glob("*.txt"))
    files = [name for name in files if not name.endswith("_time.txt")]
    assert len(files) == 6
    for name in files:
        local, far = (tmp_path / place / "b" / name for place in ("local", "ray"))
        assert local.read_bytes() == far.read_bytes(), name


def _fails(tracker, job):
    raise ValueError(f"job {job} is bad")


def test_an_error_on_a_worker_is_the_error_here():
    with pytest.raises(ValueError, match="job 7 is bad"):
        list(run_jobs(_fails, Blob, [7], RayCluster("local")))


def test_no_cluster_is_one_sentence():
    with pytest.raises(SiamtrackError, match="no Ray cluster at 'auto'"):
        list(run_jobs(_fails, Blob, [7], RayCluster("auto")))
