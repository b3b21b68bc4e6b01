"""`siamtrack serve`: track for annotation tools that people work in already."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import UseAppendAction, arg, subcommand

from siamtrack.cli.options import ModelName, PrecisionName, RuntimeName
from siamtrack.errors import MissingExtraError, SiamtrackError
from siamtrack.packages.card import DEFAULT, load_model, model_folder
from siamtrack.runtimes import AUTO

NOTHING_PENDING = "no request is left; the agent has ended"


@dataclass(frozen=True)
class Cvat:
    """Run an agent that follows shapes for the annotators of a CVAT server.

    The access token of CVAT is read from the environment variable CVAT_ACCESS_TOKEN, or from a
    profile that `cvat-cli profile` has saved. docs/cvat.md shows the way from here to the button
    in CVAT.
    """

    server: str | None = None
    """Address of the CVAT server; by default, that of the saved profile, or http://localhost."""
    create: str | None = None
    """Register a new function under this name, then serve it."""
    function: int | None = None
    """Number of a function that is registered already."""
    organization: str | None = None
    """Short name of the organization in CVAT."""
    public: bool = False
    """With --create: let everyone on the server use the function."""
    burst: bool = False
    """End when no request is left, instead of waiting for more."""
    model: ModelName = DEFAULT
    runtime: RuntimeName = AUTO
    precision: PrecisionName = "auto"
    threads: int = 0
    """Threads of the network; 0 lets the engine choose."""
    redetect: bool = False
    """Search more of the frame while a shape is lost."""
    keep_lost: bool = False
    """Show a lost shape where it was last seen; by default its track ends."""

    def run(self) -> None:
        """Register the function if asked to, and serve it until interrupted."""
        if (self.create is None) == (self.function is None):
            raise ValueError(
                "give --create NAME to register a function and serve it, or --function NUMBER to "
                "serve one that is registered"
            )
        try:
            there = importlib.util.find_spec("cvat_cli") is not None
        except ValueError:  # something else calls itself so
            there = False
        if not there:
            raise MissingExtraError("serve cvat", "cvat-cli", "cvat")
        model_folder(self.model)  # a wrong name is refused before CVAT is asked for anything
        number = self.function
        if self.create is not None:
            visibility = "public" if self.public else "private"
            words = ["create-native", self.create, "--visibility", visibility]
            said = self._cvat(*words, capture=True)
            number = int(said.split()[-1])
            print(f"registered function {number}, {self.create!r}", flush=True)
        burst = ["--burst"] if self.burst else []
        self._cvat("run-agent", str(number), *burst)
        print(f"served function {number}: {NOTHING_PENDING}")

    def _cvat(self, verb: str, first: str, *words: str, capture: bool = False) -> str:
        """Run `cvat-cli function VERB` and return what it printed, if that is captured."""
        order = [sys.executable, "-m", "cvat_cli"]
        order += [] if self.server is None else ["--server-host", self.server]
        order += [] if self.organization is None else ["--organization", self.organization]
        order += ["function", verb, first, *words, "--function-module", "siamtrack.interop.cvat"]
        for name in ("model", "runtime", "precision"):
            order += ["-p", f"{name}=str:{getattr(self, name)}"]
        order += ["-p", f"threads=int:{self.threads}"]
        for name in ("redetect", "keep_lost"):
            order += ["-p", f"{name}=bool:{str(getattr(self, name)).lower()}"]
        done = subprocess.run(order, stdout=subprocess.PIPE if capture else None, text=True)
        if done.returncode:
            raise SiamtrackError(
                f"cvat-cli {verb} ended with code {done.returncode}: its message is above"
            )
        return done.stdout or ""


@dataclass(frozen=True)
class LabelStudio:
    """Run the backend that Label Studio asks to follow rectangles in videos.

    Environment variables: LABEL_STUDIO_API_KEY, an access token of Label Studio for videos that
    were uploaded to it; SIAMTRACK_SERVE_PASSWORD, the password that Label Studio has to give.
    """

    label_studio: str | None = None
    """Address of Label Studio, for videos that were uploaded to it."""
    files: Path | None = None
    """Folder of local files, the LOCAL_FILES_DOCUMENT_ROOT of Label Studio."""
    allow_host: UseAppendAction[tuple[str, ...]] = ()
    """Further host, or host:port, from which videos may be downloaded. Repeat for more."""
    max_download: float = 4.0
    """Largest download in gigabytes."""
    host: str = "127.0.0.1"
    """Address to listen on; others than this machine's need a password."""
    port: int = 9090
    """Port to listen on; 0 takes a free one."""
    user: str = "siamtrack"
    """User name that goes with the password."""
    frames: int | None = None
    """Frames to follow after the last key frame; by default, to the end of the video."""
    seconds: float = 80.0
    """Time for one request; what was tracked by then is returned. Label Studio waits for 100."""
    model: ModelName = DEFAULT
    runtime: RuntimeName = AUTO
    precision: PrecisionName = "auto"
    threads: int = 0
    """Threads of the network; 0 lets the engine choose."""
    redetect: bool = False
    """Search more of the frame while a target is lost."""

    def run(self) -> None:
        """Serve until interrupted."""
        from siamtrack.interop.label_studio import Limits
        from siamtrack.interop.label_studio_server import Backend, BackendServer, Media

        if self.files is not None and not self.files.is_dir():
            raise ValueError(f"--files {self.files}: expected a folder")
        if not self.max_download > 0 or not self.seconds > 0 or (self.frames or 1) < 1:
            raise ValueError("--max-download, --seconds and --frames: expected numbers above 0")
        if self.label_studio is not None and "://" not in self.label_studio:
            raise ValueError(
                f"--label-studio {self.label_studio}: expected an address such as "
                "http://localhost:8080"
            )
        model = load_model(
            self.model, runtime=self.runtime, threads=self.threads, precision=self.precision
        )
        media = Media(
            self.files,
            self.label_studio,
            os.environ.get("LABEL_STUDIO_API_KEY", ""),
            self.allow_host,
            int(self.max_download * 1e9),
        )
        limits = Limits(self.frames, self.seconds)
        backend = Backend(model, media, limits, redetect=self.redetect)
        password = os.environ.get("SIAMTRACK_SERVE_PASSWORD", "")
        try:
            with BackendServer(
                backend, self.host, self.port, user=self.user, password=password
            ) as server:
                print(f"Label Studio can connect to {server.address}; Ctrl-C ends", flush=True)
                server.serve_forever()
        finally:
            media.close()


@dataclass(frozen=True)
class Serve:
    """Track for the annotators of CVAT or Label Studio."""

    verb: Annotated[
        Annotated[Cvat, subcommand("cvat", prefix_name=False), arg(name="")]
        | Annotated[LabelStudio, subcommand("label-studio", prefix_name=False), arg(name="")],
        arg(name=""),
    ]

    def run(self) -> None:
        """Run the verb."""
        self.verb.run()
