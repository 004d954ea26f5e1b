"""Where blocks are worked on: this machine, a running Dask cluster, or jobs of a batch system."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from distributed import Client, LocalCluster

from sectome.checks import InputError, check_installed, check_whole_number
from sectome.cores import cores

_HERE = ("local", "threads")
BATCH_SYSTEMS = {"slurm": "SLURMCluster", "pbs": "PBSCluster", "lsf": "LSFCluster"}

CONNECT_SECONDS = 10


@contextmanager
def connected(scheduler: str, workers: int | None = None, job: Mapping[str, Any] | None = None) -> Iterator[Client]:
    """Give a client of the workers; those that were started for it end with it.

    Args:
        scheduler: "local" (a process for each worker), "threads" (one process), the address of a running scheduler as
            in tcp://host:8786, or the path of its scheduler file; "slurm", "pbs" or "lsf" submits a job a worker.
        workers: how many, for a batch system of jobs; see `workers_of`.
        job: of a batch system: what its cluster in dask-jobqueue takes (queue, cores, memory, walltime and others).

    Raises:
        InputError: if there is no scheduler at the address within seconds, a name is not known, or dask-jobqueue is
            missing or refuses the job.
    """
    check_cluster(scheduler, workers, job)
    with ExitStack() as stack:
        count = workers_of(scheduler, workers)
        if scheduler in _HERE:
            cluster: Any = LocalCluster(
                n_workers=1 if scheduler == "threads" else count,
                threads_per_worker=count if scheduler == "threads" else 1,
                processes=scheduler == "local",
                # Memory is what blocks take, not what Dask could spill.
                memory_limit=0,
                # What a block fails with is listed at the end, and not by each worker as well.
                silence_logs=logging.CRITICAL,
                dashboard_address=":0",
            )
            address = stack.enter_context(cluster)
        elif scheduler in BATCH_SYSTEMS:
            address = stack.enter_context(_batch_cluster(scheduler, job or {}))
            address.scale(jobs=count)
        elif "://" in scheduler:
            address = scheduler
        else:
            address = _address_in(Path(scheduler))
        try:
            client = Client(address, timeout=CONNECT_SECONDS)
        except (OSError, ValueError) as error:
            raise InputError(
                f"a Dask scheduler was expected at {scheduler}, got no answer in {CONNECT_SECONDS} s: {error}"
            ) from None
        yield stack.enter_context(client)


def workers_of(scheduler: str, workers: int | None = None) -> int:
    """Return how many workers there are to be: as many as is said, or one a core of this machine, or one elsewhere."""
    return workers or (cores() if scheduler in _HERE else 1)


def check_cluster(scheduler: str, workers: int | None = None, job: Mapping[str, Any] | None = None) -> None:
    """Check what `connected` takes, without starting or asking anything.

    Raises:
        InputError: if the scheduler is not known, there is no whole number of workers, or the job has no batch system.
    """
    if workers is not None:
        check_whole_number(workers, 1, "workers")
    named = scheduler in (*_HERE, *BATCH_SYSTEMS)
    if not named and "://" not in scheduler and not os.path.isfile(scheduler):
        raise InputError(
            f"scheduler must be local, threads, {', '.join(BATCH_SYSTEMS)}, an address as tcp://host:8786 or a "
            f"scheduler file, got {scheduler!r}"
        )
    if job and scheduler not in BATCH_SYSTEMS:
        raise InputError(f"job is for {', '.join(BATCH_SYSTEMS)}, got it with the scheduler {scheduler}")


def _address_in(path: Path) -> str:
    """Return the address that a scheduler has written to its file."""
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"a scheduler file with the address of a Dask scheduler was expected at {path}") from None


def _batch_cluster(scheduler: str, job: Mapping[str, Any]) -> Any:
    """Return a cluster of dask-jobqueue, which has submitted nothing yet."""
    check_installed("dask-jobqueue", f"the scheduler {scheduler}", "cluster")
    import dask_jobqueue

    try:
        return getattr(dask_jobqueue, BATCH_SYSTEMS[scheduler])(**job)
    except (TypeError, ValueError) as error:
        raise InputError(f"job must be what dask_jobqueue.{BATCH_SYSTEMS[scheduler]} takes, got: {error}") from None
