"""Two hosts on one machine: network namespaces of Linux, joined by a pair of virtual interfaces.

A process of one reaches the other by its address and nothing else, not even this machine. Files are
shared, as on a cluster with a shared file system. Making namespaces takes root.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
INTERFACE = "veth0"


@dataclass
class Host:
    """One of the two.

    Attributes:
        name: Of its namespace.
        address: By which the other reaches it.
        logs: Folder for what its processes say.
    """

    name: str
    address: str
    logs: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *words: object, **variables: object) -> subprocess.Popen[bytes]:
        """Start a command there; what it says goes to a file of `logs`."""
        path = os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
        more = {name: str(value) for name, value in variables.items()}
        environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"} | more
        command = ["ip", "netns", "exec", self.name, *map(str, words)]
        with self._log(len(self.started)).open("wb") as log:
            child = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        self.started.append(child)
        return child

    def python(self, *words: object, **variables: object) -> subprocess.Popen[bytes]:
        """Start this Python there."""
        return self.start(sys.executable, *words, **variables)

    def finish(self, child: subprocess.Popen[bytes], seconds: float = 120) -> None:
        """Wait for a command of this host, which must succeed."""
        try:
            code: int | str = child.wait(seconds)
        except subprocess.TimeoutExpired:
            code = f"nothing after {seconds} s"
        assert code == 0, f"{child.args} ended with {code}:\n{self.said(child)}"

    def said(self, child: subprocess.Popen[bytes]) -> str:
        """Return the end of what a command said."""
        return self._log(self.started.index(child)).read_text(errors="replace")[-4000:]

    def processes(self) -> list[int]:
        """Return the numbers of all processes there, daemons included."""
        found = subprocess.run(
            ["ip", "netns", "pids", self.name], capture_output=True, text=True, check=True
        )
        return [int(word) for word in found.stdout.split()]

    def titles(self) -> list[str]:
        """Return what the processes there call themselves."""
        names = []
        for number in self.processes():
            with suppress(OSError):
                text = Path(f"/proc/{number}/cmdline").read_bytes()
                names.append(text.decode(errors="replace").replace("\0", " "))
        return names

    def kill(self) -> None:
        """Kill every process there at once, as a power cut does."""
        while numbers := self.processes():
            for number in numbers:
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            for child in self.started:
                child.poll()  # takes note of the dead, which would stay in the list
            time.sleep(0.02)

    def link(self, state: str) -> None:
        """Put its network `up` or `down`; down, nothing that ends there tells the other host."""
        _ip("-n", self.name, "link", "set", INTERFACE, state)
        if state == "up":  # programs ask which of their addresses leads to the world
            _ip("-n", self.name, "route", "replace", "default", "dev", INTERFACE)

    def _log(self, number: int) -> Path:
        return self.logs / f"{self.name}-{number}.log"


@contextmanager
def two_hosts(logs: Path) -> Iterator[tuple[Host, Host]]:
    """Give two hosts, and take them and all of their processes away afterwards.

    Skips the test where this is not Linux, not root, or without iproute2; mark it `root`.
    """
    if not sys.platform.startswith("linux") or shutil.which("ip") is None:
        pytest.skip("network namespaces need Linux and the command `ip` (iproute2)")
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    logs.mkdir(parents=True, exist_ok=True)
    names = [f"siamtrack-{os.getpid()}-{letter}" for letter in "ab"]
    hosts = [Host(name, f"10.77.0.{k}", logs) for k, name in enumerate(names, 1)]
    try:
        for name in names:
            made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False)
            if made.returncode:
                pytest.skip(f"no network namespaces here: {made.stderr.decode().strip()}")
        ends = [part for name in names for part in ("netns", name)]
        _ip("link", "add", INTERFACE, *ends[:2], "type", "veth", "peer", INTERFACE, *ends[2:])
        for host in hosts:
            _ip("-n", host.name, "link", "set", "lo", "up")
            _ip("-n", host.name, "address", "add", f"{host.address}/24", "dev", INTERFACE)
            host.link("up")
        yield hosts[0], hosts[1]
    finally:
        for host in hosts:
            if Path("/run/netns", host.name).exists():
                host.kill()
                _ip("netns", "delete", host.name)
            for child in host.started:
                child.wait(30)


def wait_until(condition: Callable[[], object], seconds: float = 90, why: str = "") -> None:
    """Wait until a function returns something true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {why or condition}"
        time.sleep(0.02)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
