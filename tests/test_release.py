"""The release script refuses what is not ready; the workflows call what exists."""

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOOL = runpy.run_path(str(ROOT / "tools" / "release.py"))
NotReadyError = TOOL["NotReadyError"]
LOG = "# Changelog\n\n## [Unreleased]\n{left}\n## [0.1.0]{date}\n{text}\n"


@pytest.fixture
def project(tmp_path):
    """A small repository with the files that are looked at."""
    for name in TOOL["PLACES"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "CHANGELOG.md").write_text(
        LOG.format(left="", date=" - 2026-11-24", text="- Something.")
    )
    commit(tmp_path)
    return tmp_path


def commit(folder):
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "a"]):
        subprocess.run([*git, *words], check=True)


def version():
    return re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]


def test_the_versions_of_this_tree_agree():
    TOOL["check_versions"](ROOT, version())


@pytest.mark.parametrize("name", list(TOOL["PLACES"]))
def test_a_file_with_another_version_is_named(project, name):
    file = project / name
    file.write_text(file.read_text().replace(version(), "7.7.7", 1))
    with pytest.raises(NotReadyError, match=f"{name} has version .*: write {version()} there"):
        TOOL["check_versions"](project, version())


@pytest.mark.parametrize("given", ["1.0", "v1.0.0", "1.0.0-beta", "newest"])
def test_a_version_that_is_none(project, given):
    with pytest.raises(NotReadyError, match="expected three numbers"):
        TOOL["check_versions"](project, given)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"date": "", "text": "- A."}, "expected .0.1.0. - YYYY-MM-DD"),
        ({"date": " - 2026-11-24", "text": ""}, "says nothing of 0.1.0"),
        ({"date": " - 2026-11-24", "text": "- A.", "left": "- B.\n"}, "entries under Unreleased"),
    ],
)
def test_a_changelog_that_is_not_ready(project, parts, message):
    (project / "CHANGELOG.md").write_text(LOG.format(**{"left": "", **parts}))
    with pytest.raises(NotReadyError, match=message):
        TOOL["changes"](project, "0.1.0")
    with pytest.raises(NotReadyError, match=r"no section 0\.2\.0"):
        TOOL["changes"](project, "0.2.0")


def test_anything_uncommitted_and_a_taken_tag_are_refused(project):
    TOOL["check_tree"](project, "v0.1.0")
    (project / "new.txt").touch()
    with pytest.raises(NotReadyError, match=r"1 files are not committed, such as new\.txt"):
        TOOL["check_tree"](project, "v0.1.0")
    commit(project)
    subprocess.run(["git", "-C", str(project), "tag", "v0.1.0"], check=True)
    with pytest.raises(NotReadyError, match="exists: raise the version"):
        TOOL["check_tree"](project, "v0.1.0")


def test_failing_tests_end_it_before_anything_is_built(project):
    with pytest.raises(NotReadyError, match="the tests failed: false"):
        TOOL["release"](project, "0.1.0", "false", dry=False)
    assert not (project / "dist").exists()


@pytest.mark.slow
def test_archives_are_the_same_twice(tmp_path):
    """Of what is committed here; the second from another folder, with another umask and clock."""
    out = tmp_path / "dist"
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "build.py"), "--out", str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("built twice alike") == 2
    sums = dict(line.split()[::-1] for line in (out / "SHA256SUMS").read_text().splitlines())
    build = runpy.run_path(str(ROOT / "tools" / "build.py"))
    assert sums == {f.name: build["sha256"](f) for f in out.iterdir() if f.name != "SHA256SUMS"}


@pytest.mark.slow
def test_a_release_from_end_to_end(tmp_path):
    copy = tmp_path / "copy"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(copy)], check=True)
    log = (copy / "CHANGELOG.md").read_text()
    section = f"## [Unreleased]\n\n## [{version()}] - 2026-11-24"
    (copy / "CHANGELOG.md").write_text(log.replace("## [Unreleased]", section, 1))
    commit(copy)
    done = subprocess.run(
        [sys.executable, "tools/release.py", version(), "--tests", f"{sys.executable} -c pass"],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
        env={
            "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@example.org",
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        },
    )
    assert done.returncode == 0, done.stderr
    assert f"publish it with: git push origin v{version()}" in done.stdout
    message = subprocess.run(
        ["git", "-C", str(copy), "tag", "--list", "--format=%(contents)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "### Added" in message
    assert len(re.findall(r"^[0-9a-f]{64}  siamtrack-", message, re.MULTILINE)) == 2


def test_least_versions_are_those_that_are_tried():
    text = (ROOT / "pyproject.toml").read_text()
    oldest = (ROOT / "constraints-oldest.txt").read_text()
    wanted = dict(re.findall(r'^  "([a-z-]+)>=([\d.]+)",$', text.split("[project.opt")[0], re.M))
    tried = dict(re.findall(r"^([a-z-]+)==([\d.]+)$", oldest, re.M))
    assert tried.keys() == wanted.keys()
    for name, least in wanted.items():
        assert (tried[name] + ".").startswith(least + "."), name


@pytest.mark.needs("yaml")
def test_workflows_call_targets_and_pinned_actions_that_exist():
    import yaml

    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    files = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    assert {file.stem for file in files} == {"nightly", "release", "test"}
    for file in files:
        for job in yaml.safe_load(file.read_text())["jobs"].values():
            for step in job["steps"]:
                if "uses" in step:
                    assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+\.\d+\.\d+", step["uses"]), step
                for command in re.findall(r"^make (.+)$", step.get("run", ""), re.MULTILINE):
                    words = [w for w in command.split() if "=" not in w and "$" not in w]
                    assert set(words) - {"{{", "}}", "matrix.target"} <= targets | {"docs"}, command
