"""Batches are the same, whoever draws them, and travel as bytes."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from siamtrack.data.manifest import Pool, read_manifest
from siamtrack.data.pairs import PairSampler
from siamtrack.errors import DatasetError
from siamtrack.training import train
from siamtrack.training.batches import batches, collate
from siamtrack.training.checkpoint import read
from siamtrack.training.loop import copy_of, update_average
from tests.training.manifest import write_manifest
from tests.training.test_resume import TINY

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def sampler(tmp_path_factory):
    pool = Pool(read_manifest(write_manifest(tmp_path_factory.mktemp("data"))))
    return PairSampler(pool, TINY.pairs, 3)


def drawn(sampler, count=3, **how):
    source = batches(sampler, 2, 1, **how)
    found = list(islice(source, count))
    source.close()
    return found


def test_threads_processes_and_the_caller_draw_the_same(sampler):
    expected = drawn(sampler, loaders=0)
    for how in ({"loaders": 2}, {"loaders": 2, "processes": True}):
        for one, other in zip(drawn(sampler, **how), expected, strict=True):
            for a, b in zip(one[:5], other[:5], strict=True):
                assert a.dtype == b.dtype
                assert torch.equal(a, b), how


def test_pictures_travel_as_bytes_and_arrive_as_numbers(sampler):
    pairs = [sampler.draw(index) for index in range(2)]
    batch = collate(pairs)
    assert batch.template.dtype == batch.search.dtype == torch.uint8
    for device in ("cpu", "cpu:0"):
        there = batch.to(device)
        assert {part.dtype for part in there[:5]} == {torch.float32}
        assert there.search.is_contiguous(memory_format=torch.channels_last)
        found = there.search.permute(0, 2, 3, 1).numpy()
        np.testing.assert_array_equal(found, np.stack([pair.search for pair in pairs]))


def test_a_run_with_processes_ends_with_the_same_weights(sampler, tmp_path):
    config = replace(TINY, steps=3)
    one, other = (
        read(train(each, sampler, tmp_path / each.loading))["model"]
        for each in (config, replace(config, loaders=1, loading="processes"))
    )
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_what_goes_wrong_in_a_process_is_said(tmp_path):
    entries = read_manifest(write_manifest(tmp_path / "data"))
    lost = [
        replace(entry, image=str(tmp_path / f"gone{index}.png"))
        for index, entry in enumerate(entries)
    ]
    with pytest.raises(DatasetError, match="cannot be read"):
        drawn(PairSampler(Pool(lost), TINY.pairs), loaders=1, processes=True)


def test_the_average_moves_every_tensor_and_takes_counts_as_they_are():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 1), torch.nn.BatchNorm2d(3))
    average = copy_of(model)
    before = {name: value.clone() for name, value in average.items()}
    live = model.state_dict()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    model(torch.randn(4, 2, 5, 5))
    update_average(average, live, 0.9)
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            assert torch.equal(average[name], before[name].lerp(value, 1 - 0.9)), name
            assert not torch.equal(average[name], before[name]), name
        else:
            assert average[name] == value == 1
