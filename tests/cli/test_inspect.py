import json

import pytest

from siamtrack.cli import main
from siamtrack.models.analysis import ROUNDING

pytestmark = pytest.mark.needs("torch")


def run(*arguments):
    """Run the command and return its exit code."""
    with pytest.raises(SystemExit) as stop:
        main(["inspect", *map(str, arguments)])
    return stop.value.code


def test_table_and_flags(capsys):
    assert run("ciresnet16", "--width", 0.125, "--repeats", 1) == 0
    head, row, *flags = capsys.readouterr().out.splitlines()
    assert len(head) == len(row)
    assert row.split()[:5] == ["ciresnet16", "8", "64", "61", "48%"]
    assert "ms" in row
    assert len(flags) == 1
    assert flags[0].startswith("ciresnet16: receptive field 61 px is 48% of the template: ")


def test_json_of_all(capsys):
    assert run("all", "--width", 0.125, "--repeats", 0, "--json") == 0
    found = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert found["ciresnet22"]["shift_error"] < ROUNDING
    assert found["mobilenetv2"]["shift_error"] > 1000 * ROUNDING
    assert found["cirmobile"]["flags"] == []
    assert found["ciresnet22"]["latency_ms"] is None


def test_your_own_file(tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text("import torch\nnet = torch.nn.Conv2d(3, 4, 5, stride=4)\n")
    assert run(f"{file}:net", "--repeats", 0) == 0
    out = capsys.readouterr().out
    assert "receptive field 5 px is 4% of the template" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ciresnet2"], "did you mean 'ciresnet22'?"),
        (["ciresnet22", "--template", "300"], "template <= search"),
        (["ciresnet22", "--width", "0"], "width 0.0: expected a number above 0"),
        (["absent.py:net"], "cannot import"),
    ],
)
def test_bad_input(arguments, message, capsys):
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
