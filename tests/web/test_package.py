"""What must hold of web/ without Node: versions, pins, the policy of the page, one truth."""

import json
import re
import runpy
from pathlib import Path

import pytest

import siamtrack
from siamtrack.packages.card import model_folder, read_card

WEB = Path(__file__).parents[2] / "web"
PACKAGE = json.loads((WEB / "package.json").read_text())
LOCK = json.loads((WEB / "package-lock.json").read_text())
SOURCES = sorted(
    path
    for folder in ("src", "page")
    for path in (WEB / folder).iterdir()
    if path.suffix in (".ts", ".html", ".css")
)


def test_the_version_is_that_of_the_python_package():
    assert PACKAGE["version"] == LOCK["version"] == siamtrack.__version__


def test_versions_are_pinned_and_locked_with_their_hashes():
    wanted = PACKAGE["devDependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    for name, version in wanted.items():
        locked = LOCK["packages"][f"node_modules/{name}"]
        assert locked["version"] == version
    packages = {name: each for name, each in LOCK["packages"].items() if name}
    assert all(each["integrity"].startswith("sha512-") for each in packages.values())
    assert not any("resolved" in each for each in packages.values())


def test_no_package_that_is_locked_is_under_the_gpl():
    licenses = {each.get("license") for name, each in LOCK["packages"].items() if name}
    assert licenses <= {"MIT", "ISC", "Apache-2.0", "BSD-3-Clause", "0BSD"}


def test_constants_are_those_of_the_python_package():
    found = runpy.run_path(str(WEB / "constants.py"))["constants"]()
    card = read_card(model_folder("lite"))
    lite = found["models"]["lite"]
    assert found["version"] == siamtrack.__version__
    assert lite["tracker"]["presence"]["hold"] == card.tracker.presence.hold
    assert lite["files"]["search"]["sha256"] == card.sha256["search"]
    assert all(model["kind"] == "box" for model in found["models"].values())


def test_the_policy_of_the_page_lets_nothing_else_in():
    html = (WEB / "page" / "index.html").read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)[1]
    rules = dict(each.strip().split(" ", 1) for each in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert "unsafe-inline" not in policy
    assert not re.search(r"https?:|\*", policy)
    assert not re.search(r"\son\w+=|\sstyle=|<style|<script>", html)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_source_names_another_origin(path):
    found = re.findall(r"https?://[^\s\"'`)]+", path.read_text())
    assert not [url for url in found if not url.startswith("http://www.w3.org/")]
