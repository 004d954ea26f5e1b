"""Data loader workers that end with their training, however it ends."""

from __future__ import annotations

import multiprocessing
import os
import threading


def end_with_training(number: int) -> None:
    """End this worker when the training process is gone; a `worker_init_fn` for torch's data loader.

    Without it, a worker outlives a training that was killed: torch checks only the worker's parent, which is the fork
    server here and lives as long as its workers.

    Args:
        number: number of the worker.
    """
    training = multiprocessing.parent_process()
    if training is not None:
        threading.Thread(target=_follow, args=(training,), daemon=True).start()


def _follow(training: multiprocessing.process.BaseProcess) -> None:
    training.join()
    os._exit(1)
