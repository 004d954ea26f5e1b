"""Runs on several GPUs: joining the processes that torchrun started, and sums over them."""

from __future__ import annotations

import os
from datetime import timedelta

import ignite.distributed as idist
import torch
import torch.distributed as dist
from torch import Tensor

from sectome.checks import InputError


def join_processes(config: str = "configs/multi_gpu_train.json", longest_wait_hours: float | None = None) -> None:
    """Join the other processes of a run: by NCCL with one GPU each, by gloo on CPUs.

    Args:
        config: config that needs several processes, named in the error message.
        longest_wait_hours: longest wait for another process; None is torch's default.

    Raises:
        InputError: if torchrun did not start this process, or there are fewer GPUs than processes.
    """
    if "LOCAL_RANK" not in os.environ:
        raise InputError(
            f"{config} must be started as several processes, got one; write torchrun --nproc_per_node=N instead of "
            "python"
        )
    gpus, rank = torch.cuda.device_count(), int(os.environ["LOCAL_RANK"])
    if gpus:
        if rank >= gpus:
            raise InputError(
                f"each process must have a GPU of its own, got {gpus} GPUs and process {rank} (counted from 0)"
            )
        torch.cuda.set_device(rank)
    wait = None if longest_wait_hours is None else timedelta(hours=longest_wait_hours)
    dist.init_process_group("nccl" if gpus else "gloo", timeout=wait)


def sum_over_processes(values: Tensor) -> Tensor:
    """Sum a tensor over the processes of a run, so that `DistributedDataParallel` computes the gradient of the sum.

    By these sums, a loss that is not a mean over samples, such as one that balances classes over a batch, equals that
    of one process with the batches of all. Without gradients, as in a validation whose crops are shared out, each
    process keeps its own values, because it may have fewer batches than the others.
    """
    processes = idist.get_world_size()
    if processes == 1 or not torch.is_grad_enabled():
        return values
    total = idist.all_reduce(values.detach().clone())
    # The second term is 0 and carries the gradients of this process, which are averaged over processes afterwards.
    return total + processes * (values - values.detach())
