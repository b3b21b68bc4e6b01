"""Every runtime says what ONNX Runtime says, for every kind of model. docs/runtimes.md states the
same tolerances."""

import pytest

from siamtrack.errors import MissingExtraError
from siamtrack.packages.card import load_model
from siamtrack.runtimes import RUNTIMES
from tests.networks import KINDS, answers, assert_alike

pytestmark = pytest.mark.needs("torch")

EXACT, HALF = 1e-4, 0.05
DEVICES = {
    "onnx-cuda": "runs on the CPU",
    "openvino-bf16": "processor with bfloat16",
    "openvino-gpu": "finds no GPU here",
    "torch-cuda": "needs a GPU, and torch .* finds none",
}
QUICK = [name for name in RUNTIMES if name != "torch-compiled"]


def load(folder, name):
    """Load, or skip where the extra is not installed."""
    try:
        return load_model(folder, runtime=name, threads=1)
    except MissingExtraError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", QUICK)
def test_says_what_onnx_runtime_says(folders, name, kind):
    try:
        model = load(folders[kind], name)
    except ValueError:  # a device that is not here, and nothing else
        with pytest.raises(ValueError, match=DEVICES[name]):
            load(folders[kind], name)
        return
    reference = load_model(folders[kind], runtime="onnx", threads=1)
    for count in (1, 3):
        truth = answers(reference, count)
        found = answers(model, count, truth["kernel"])
        assert_alike(found, truth, HALF if "bf16" in name else EXACT)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["box", "foreign"])  # compiling a CIResNet takes minutes
def test_compiled_says_what_onnx_runtime_says(folders, kind):
    model = load(folders[kind], "torch-compiled")
    reference = load_model(folders[kind], runtime="onnx", threads=1)
    for count in (1, 3):
        truth = answers(reference, count)
        assert_alike(answers(model, count, truth["kernel"]), truth, EXACT)


def test_every_runtime_is_compared():
    assert {
        "onnx",
        "onnx-cuda",
        "openvino",
        "openvino-bf16",
        "openvino-gpu",
        "torch",
        "torch-cuda",
    } <= set(QUICK)


@pytest.mark.parametrize("name", ["openvino"])
def test_default_model(name):
    """The packaged weights, of which nothing is asked but that runtimes agree."""
    model = load("lite", name)
    truth = answers(load_model(threads=1, precision="float32"), 2)
    assert_alike(answers(model, 2, truth["kernel"]), truth, EXACT)
