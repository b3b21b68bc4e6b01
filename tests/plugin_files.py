"""Packages with entry points, as pip leaves them, and the one of docs/plug-ins.md."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def installed(place: Path, name: str, entries: str, **modules: str) -> Path:
    """Write modules and the metadata of a package into a folder for `sys.path`."""
    metadata = place / f"{name.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(entries)
    for module, text in modules.items():
        (place / f"{module}.py").write_text(text)
    return place


def documented(place: Path) -> Path:
    """Write the package of docs/plug-ins.md into a folder."""
    page = (ROOT / "docs" / "plug-ins.md").read_text()
    files = re.findall(r"^```\w+\n# ([\w./]+\.\w+)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    for name, text in files:
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (place / "track_by_match" / "__init__.py").touch()
    return place
