"""What a speed depends on: processor, system, versions, and what else runs."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from siamtrack.runtimes.engines import cores as usable_cores

FLAGS: tuple[str, ...] = (
    *("avx", "avx2", "fma", "avx512f", "avx512bw", "avx512_bf16", "avx512_vnni", "avx_vnni"),
    *("amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm", "bf16", "sve"),
)
"""Instructions that decide how fast float and integer networks are."""


@dataclass(frozen=True)
class Machine:
    """Where something was measured; empty where something is not known.

    Attributes:
        cores: Logical processors; `usable` are those that this process may use.
        caches: Level and kind to size, such as {"L2 unified": "1024K"}.
        flags: Those of `FLAGS` that it has.
        versions: Of Python and of the packages that do the work.
        commit: Of the checkout that siamtrack runs from.
        load: Average number of running threads over the last minute, before the start.
    """

    processor: str
    cores: int
    usable: int
    caches: dict[str, str]
    flags: tuple[str, ...]
    system: str
    versions: dict[str, str]
    commit: str
    load: float | None

    @property
    def busy(self) -> bool:
        """Whether others kept more than a quarter of the cores occupied."""
        return self.load is not None and self.load > 0.25 * self.cores


def this_machine() -> Machine:
    """Describe the machine."""
    info = _cpu_info()
    known = set(info.get("flags", info.get("Features", "")).split())
    return Machine(
        processor=info.get("model name") or platform.processor() or platform.machine(),
        cores=os.cpu_count() or 1,
        usable=usable_cores(),
        caches=_caches(Path("/sys/devices/system/cpu/cpu0/cache")),
        flags=tuple(flag for flag in FLAGS if flag in known),
        system=platform.platform(),
        versions=_versions(),
        commit=_commit(),
        load=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    )


def _cpu_info() -> dict[str, str]:
    """Return what Linux says about the first processor."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _caches(folder: Path) -> dict[str, str]:
    found = {}
    for place in sorted(folder.glob("index*")):
        try:
            level, kind, size = (
                (place / name).read_text(encoding="utf-8").strip()
                for name in ("level", "type", "size")
            )
        except OSError:
            continue
        found[f"L{level} {kind.lower()}"] = size
    return found


def _versions() -> dict[str, str]:
    import cv2
    import numpy as np
    import onnxruntime

    import siamtrack

    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": f"{cv2.__version__}{_contrib()}",
        "onnxruntime": onnxruntime.__version__,
        "siamtrack": siamtrack.__version__,
    }


def _contrib() -> str:
    """Return which of OpenCV's four packages is installed, where it is not the usual one."""
    names = {name.lower() for dist in metadata.distributions() if (name := dist.metadata["Name"])}
    return " (contrib)" if any(name.startswith("opencv-contrib") for name in names) else ""


def _commit() -> str:
    root = Path(__file__).parents[3]
    if not (root / ".git").exists():
        return ""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:  # no git
        return ""
    return done.stdout.strip()
