"""What the documentation of version 0.1 names is still there, and says where it has gone.

`documented_paths.txt` holds the import paths of commit 55f372b: all that README, docs, examples and
hubconf.py named, and the members that the reference listed, one `module` or `module:name` a line.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from siamtrack._moved import MODULES, NAMES, new_place

pytestmark = pytest.mark.needs("torch", "starlette", "optuna")

PATHS = Path(__file__).with_name("documented_paths.txt").read_text(encoding="utf-8").split()

CHILD = """
import importlib, json, sys, warnings
from siamtrack._moved import _Moved

found = {}
for path in json.load(sys.stdin):
    for name in [name for name, module in sys.modules.items() if isinstance(module, _Moved)]:
        parent, _, last = name.rpartition(".")
        old = sys.modules.pop(name)
        if vars(sys.modules.get(parent, sys)).get(last) is old:
            delattr(sys.modules[parent], last)
        if "__hidden__" in vars(old):
            setattr(sys.modules[parent], last, vars(old)["__hidden__"])
    module, _, name = path.partition(":")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            thing = importlib.import_module(module)
            for part in name.split(".") if name else [n for n in dir(thing) if n[0] != "_"][:1]:
                thing = getattr(thing, part)
            error = ""
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
    said = [str(each.message) for each in caught if each.category is DeprecationWarning]
    found[path] = error, [each for each in said if each.startswith("siamtrack.")]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found():
    """Each path's error, if any, and its warnings."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        input=json.dumps(PATHS),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_documented_path_imports(found):
    assert {path: error for path, (error, _) in found.items() if error} == {}


def test_what_has_moved_says_so_once(found):
    wrong = {}
    for path, (_, said) in found.items():
        module, _, name = path.partition(":")
        moved = name != "" and new_place(module) is not None
        left = f"{module.removeprefix('siamtrack.')}.{name}" in NAMES
        if not int(moved) <= len(said) <= int(moved or left):
            wrong[path] = said
    assert wrong == {}


def test_nothing_is_kept_that_no_page_named():
    assert {f"siamtrack.{old}" for old in MODULES} <= {path.partition(":")[0] for path in PATHS}
    named = {"siamtrack." + ":".join(old.rsplit(".", 1)) for old in NAMES}
    assert named <= set(PATHS)


def test_warnings_point_at_the_line_that_imports():
    code = "import warnings; warnings.simplefilter('always'); from siamtrack.boxes import iou"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == (
        "<string>:1: DeprecationWarning: siamtrack.boxes is now siamtrack.core.boxes; "
        "the old name goes with version 0.3\n"
    )


def test_old_and_new_path_give_one_object():
    from siamtrack.packages.card import load_model as here

    with pytest.warns(DeprecationWarning, match=r"siamtrack\.weights is now"):
        from siamtrack.weights import load_model as there

    assert there is here


def test_a_name_that_never_was_is_not_found():
    with pytest.raises(ImportError, match="cannot import name 'union'"):
        from siamtrack.boxes import union  # noqa: F401
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'siamtrack\.formats\.jax'"):
        import siamtrack.formats.jax  # noqa: F401


def test_an_old_module_hides_no_function_of_its_name():
    code = """
import warnings; warnings.simplefilter("ignore")
import siamtrack.evaluation
from siamtrack.evaluation.evaluate import evaluate
assert siamtrack.evaluation.evaluate is evaluate
"""
    subprocess.run([sys.executable, "-c", code], check=True)
