"""Jobs on Ray: one machine, or a cluster of them (https://www.ray.io, Apache-2.0)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from siamtrack.errors import MissingExtraError, SiamtrackError


@dataclass(frozen=True)
class RayCluster:
    """Where jobs run.

    Workers need this package, the data and the folder of results under the same paths, as on a
    shared file system.

    Args:
        address: `local` starts Ray on this machine; `auto` finds the cluster that this machine is
            part of; otherwise `HOST:PORT` or `ray://HOST:PORT`.
        retries: How often a job is run again whose worker or machine died.
        cpus: Processors that one job takes; give as many threads to the tracker.
    """

    address: str = "local"
    retries: int = 3
    cpus: float = 1

    def run(
        self, work: Callable[..., Any], jobs: Sequence[tuple[int, tuple[Any, ...]]]
    ) -> Iterator[tuple[int, Any]]:
        """Yield the number and the result of each job as they are finished.

        Args:
            work: Called with a job's arguments, in another process.
            jobs: Number and arguments of each; they are started in this order.

        Raises:
            MissingExtraError: If Ray is not installed.
            SiamtrackError: If there is no cluster at the address.
        """
        try:
            import ray
        except ImportError as error:
            raise MissingExtraError("--ray", "ray", "ray") from error
        begun = not ray.is_initialized()
        if begun:
            address = None if self.address == "local" else self.address
            more: dict[str, Any] = {} if address else {"include_dashboard": False}
            try:
                ray.init(address=address or "local", log_to_driver=False, **more)
            except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
                reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
                raise SiamtrackError(
                    f"no Ray cluster at {self.address!r} ({reason}): start one with `ray start "
                    "--head`, give all of its machines and this one the same RAY_AUTH_TOKEN and "
                    "RAY_AUTH_MODE, or give --ray local"
                ) from error
        remote = ray.remote(num_cpus=self.cpus, max_retries=self.retries)(work)
        try:
            waiting = {remote.remote(*arguments): number for number, arguments in jobs}
            while waiting:
                [done], _ = ray.wait(list(waiting), num_returns=1)
                number = waiting.pop(done)
                try:
                    result = ray.get(done)
                except ray.exceptions.RayTaskError as error:
                    raise error.cause from error
                yield number, result
        finally:
            if begun:
                ray.shutdown()
