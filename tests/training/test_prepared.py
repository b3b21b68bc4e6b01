"""Pairs prepared ahead: the order of uses, the same features, whole runs, resume, bad configs."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from siamtrack.data.manifest import Pool, read_manifest
from siamtrack.data.pairs import PairConfig, PairSampler
from siamtrack.errors import WeightsError
from siamtrack.models.network import BoxTrackerConfig, SiamFCConfig
from siamtrack.packages.card import load_model
from siamtrack.tracking.tracker import SiamTracker
from siamtrack.training import TrainConfig, Watch, checkpoint, train
from siamtrack.training.batches import batches, uses
from siamtrack.training.checkpoint import export
from siamtrack.training.distributed import Ranks
from siamtrack.training.speed import Preparation
from siamtrack.training.teacher import TrackingTeacher
from tests.helpers import clip
from tests.training.manifest import write_manifest

MODEL = BoxTrackerConfig(
    template=65, search=129, head_width=16, head_depth=1, head="region", folded=True
)
CONFIG = TrainConfig(
    model=MODEL,
    companion=replace(MODEL, head_width=8),
    steps=10,
    batch=2,
    imagenet=False,
    pairs=PairConfig(template=65, search=129, area=2.0, tails=0.3, reshaped=0.5),
    unfreeze=((0.0, 6),),
    prepare=4,
    repeats=2,
    sides=0.5,
    save_every=0.0,
    loaders=2,
)


@pytest.fixture
def pool(tmp_path):
    return Pool(read_manifest(write_manifest(tmp_path / "data")))


def test_pictures_are_prepared_where_every_stage_trains(pool, tmp_path):
    """SiamFC taught by a teacher: its maps are learned, and pictures are what pictures were."""
    teacher = str(write_teacher(tmp_path / "teacher"))
    model = SiamFCConfig(backbone="ciresnet16", width=0.125, template=65, search=129)
    config = replace(
        CONFIG,
        model=model,
        companion=None,
        unfreeze=((0.0, 99),),
        norms="train",
        teacher=teacher,
        steps=2,
        sides=0.0,
    )
    ahead = Preparation(config.network(), 0, None, 1)(sampler(pool, config).draw(0))
    pair = sampler(pool, config).draw(0)
    for array, picture in zip(ahead.arrays, (pair.template, pair.search), strict=True):
        np.testing.assert_array_equal(array.transpose(1, 2, 0), picture)
    path = train(config, sampler(pool, config), tmp_path / "run", watch=Watch(every=1))
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert {"loss", "hit", "taught", "taught_map"} <= set(json.loads(lines[-1]))
    assert checkpoint.read(path)["step"] == 2


def sampler(pool, config=CONFIG):
    return PairSampler(pool, config.pairs, seed=config.seed)


def write_teacher(folder: Path, channels: int = 96) -> Path:
    """Write a center-based network with random weights, of the names and shapes of a real one."""
    folder.mkdir()
    rng = np.random.default_rng(0)

    def conv(name, inputs, outputs, stride, source, target):
        weights = rng.normal(0, 0.1, (outputs, inputs, stride, stride)).astype(np.float32)
        constant = helper.make_tensor(name, TensorProto.FLOAT, weights.shape, weights.ravel())
        node = helper.make_node(
            "Conv", [source, name], [target], kernel_shape=[stride] * 2, strides=[stride] * 2
        )
        return node, constant

    def value(name, *shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    def save(name, nodes, constants, inputs, outputs):
        graph = helper.make_graph(nodes, name, inputs, outputs, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 9
        onnx.save(model, str(folder / f"{name}.onnx"))

    node, constant = conv("w", 3, channels, 16, "template", "template_features")
    save(
        "template",
        [node],
        [constant],
        [value("template", 1, 3, 64, 64)],
        [value("template_features", 1, channels, 4, 4)],
    )
    parts = [conv("v", 3, channels, 16, "search", "xf")]
    pool = helper.make_node("GlobalAveragePool", ["template_features"], ["mean"])
    both = helper.make_node("Add", ["xf", "mean"], ["both"])
    for name, outputs in (("score", 1), ("size", 2), ("offset", 2)):
        parts.append(conv(f"{name}_w", channels, outputs, 1, "both", f"{name}_raw"))
    ends = [
        helper.make_node("Sigmoid", [f"{name}_raw"], [f"{name}_map"])
        for name in ("score", "size", "offset")
    ]
    nodes = [parts[0][0], pool, both, *(part[0] for part in parts[1:]), *ends]
    save(
        "search",
        nodes,
        [part[1] for part in parts],
        [value("search", 1, 3, 128, 128), value("template_features", 1, channels, 4, 4)],
        [
            value("score_map", 1, 1, 8, 8),
            value("size_map", 1, 2, 8, 8),
            value("offset_map", 1, 2, 8, 8),
        ],
    )
    return folder


def test_each_pair_is_used_as_often_as_asked_and_first_in_order():
    order = uses(2, 5, 3, seed=1)
    assert order[:5] == [10, 11, 12, 13, 14]
    assert sorted(order) == sorted([10, 11, 12, 13, 14] * 3)
    assert order == uses(2, 5, 3, seed=1) != uses(2, 5, 3, seed=2)


def test_what_is_prepared_is_what_the_frozen_stages_compute(pool):
    network = CONFIG.network().eval()
    stages = list(network.backbone.stages())
    prepare = Preparation(network, len(stages) - 6, None, 1)
    source = batches(sampler(pool), 2, 0, 1, prepare=prepare, repeats=2, block=4, seed=0)
    given = next(source)
    source.close()
    pairs = [sampler(pool).draw(index) for index in (0, 1)]
    images = torch.from_numpy(np.stack([pair.search for pair in pairs])).permute(0, 3, 1, 2)
    with torch.no_grad():
        expected = network.normalise(images.float())
        for stage in stages[:-6]:
            expected = stage(expected)
    # kept in half precision, and computed in bfloat16 where the processor has it
    scale = float(expected.abs().max())
    torch.testing.assert_close(given.search, expected, rtol=0.0, atol=0.05 * scale)
    assert [int(p.present) for p in pairs] == given.present.int().tolist()
    np.testing.assert_allclose(given.boxes.numpy(), [p.box for p in pairs], rtol=1e-5)


def test_the_same_pairs_however_many_loaders(pool):
    network = CONFIG.network().eval()
    found = []
    for loaders in (1, 3):
        prepare = Preparation(network, 6, None, loaders)
        source = batches(sampler(pool), 2, 1, loaders, prepare=prepare, repeats=2, block=4, seed=3)
        found.append([next(source).boxes for _ in range(7)])
        source.close()
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


@pytest.mark.parametrize("repeats", [1, 2])
def test_the_parts_of_all_processes_are_the_batch(pool, repeats):
    prepare = Preparation(CONFIG.network().eval(), 6, None, 1)
    found = []
    for ranks in (Ranks(), Ranks(0, 2), Ranks(1, 2)):
        source = batches(
            sampler(pool), 2, 0, 1, ranks, prepare=prepare, repeats=repeats, block=4, seed=3
        )
        found.append([next(source) for _ in range(5)])
        source.close()
    for whole, one, two in zip(*found, strict=True):
        assert whole.stages == one.stages == 6
        torch.testing.assert_close(torch.cat([one.search, two.search]), whole.search)
        assert torch.equal(torch.cat([one.boxes, two.boxes]), whole.boxes)


def test_prepared_pairs_are_drawn_again_for_pictures(pool, tmp_path):
    config = replace(CONFIG, steps=2, companion=None)
    train(config, sampler(pool), tmp_path, watch=Watch(pictures=2))
    assert (tmp_path / "pictures" / "step_000002.png").exists()


def test_a_run_with_a_teacher_and_a_companion_tracks_and_resumes(pool, tmp_path):
    config = replace(CONFIG, teacher=str(write_teacher(tmp_path / "teacher")))
    whole = train(config, sampler(pool), tmp_path / "whole")
    metrics = (tmp_path / "whole" / "metrics.jsonl").read_text()
    assert all(f'"{name}"' in metrics for name in ("center", "iou_1", "taught"))
    # broken off in the middle of a block, and gone on with
    half = replace(config, steps=3)
    train(half, sampler(pool), tmp_path / "half")
    state = checkpoint.read(tmp_path / "half" / "checkpoint.pt")
    assert state["step"] == 3
    for companion, width in ((False, 16), (True, 8)):
        out = tmp_path / f"model{width}"
        card = export(whole, out, companion=companion)
        assert card.tracker.area == 2.0
        tracker = SiamTracker(load_model(out))
        frames, boxes = clip(3)
        tracker.init(frames[0], boxes[0])
        assert np.isfinite(tracker.update(frames[1]).box).all()


def test_resumed_in_the_middle_of_a_block(pool, tmp_path):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole = checkpoint.read(train(CONFIG, sampler(pool), tmp_path / "whole"))

        class Stops(PairSampler):
            def draw(self, index):
                if index >= 10:
                    raise KeyboardInterrupt
                return super().draw(index)

        with pytest.raises(KeyboardInterrupt):
            train(CONFIG, Stops(pool, CONFIG.pairs, CONFIG.seed), tmp_path / "part")
        before = checkpoint.read(tmp_path / "part" / "checkpoint.pt")["step"]
        assert 0 < before < CONFIG.steps
        path = train(CONFIG, sampler(pool), tmp_path / "part", resume=True)
    finally:
        torch.set_num_threads(threads)
    resumed = checkpoint.read(path)
    for name, value in whole["model"].items():
        assert torch.equal(value, resumed["model"][name]), name


def test_a_folder_that_is_no_teacher(tmp_path):
    with pytest.raises(WeightsError, match=r"template\.onnx.*search\.onnx: no such file"):
        TrackingTeacher(tmp_path, 1)
    folder = write_teacher(tmp_path / "teacher")
    (folder / "search.onnx").write_bytes((folder / "template.onnx").read_bytes())
    with pytest.raises(WeightsError, match="is no teacher"):
        TrackingTeacher(folder, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prepare": 5}, "multiple of batch 2"),
        ({"unfreeze": ((0.0, 2), (0.5, 6))}, "one entry in unfreeze"),
        ({"prepare": 0}, "repeats 2"),
        ({"repeats": 0}, "repeats"),
    ],
)
def test_settings_that_cannot_be(change, message):
    with pytest.raises(ValueError, match=message):
        replace(CONFIG, **change)
