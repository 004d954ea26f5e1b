"""One run on several GPUs: joining the processes that torchrun started, and sums over all of them."""

from __future__ import annotations

import os
from datetime import timedelta

import ignite.distributed as idist
import torch
import torch.distributed as dist
from torch import Tensor

from sectome.checks import InputError


def join_processes(config: str = "configs/multi_gpu_train.json", longest_wait_hours: float | None = None) -> None:
    """Join the other processes of a run: by NCCL with a GPU each, by gloo on the CPU.

    Args:
        config: what the run needs several processes for, to name it to the user.
        longest_wait_hours: how long a process waits for another; torch's own time if it is None.

    Raises:
        InputError: if torchrun did not start this process, or there are fewer GPUs than processes.
    """
    if "LOCAL_RANK" not in os.environ:
        raise InputError(
            f"{config} must be started as several processes, got one; write torchrun --nproc_per_node=N in the place "
            "of python"
        )
    gpus, rank = torch.cuda.device_count(), int(os.environ["LOCAL_RANK"])
    if gpus:
        if rank >= gpus:
            raise InputError(f"each process needs a GPU of its own, got {gpus} GPUs and process {rank} (from 0 on)")
        torch.cuda.set_device(rank)
    wait = None if longest_wait_hours is None else timedelta(hours=longest_wait_hours)
    dist.init_process_group("nccl" if gpus else "gloo", timeout=wait)


def sum_over_processes(values: Tensor) -> Tensor:
    """Sum a tensor over the processes of a run; `DistributedDataParallel` then computes the gradient of the sum.

    A loss that is no mean over samples, as one that balances classes over a batch, is by these sums that of one process
    with the batches of all. Where no gradient is computed, as in a validation whose crops are shared out, each process
    keeps its own values: it may have fewer batches than the others.
    """
    processes = idist.get_world_size()
    if processes == 1 or not torch.is_grad_enabled():
        return values
    total = idist.all_reduce(values.detach().clone())
    # The second term is 0. Gradients of a process come from its own values, and are averaged over processes afterwards.
    return total + processes * (values - values.detach())
