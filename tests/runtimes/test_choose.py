import os
import subprocess
import sys

import pytest

import siamtrack
from siamtrack.cli import main
from siamtrack.errors import UnknownNameError
from siamtrack.evaluation import open_tracker
from siamtrack.runtimes import RUNTIMES, choose_runtime, runtime_names
from siamtrack.runtimes.engines import cores
from siamtrack.runtimes.onnx import OnnxRuntime
from siamtrack.runtimes.openvino import OpenVinoRuntime
from tests.helpers import clip, write_video

ENGINES = ["onnx", pytest.param("openvino", marks=pytest.mark.needs("openvino"))]


def run_python(code, **more):
    quiet = ("CI", "ORT_DISABLE_TELEMETRY")  # which siamtrack or the machine may have set
    environment = {name: value for name, value in os.environ.items() if name not in quiet} | more
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )


def test_auto_is_onnx():
    assert runtime_names() == ["auto", *RUNTIMES]
    assert choose_runtime() == choose_runtime("onnx") == "onnx"
    assert isinstance(siamtrack.load(threads=1).model.runtime, OnnxRuntime)


def test_unknown_runtime():
    with pytest.raises(UnknownNameError, match=r"'openvin': did you mean 'openvino'\? Known: auto"):
        siamtrack.load(runtime="openvin")


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("openvino", "openvino", "openvino"),
        ("openvino-bf16", "openvino", "openvino"),
        ("torch", "torch", "train"),
        pytest.param("torch-compiled", "safetensors", "train", marks=pytest.mark.needs("torch")),
    ],
)
def test_runtime_that_is_not_installed(name, package, extra):
    code = f"""
import sys
sys.modules[{package!r}] = None  # importing it raises ModuleNotFoundError
import siamtrack
try:
    siamtrack.load(runtime={name!r})
except siamtrack.errors.MissingExtraError as error:
    print(error)
"""
    done = run_python(code)
    assert f"needs the package '{package}', which is not installed" in done.stdout, done.stderr
    assert f"pip install 'siamtrack[{extra}]'" in done.stdout


@pytest.mark.needs("openvino")
def test_other_runtimes_import_no_torch():
    code = """
import sys, siamtrack
for name in ("onnx", "openvino"):
    siamtrack.load(runtime=name, threads=1)
print("torch" in sys.modules)
"""
    done = run_python(code)
    assert done.stdout == "False\n", done.stderr


@pytest.mark.parametrize("name", ENGINES)
def test_nothing_is_reported_to_anybody(name, tmp_path):
    """Left to themselves, both engines leave an id in the home folder and send events."""
    code = f"""
import sys, siamtrack
siamtrack.load(runtime={name!r}, threads=1)
print(sorted(name for name in sys.modules if name.startswith("openvino_telemetry")))
"""
    done = run_python(code, HOME=str(tmp_path), LOCALAPPDATA=str(tmp_path))
    assert done.stdout == "[]\n", done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("threads", [-1, 1.5, True, "2"])
def test_threads_that_are_none(threads):
    with pytest.raises(ValueError, match=r"threads .*: expected a whole number"):
        siamtrack.load(threads=threads)


def test_more_threads_than_cores_are_warned_of(caplog):
    siamtrack.load(threads=cores())
    assert not caplog.records
    siamtrack.load(threads=cores() + 1)
    assert f"{cores() + 1} threads, but this process may use {cores()} core(s)" in caplog.text


@pytest.mark.needs("openvino")
def test_evaluation_and_studio_take_a_runtime():
    from siamtrack.studio.library import Models

    made = open_tracker("mine=lite", runtime="openvino", threads=1)[1]().model.runtime
    assert isinstance(made, OpenVinoRuntime)
    assert isinstance(Models(["lite"], 1, "openvino")("lite").runtime, OpenVinoRuntime)


@pytest.mark.needs("openvino")
def test_command_takes_a_runtime(tmp_path, capsys):
    video = write_video(tmp_path / "a.mp4", clip(3)[0])
    common = ["track", str(video), "--box", "60", "70", "40", "40", "--json", "--quiet"]
    common += ["--precision", "float32"]
    tracks = {}
    for name in ("auto", "openvino"):
        with pytest.raises(SystemExit) as stop:
            main([*common, "--runtime", name, "--threads", "1"])
        assert stop.value.code == 0
        out, err = capsys.readouterr()
        tracks[name] = [[float(v) for v in line.split(",")[:6]] for line in out.splitlines()[1:]]
        assert f'"runtime": "{choose_runtime(name)}", "precision": "float32"' in err
    assert len(tracks["auto"]) == 3
    for one, other in zip(*tracks.values(), strict=True):
        assert one == pytest.approx(other, abs=0.05)
    with pytest.raises(SystemExit) as stop:
        main([*common, "--runtime", "openvin"])
    assert stop.value.code == 2
    assert "did you mean 'openvino'" in capsys.readouterr().err
