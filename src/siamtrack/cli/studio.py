"""`siamtrack studio`: the page on which people draw, track, correct and export."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction, arg

from siamtrack.cli.options import RuntimeName
from siamtrack.errors import MissingExtraError
from siamtrack.packages.card import model_names
from siamtrack.runtimes import AUTO

MOST_GIGABYTES = 1_000_000


@dataclass(frozen=True)
class Studio:
    """Open a page in the browser to draw boxes, track, correct and export."""

    source: Positional[tuple[Path, ...]] = ()
    """Video files, folders of videos or folders of images; without any, upload on the page."""
    projects: Path = Path("~/.local/share/siamtrack/studio")
    """Folder where projects and uploads are kept."""
    model: UseAppendAction[tuple[str, ...]] = ()
    """Model to offer: a name, or a folder written by `siamtrack export`. Repeat to compare."""
    host: str = "127.0.0.1"
    """Address to listen on; pages are served only with the token in the printed address."""
    port: int | None = None
    """Port; by default 8765, or a free one if that is taken."""
    allow_host: UseAppendAction[tuple[str, ...]] = ()
    """Further host name under which the page may be opened, such as that of a proxy."""
    camera: Annotated[
        UseAppendAction[tuple[str, ...]],
        arg(
            help="Camera of this machine that pages may use: a number, or the address of a stream "
            "such as rtsp://10.0.0.7/yard. The default is number 0. Repeat for more."
        ),
    ] = ()
    max_upload: float = 8.0
    """Largest upload in gigabytes."""
    runtime: RuntimeName = AUTO
    threads: int = 0
    """Threads of the network; 0 lets the engine choose."""
    no_browser: bool = False
    """Print the address without opening the page."""

    def run(self) -> None:
        """Serve until interrupted."""
        try:
            from siamtrack.studio.serve import serve
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] not in ("starlette", "uvicorn"):
                raise
            raise MissingExtraError("the studio", error.name or "", "studio") from error
        if not 0 < self.max_upload <= MOST_GIGABYTES:
            raise ValueError(
                f"max-upload {self.max_upload}: expected gigabytes above 0, up to {MOST_GIGABYTES}"
            )
        if self.port is not None and not 0 <= self.port < 1 << 16:
            raise ValueError(f"port {self.port}: expected a number from 0 (any free one) to 65535")
        for name in self.camera:
            if not (name.isdecimal() or "://" in name):
                raise ValueError(f"camera {name!r}: expected a number or the address of a stream")
        serve(
            self.source,
            self.projects.expanduser(),
            list(self.model) or model_names(),
            host=self.host,
            port=self.port,
            names=self.allow_host,
            upload=int(self.max_upload * 1e9),
            runtime=self.runtime,
            threads=self.threads,
            browser=not self.no_browser,
            cameras=[int(name) if name.isdecimal() else name for name in self.camera or ("0",)],
        )
