"""Where blocks are processed: on this machine, a running Dask cluster, or in jobs of a batch system."""

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
    """Provide a Dask client; workers that were started for it stop with it.

    Args:
        scheduler: "local" (a process per worker), "threads" (one process), the address of a running scheduler such as
            tcp://host:8786, or the path of its scheduler file; "slurm", "pbs" or "lsf" submits a job per worker.
        workers: number of workers, or of batch jobs; see `workers_of`.
        job: for a batch system, arguments of its cluster in dask-jobqueue (queue, cores, memory, walltime and others).

    Raises:
        InputError: if no scheduler answers at the address within `CONNECT_SECONDS`, a name is unknown, or dask-jobqueue
            is missing or refuses the job.
    """
    check_cluster(scheduler, workers, job)
    with ExitStack() as stack:
        count = workers_of(scheduler, workers)
        if scheduler in _HERE:
            cluster: Any = LocalCluster(
                n_workers=1 if scheduler == "threads" else count,
                threads_per_worker=count if scheduler == "threads" else 1,
                processes=scheduler == "local",
                # Memory is used inside blocks, where Dask cannot spill it.
                memory_limit=0,
                # Errors of blocks are listed at the end, so each worker need not log them too.
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
                f"expected a Dask scheduler at {scheduler}, got no answer in {CONNECT_SECONDS} s: {error}"
            ) from None
        yield stack.enter_context(client)


def workers_of(scheduler: str, workers: int | None = None) -> int:
    """Return the number of workers: as given, else one per core on this machine, else 1."""
    return workers or (cores() if scheduler in _HERE else 1)


def check_cluster(scheduler: str, workers: int | None = None, job: Mapping[str, Any] | None = None) -> None:
    """Check the arguments of `connected` without starting or contacting anything.

    Raises:
        InputError: if the scheduler is unknown, `workers` is not a whole number from 1 on, or `job` comes without a
            batch system.
    """
    if workers is not None:
        check_whole_number(workers, 1, "workers")
    named = scheduler in (*_HERE, *BATCH_SYSTEMS)
    if not named and "://" not in scheduler and not os.path.isfile(scheduler):
        raise InputError(
            f"scheduler must be local, threads, {', '.join(BATCH_SYSTEMS)}, an address such as tcp://host:8786 or a "
            f"scheduler file, got {scheduler!r}"
        )
    if job and scheduler not in BATCH_SYSTEMS:
        raise InputError(
            f"job must be given with a batch system ({', '.join(BATCH_SYSTEMS)}) only, got it with the scheduler "
            f"{scheduler}"
        )


def _address_in(path: Path) -> str:
    """Return the address of a scheduler from its scheduler file."""
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"expected a scheduler file with the address of a Dask scheduler at {path}") from None


def _batch_cluster(scheduler: str, job: Mapping[str, Any]) -> Any:
    """Return a dask-jobqueue cluster, which has not submitted any job yet."""
    check_installed("dask-jobqueue", f"the scheduler {scheduler}", "cluster")
    import dask_jobqueue

    try:
        return getattr(dask_jobqueue, BATCH_SYSTEMS[scheduler])(**job)
    except (TypeError, ValueError) as error:
        raise InputError(f"job must hold arguments of dask_jobqueue.{BATCH_SYSTEMS[scheduler]}, got: {error}") from None
