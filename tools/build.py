"""Build the wheel and the source distribution twice, and accept them only if every byte is equal.

python tools/build.py [--out dist]

What is committed is built, in two folders of other names, at other times, under another umask; the
second wheel is built from the first source distribution. Dates in the archives are that of the
commit. hatchling writes its version into the wheel: constraints.txt pins it.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def commit_time(root: Path) -> str:
    shown = subprocess.run(
        ["git", "-C", str(root), "log", "-1", "--format=%ct"],
        capture_output=True,
        text=True,
        check=True,
    )
    return shown.stdout.strip()


def checkout(root: Path, folder: Path) -> Path:
    """Write what is committed into a folder."""
    archive = subprocess.run(
        ["git", "-C", str(root), "archive", "HEAD"], capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="tar")
    return folder


def hatch(source: Path, out: Path, target: str, epoch: str, **more: str) -> Path:
    """Build one target and return the file."""
    before = set(out.iterdir()) if out.is_dir() else set()
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(out)],
        cwd=source,
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "SOURCE_DATE_EPOCH": epoch, **more},
    )
    if done.returncode:
        sys.exit(f"{target}: hatchling failed\n{done.stderr}")
    (made,) = set(out.iterdir()) - before
    return made


def build(root: Path, out: Path) -> list[Path]:
    """Build both, twice.

    Raises:
        SystemExit: If the second time gave other bytes; the message names the file.
    """
    epoch = commit_time(root)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        first = checkout(root, work / "first")
        made = [hatch(first, work / "a", target, epoch) for target in ("sdist", "wheel")]
        mask = os.umask(0o077)
        try:
            second = checkout(root, work / "another" / "place")
            again = [hatch(second, work / "b", "sdist", epoch, TZ="Asia/Kathmandu")]
            with tarfile.open(again[0]) as archive:
                archive.extractall(work / "unpacked", filter="data")
            (unpacked,) = (work / "unpacked").iterdir()
            again.append(hatch(unpacked, work / "b", "wheel", epoch, TZ="Asia/Kathmandu"))
        finally:
            os.umask(mask)
        for one, other in zip(made, again, strict=True):
            if one.name != other.name or one.read_bytes() != other.read_bytes():
                sys.exit(f"{one.name}: the second build has other bytes; it is not reproducible")
        out.mkdir(parents=True, exist_ok=True)
        kept = [out / file.name for file in made]
        for file, place in zip(made, kept, strict=True):
            place.write_bytes(file.read_bytes())
    sums = "".join(f"{sha256(file)}  {file.name}\n" for file in kept)
    (out / "SHA256SUMS").write_text(sums)
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    given = parser.parse_args()
    for file in build(ROOT, given.out):
        print(f"{sha256(file)}  {file}  {file.stat().st_size / 1e6:.2f} MB, built twice alike")


if __name__ == "__main__":
    main()
