"""Check that a version is ready, build it and tag it. Nothing is pushed or uploaded from here.

python tools/release.py 0.2.0 [--tests "COMMAND"] [--dry]

In this order, and the first that fails ends it: the version is the same in pyproject.toml,
siamtrack, CITATION.cff and web/; the changelog has a dated section for it that says something, and
nothing is left under Unreleased; everything is committed; the tag is free; the tests pass; both
archives are built twice with the same bytes; the wheel works in an empty environment. Then the tag
is made, with the section of the changelog and the hashes as its message. Pushing it starts
.github/workflows/release.yml, which builds again, compares with those hashes, and publishes.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PLACES = {
    "pyproject.toml": r'^version = "(.+)"$',
    "src/siamtrack/__init__.py": r'^__version__ = "(.+)"$',
    "CITATION.cff": r"^version: (.+)$",
    "web/package.json": r'^  "version": "(.+)",$',
    "web/package-lock.json": r'^  "version": "(.+)",$',
}
"""File to the pattern of the version in it."""


class NotReadyError(Exception):
    """A release that lacks something; the message says what to do."""


def check_versions(root: Path, version: str) -> None:
    """Refuse a version that a file does not have."""
    if not re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", version):
        raise NotReadyError(f"version {version!r}: expected three numbers, such as 0.2.0")
    for name, pattern in PLACES.items():
        match = re.search(pattern, (root / name).read_text(encoding="utf-8"), re.MULTILINE)
        if match is None or match[1] != version:
            raise NotReadyError(f"{name} has version {match and match[1]}: write {version} there")


def changes(root: Path, version: str) -> str:
    """Return the section of the changelog; refuse one that is missing, empty or undated."""
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    parts = re.split(r"^## \[(.+?)\](.*)$", text, flags=re.MULTILINE)[1:]
    sections = {parts[i]: (parts[i + 1], parts[i + 2].strip()) for i in range(0, len(parts), 3)}
    if version not in sections:
        raise NotReadyError(
            f"CHANGELOG.md has no section {version}: rename Unreleased to [{version}] - DATE"
        )
    date, section = sections[version]
    if not re.fullmatch(r" - \d{4}-\d\d-\d\d", date.rstrip()):
        raise NotReadyError(f"CHANGELOG.md, {version}: expected [{version}] - YYYY-MM-DD")
    if not section:
        raise NotReadyError(f"CHANGELOG.md says nothing of {version}")
    if sections.get("Unreleased", ("", ""))[1]:
        raise NotReadyError(f"CHANGELOG.md has entries under Unreleased: move them to {version}")
    return section


def check_tree(root: Path, tag: str) -> None:
    """Refuse a tree with anything uncommitted, and a tag that exists."""
    if changed := git(root, "status", "--porcelain").splitlines():
        raise NotReadyError(f"{len(changed)} files are not committed, such as {changed[0][3:]}")
    if git(root, "tag", "--list", tag):
        raise NotReadyError(f"the tag {tag} exists: raise the version")


def git(root: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def step(root: Path, words: list[str], failure: str) -> None:
    if subprocess.run(words, cwd=root, check=False).returncode:
        raise NotReadyError(failure)


def release(root: Path, version: str, tests: str, dry: bool) -> str:
    """Do everything up to the tag, and return what to do next."""
    tag = f"v{version}"
    check_versions(root, version)
    section = changes(root, version)
    check_tree(root, tag)
    step(root, shlex.split(tests), f"the tests failed: {tests}")
    python, out = sys.executable, root / "dist" / version
    step(root, [python, "tools/build.py", "--out", str(out)], "the build is not reproducible")
    (wheel,) = out.glob("*.whl")
    here = f"python{sys.version_info.major}.{sys.version_info.minor}"
    step(root, [python, "tools/check_wheel.py", str(wheel), "--python", here], "the wheel fails")
    check_tree(root, tag)  # tests and builds leave nothing behind
    if dry:
        return f"{tag} is ready; it was not tagged"
    sums = (out / "SHA256SUMS").read_text()
    git(root, "tag", "--annotate", tag, "--cleanup=verbatim", "-m", f"{tag}\n\n{section}\n\n{sums}")
    return f"{tag} is tagged; publish it with: git push origin {tag}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("version")
    parser.add_argument("--tests", default="make test-all", help="command that must end with 0")
    parser.add_argument("--dry", action="store_true", help="check and build, but do not tag")
    given = parser.parse_args()
    try:
        print(release(ROOT, given.version.removeprefix("v"), given.tests, given.dry))
    except NotReadyError as reason:
        sys.exit(f"not ready: {reason}")


if __name__ == "__main__":
    main()
