"""An evaluation shared out over several processes batch by batch, whose results are those of one process."""

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
"""How long a process waits for another, which may predict a volume many times as large."""


class SharedBatches(Sampler[int]):
    """Numbers of the samples of every so-manyth batch: the batches of one process, each in one of several.

    A data loader that makes batches of as many samples makes the very ones that one process has. With a batch size of
    1, whole volumes are shared out.

    Args:
        dataset: the samples.
        batch_size: samples a batch; the last batch may have fewer.
        process: which of the processes this is, from 0 on.
        processes: how many there are.

    Raises:
        InputError: if there are fewer batches than processes.
    """

    def __init__(self, dataset: Sized, batch_size: int, process: int, processes: int) -> None:
        batches = -(-len(dataset) // batch_size)
        check_at_least(batches, processes, "the number of batches (of volumes or crops; one a process)")
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
    """Return what all processes made of their shared batches, in the order in which one process makes it.

    One result after the other is sent to the first process, which alone has them all at once.

    Args:
        mine: this process's results, one a batch of `SharedBatches`; anything that can be pickled.

    Returns:
        The results in the first process, nothing in the others.
    """
    processes, process = idist.get_world_size(), idist.get_rank()
    if processes == 1:
        return list(mine)
    # By gloo whatever the processes are joined by: what is gathered lies in the CPU's memory.
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
