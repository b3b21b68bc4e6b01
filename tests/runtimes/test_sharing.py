"""What is loaded twice is in memory once, and nothing of it outlives its trackers."""

import gc
import multiprocessing
import shutil
import sys
import weakref

import pytest

from siamtrack.errors import WeightsError
from siamtrack.packages.card import load_model, model_folder
from siamtrack.runtimes.engines import shared


class Engine:
    shareable = True


class OneThread:
    pass


def test_the_same_model_is_loaded_once():
    first, second = load_model(threads=1), load_model(threads=1)
    assert first.runtime is second.runtime


@pytest.mark.parametrize("other", [{"threads": 2}, {"precision": "float32", "threads": 1}])
def test_another_setting_is_another_network(other):
    first = load_model(threads=1, precision="int8")
    assert load_model(**other).runtime is not first.runtime


def test_a_network_that_nothing_uses_is_let_go():
    kept = shared("one", Engine)
    assert shared("one", Engine) is kept
    gone = weakref.ref(kept)
    del kept
    gc.collect()
    assert gone() is None
    assert isinstance(shared("one", Engine), Engine)


def test_an_engine_for_one_thread_at_a_time_is_not_shared():
    assert shared("two", OneThread) is not shared("two", OneThread)


def test_files_are_verified_also_where_the_network_is_in_use(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(model_folder("lite"), folder)
    used = load_model(folder, threads=1)
    with (folder / "search.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(WeightsError, match="altered or damaged"):
        load_model(folder, threads=1, precision="float32")
    assert used.runtime is not None


def answer(queue):
    import numpy as np

    import siamtrack

    frame = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    tracker = siamtrack.load(threads=2)
    tracker.init(frame, (40, 30, 20, 20))
    queue.put(tracker.update(frame).box.tolist())


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12 of forks
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_a_forked_process_makes_its_own():
    used = load_model(threads=2)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=answer, args=(queue,))
    process.start()
    assert len(queue.get(timeout=300)) == 4  # with the parent's engine it would wait for ever
    process.join(60)
    assert used.runtime is not None
