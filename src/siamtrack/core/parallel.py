"""Run jobs in this process, in several, or on Ray; nothing left behind survives its parent."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any, TypeVar, cast

import cv2

from siamtrack.core.tracks import Tracker, TrackerFactory
from siamtrack.errors import MissingExtraError, SiamtrackError, WorkerDiedError

Job = TypeVar("Job")
Done = TypeVar("Done")
Work = Callable[[Tracker, Job], Done]


@dataclass(frozen=True)
class RayCluster:
    """Jobs on Ray: one machine, or a cluster of them (https://www.ray.io, Apache-2.0).

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


Workers = int | RayCluster
"""A number of processes, or a cluster."""


def is_factory(tracker: Tracker | TrackerFactory) -> bool:
    """Return whether this makes trackers rather than being one."""
    return isinstance(tracker, type) or not (
        hasattr(tracker, "init") and hasattr(tracker, "update")
    )


def run_jobs(
    work: Work[Job, Done],
    tracker: Tracker | TrackerFactory,
    jobs: Sequence[Job],
    workers: Workers,
    cost: Callable[[Job], float] | None = None,
) -> Iterator[tuple[int, Done]]:
    """Yield the index and the result of each job as they are finished.

    Args:
        work: Does one job with a tracker; a module's function if there are several processes.
        tracker: A tracker, or a picklable function or class that makes one.
        jobs: Plain data, so that they can go to another process or another machine.
        workers: Number of processes, of which 1 stays in this one; or a cluster.
        cost: How long a job takes, in any unit. Several processes take the longest first, so that
            none works on a long one when all others have finished.

    Raises:
        WorkerDiedError: If a process ends before its job is done.
        ValueError: If `workers` is below 1, or above 1 with a tracker object.
    """
    makes = is_factory(tracker)
    alone = workers == 1
    if (isinstance(workers, int) and workers < 1) or not (alone or makes):
        raise ValueError(
            f"workers {workers}: expected at least 1, and above 1 a class or function that makes "
            "trackers, because a tracker object cannot be shared between processes"
        )
    if not jobs:
        return
    # In this process, one job after the other.
    if alone:
        instance = cast(TrackerFactory, tracker)() if makes else cast(Tracker, tracker)
        for index, job in enumerate(jobs):
            yield index, work(instance, job)
        return
    # Elsewhere, the longest jobs first: on Ray, or in a pool that ends with its parent.
    factory = cast(TrackerFactory, tracker)
    order = sorted(range(len(jobs)), key=lambda index: -cost(jobs[index]) if cost else 0.0)
    if isinstance(workers, RayCluster):
        yield from workers.run(_do, [(index, (work, factory, jobs[index])) for index in order])
        return
    pool = ProcessPoolExecutor(
        min(workers, len(jobs)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_end_with_parent,
    )
    try:
        futures = {pool.submit(_do, work, factory, jobs[index]): index for index in order}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool as error:
        raise WorkerDiedError(
            "a worker process ended before its sequence was done (killed, out of memory, or the "
            "tracker crashed it): what is finished is kept where results are saved; run the same "
            "command to continue, with fewer workers if memory was short"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _do(work: Work[Job, Done], factory: TrackerFactory, job: Job) -> Done:
    cv2.setNumThreads(1)
    return work(factory(), job)


def _end_with_parent() -> None:
    """End this process when its parent has ended, even by kill -9, instead of waiting for it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent.sentinel,), daemon=True).start()


def _watch(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
