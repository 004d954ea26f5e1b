"""Workers of a data loader end with their training, however that ends."""

from __future__ import annotations

import multiprocessing
import os
import threading


def end_with_training(number: int) -> None:
    """Let this worker end when the process that started it is gone; a `worker_init_fn` of torch's data loader.

    By itself it waits for ever if that was killed: torch looks whether a worker's parent lives, which is the fork
    server here, and that lives as long as its workers.

    Args:
        number: of the worker.
    """
    training = multiprocessing.parent_process()
    if training is not None:
        threading.Thread(target=_follow, args=(training,), daemon=True).start()


def _follow(training: multiprocessing.process.BaseProcess) -> None:
    training.join()
    os._exit(1)
