"""An evaluation distributed over processes batch by batch, with the same results as in one process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized
from datetime import timedelta
from typing import TypeVar

import ignite.distributed as idist
import torch.distributed as dist
from torch.utils.data import Sampler

from sectome.checks import check_at_least

Result = TypeVar("Result")

LONGEST_WAIT = timedelta(days=1)
"""Longest wait for another process, which may be predicting a volume many times as large."""


class SharedBatches(Sampler[int]):
    """Sampler that gives every n-th batch to each of n processes.

    A data loader with the same batch size then makes exactly the batches that one process would have. With a batch size
    of 1, whole volumes are distributed.

    Args:
        dataset: all samples.
        batch_size: samples per batch; the last batch may have fewer.
        process: number of this process, from 0.
        processes: number of processes.

    Raises:
        InputError: if there are fewer batches than processes.
    """

    def __init__(self, dataset: Sized, batch_size: int, process: int, processes: int) -> None:
        batches = -(-len(dataset) // batch_size)
        check_at_least(batches, processes, "the number of batches (of volumes or crops; one per process)")
        samples = range(len(dataset))
        self.samples = [
            number
            for batch in range(process, batches, processes)
            for number in samples[batch * batch_size : (batch + 1) * batch_size]
        ]

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[int]:
        return iter(self.samples)


def gather_batches(mine: Sequence[Result]) -> list[Result]:
    """Gather the results of all processes' `SharedBatches`, in the order of a single process.

    Results are sent one by one to the first process, the only one that ever holds them all.

    Args:
        mine: results of this process, one per batch of `SharedBatches`; anything that can be pickled.

    Returns:
        All results in the first process, an empty list in the others.
    """
    processes, process = idist.get_world_size(), idist.get_rank()
    if processes == 1:
        return list(mine)
    # Always by gloo, because the results lie in CPU memory.
    group = dist.new_group(backend="gloo", timeout=LONGEST_WAIT)
    counts = [0] * processes
    dist.all_gather_object(counts, len(mine), group=group)
    if process:
        for result in mine:
            dist.send_object_list([result], dst=0, group=group)
        return []
    return [_receive(mine, number, processes, group) for number in range(sum(counts))]


def _receive(mine: Sequence[Result], number: int, processes: int, group: dist.ProcessGroup) -> Result:
    place, owner = divmod(number, processes)
    if owner == 0:
        return mine[place]
    box: list[Result | None] = [None]
    dist.recv_object_list(box, src=owner, group=group)
    (result,) = box
    return result  # type: ignore[return-value]
