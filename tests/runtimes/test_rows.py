import threading

import numpy as np
import pytest

from siamtrack.errors import WeightsError
from siamtrack.packages.card import load_model, read_card, read_graphs
from siamtrack.runtimes import RUNTIMES
from siamtrack.runtimes.graph import SharedRows, overlapped
from tests.networks import answers, assert_alike

pytestmark = pytest.mark.needs("torch")


class Doubling:
    """Doubles its input; keeps who asked for how many rows."""

    inputs: dict = {}  # noqa: RUF012  (not asked for here)
    outputs = ("twice",)

    def __init__(self, breaks_at=None):
        self.calls, self.breaks_at = [], breaks_at

    def run(self, feed):
        value = feed["value"]
        self.calls.append((threading.get_ident(), value.ravel().tolist()))
        if self.breaks_at in value:
            raise WeightsError("broken")
        return {"twice": 2 * value}


@pytest.mark.parametrize(("threads", "count"), [(2, 8), (2, 13), (3, 12), (3, 14)])
def test_large_batches_row_by_row(threads, count):
    inside, single = Doubling(), Doubling()
    graph = SharedRows(inside, threads, lambda: single)
    values = np.arange(float(count))[:, None]
    assert np.array_equal(graph.run({"value": values})["twice"], 2 * values)
    assert sorted(rows for _, rows in single.calls) == [[row] for row in range(count)]
    assert not inside.calls


@pytest.mark.parametrize(("threads", "count"), [(1, 50), (2, 1), (2, 7), (3, 11)])
def test_small_batches_and_single_threads_at_once(threads, count):
    inside, single = Doubling(), Doubling()
    SharedRows(inside, threads, lambda: single).run({"value": np.arange(float(count))[:, None]})
    assert [rows for _, rows in inside.calls] == [list(range(count))]
    assert not single.calls


def test_rows_run_side_by_side():
    both = threading.Barrier(2, timeout=60)

    class Meeting(Doubling):
        def run(self, feed):
            both.wait()  # would break if one thread took all rows
            return super().run(feed)

    single = Meeting()
    SharedRows(Doubling(), 2, lambda: single).run({"value": np.arange(8.0)[:, None]})
    assert len({who for who, _ in single.calls}) == 2


@pytest.mark.parametrize("row", range(8))
def test_an_error_in_any_row_is_the_error(row):
    graph = SharedRows(Doubling(), 2, lambda: Doubling(breaks_at=row))
    with pytest.raises(WeightsError, match="broken"):
        graph.run({"value": np.arange(8.0)[:, None]})


def test_no_thread_is_left():
    before = threading.active_count()
    SharedRows(Doubling(), 3, Doubling).run({"value": np.arange(12.0)[:, None]})
    assert threading.active_count() == before


@pytest.mark.parametrize("kind", ["box", "siamfc"])
@pytest.mark.parametrize("count", [8, 9])
def test_network_answers_rows_as_one_thread_does(folders, kind, count):
    truth = answers(load_model(folders[kind], threads=1), count)
    found = answers(load_model(folders[kind], threads=2), count, truth["kernel"])
    assert_alike(found, truth, 1e-4)


def test_batches_from_many_threads_at_once(folders):
    card = read_card(folders["box"])
    runtime = RUNTIMES["onnx"](read_graphs(folders["box"], card), 2)
    rng = np.random.default_rng(0)
    template = rng.integers(0, 255, (8, card.template, card.template, 3), dtype=np.uint8)
    search = rng.integers(0, 255, (8, card.search, card.search, 3), dtype=np.uint8)
    kernel = runtime.embed(template, np.full((8, 2), 0.5, np.float32))
    truth, found = runtime.respond(kernel, search).score, {}

    def ask(number):
        found[number] = runtime.respond(kernel, search).score

    askers = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(30)
    assert len(found) == 6
    assert all(np.allclose(each, truth, atol=1e-5) for each in found.values())


def test_preparing_and_finishing_stay_in_the_calling_thread_and_in_order():
    here, log, gate = threading.get_ident(), [], threading.Event()

    def work(number):
        if threading.get_ident() != here:
            gate.wait(10)  # the other thread holds the first one; this one takes the rest
        else:
            gate.set()
        return number * 10, threading.get_ident()

    def note(kind):
        return lambda number, *_: log.append((kind, number, threading.get_ident()))

    found = overlapped(note("prepare"), work, lambda k, r: (note("finish")(k), r)[1], 6, 2)
    assert [value for value, _ in found] == [0, 10, 20, 30, 40, 50]
    assert len({who for _, who in found}) == 2
    assert found[5][1] == here
    assert log == [(kind, k, here) for kind in ("prepare", "finish") for k in range(6)]


@pytest.mark.parametrize("stage", range(3))
def test_an_error_in_any_stage_ends_all_threads(stage):
    def breaking(number, *_):
        if number == 2:
            raise WeightsError("broken")

    stages = [lambda *_: None] * 3
    stages[stage] = breaking
    before = threading.active_count()
    with pytest.raises(WeightsError, match="broken"):
        overlapped(*stages, 5, 3)
    assert threading.active_count() == before
