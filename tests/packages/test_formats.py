import sys

import numpy as np
import onnxruntime
import pytest
import torch

import siamtrack
from siamtrack.cli import main
from siamtrack.errors import MissingExtraError, UnknownNameError, WeightsError
from siamtrack.packages.card import load_model, model_files, read_card
from siamtrack.runtimes.openvino import import_openvino
from siamtrack.training.checkpoint import export
from tests.networks import KINDS, OUTPUTS, answers, inputs, write_checkpoint

pytestmark = pytest.mark.needs("torch")


def run(*arguments):
    """Run the command and return its exit code."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


@pytest.mark.parametrize(
    ("kind", "batch"),
    [
        ("foreign", None),
        ("foreign", 3),
        pytest.param("box", None, marks=pytest.mark.slow),
        pytest.param("box", 3, marks=pytest.mark.slow),
        pytest.param("siamfc", None, marks=pytest.mark.slow),
    ],
)
def test_programs_give_what_onnx_runtime_gives(kind, batch, tmp_path):
    checkpoint = write_checkpoint(tmp_path / "a.pt", kind)
    card = export(checkpoint, tmp_path / "m", formats=["pt2"], batch=batch)
    assert model_files(card)[2:] == ["template.pt2", "search.pt2"]
    template, search = (
        torch.export.load(tmp_path / "m" / f"{which}.pt2").module()  # written a moment ago
        for which in ("template", "search")
    )
    model = load_model(tmp_path / "m", threads=1)
    for count in (1, 3) if batch is None else (3,):
        truth = answers(model, count)
        first, size, second = (torch.from_numpy(part) for part in inputs(card, count))
        kernel = template(first, size) if kind == "box" else template(first)
        found = search(torch.from_numpy(truth["kernel"]), second)
        parts = found if isinstance(found, tuple) else (found,)
        names = OUTPUTS if kind == "box" else ("score", "features")
        for name, value in zip(("kernel", *names), (kernel, *parts), strict=True):
            scale = np.abs(truth[name]).max()
            np.testing.assert_allclose(value.detach(), truth[name], atol=1e-4 * scale)


@pytest.mark.needs("openvino")
def test_ir_keeps_all_digits_and_any_batch(tmp_path):
    openvino = import_openvino()
    export(write_checkpoint(tmp_path / "a.pt", "siamfc"), tmp_path / "m", formats=["openvino"])
    for which in ("template", "search"):
        ir = openvino.Core().read_model(tmp_path / "m" / f"{which}.xml")
        assert all(item.partial_shape[0].is_dynamic for item in ir.inputs)
        kinds = {o.element_type.get_type_name() for node in ir.get_ops() for o in node.outputs()}
        assert "f32" in kinds
        assert "f16" not in kinds


@pytest.mark.parametrize("kind", KINDS)
def test_onnx_of_one_batch_size(kind, tmp_path):
    export(write_checkpoint(tmp_path / "a.pt", kind), tmp_path / "m", batch=3)
    for which in ("template", "search"):
        session = onnxruntime.InferenceSession(tmp_path / "m" / f"{which}.onnx")
        assert {item.shape[0] for item in [*session.get_inputs(), *session.get_outputs()]} == {3}
    with pytest.raises(ValueError, match="batch 0: expected a number from 1"):
        export(tmp_path / "a.pt", tmp_path / "n", batch=0)


@pytest.mark.needs("openvino")
def test_formats_of_a_packaged_model(tmp_path, capsys):
    out = tmp_path / "mine"
    assert run("export", "lite", out, "--format", "openvino") == 0
    assert "template.xml, template.bin" in capsys.readouterr().out
    card, packaged = read_card(out), read_card(siamtrack.packages.card.model_folder("lite"))
    assert card.name == "mine"
    assert card.tracker == packaged.tracker
    assert set(model_files(card)) | {"card.json"} == {path.name for path in out.iterdir()}
    assert run("export", "lite", out) == 2
    assert "holds a model" in capsys.readouterr().err
    assert run("export", out, tmp_path / "copy") == 0
    copy = read_card(tmp_path / "copy")
    assert (copy.sha256, copy.license) == (card.sha256, packaged.license)
    assert run("export", out, tmp_path / "copy", "--license", "MIT", "--overwrite") == 0
    assert read_card(tmp_path / "copy").license == "MIT"
    for arguments, message in (
        (("lite", tmp_path / "b", "--format", "torch"), "is made from the network"),
        (("lite", tmp_path / "b", "--format", "openvin"), "unknown export format 'openvin'"),
        (("lite", tmp_path / "c", "--batch", 2), "are made already; give the checkpoint"),
        (("litte", tmp_path / "d"), "did you mean 'lite'"),
        ((tmp_path / "none.pt", tmp_path / "e"), "does not exist"),
    ):
        assert run("export", *arguments) == 2
        assert message in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"mine", "copy"}


def test_nothing_is_written_before_all_formats_are_known_to_work(tmp_path, monkeypatch):
    checkpoint = write_checkpoint(tmp_path / "a.pt", "foreign")
    with pytest.raises(UnknownNameError, match="Known: openvino, pt2, torch"):
        export(checkpoint, tmp_path / "m", formats=["torch", "tensorrt"])
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r"siamtrack\[openvino\]"):
        export(checkpoint, tmp_path / "m", formats=["openvino"])
    assert not (tmp_path / "m").exists()


@pytest.mark.needs("openvino")
def test_altered_file_of_a_format(tmp_path):
    export(write_checkpoint(tmp_path / "a.pt", "foreign"), tmp_path / "m", formats=["openvino"])
    path = tmp_path / "m" / "search.xml"
    path.write_text(path.read_text().replace("search", "serach"))
    load_model(tmp_path / "m", threads=1)
    with pytest.raises(WeightsError, match=r"search\.xml has sha256 .* altered"):
        load_model(tmp_path / "m", runtime="openvino")
    path.unlink()
    with pytest.raises(WeightsError, match=r"search\.xml cannot be read"):
        load_model(tmp_path / "m", runtime="openvino")
