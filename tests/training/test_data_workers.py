"""Workers of a data loader whose training was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

TRAINING = """
import os, time
from torch.utils.data import DataLoader
from sectome.training import end_with_training

class Numbers(list):
    def __getitem__(self, number):
        return os.getpid()

if __name__ == "__main__":
    loader = DataLoader(
        Numbers(range(4)), num_workers=2, multiprocessing_context="forkserver", worker_init_fn=end_with_training
    )
    batches = iter(loader)
    print(*{int(next(batches)) for _ in range(3)}, flush=True)
    time.sleep(600)
"""


def is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_they_end_when_the_training_is_killed(tmp_path):
    (tmp_path / "training.py").write_text(TRAINING)
    with subprocess.Popen([sys.executable, str(tmp_path / "training.py")], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        workers = [int(word) for word in run.stdout.readline().split()]
        assert len(workers) == 2
        assert all(map(is_there, workers))
        run.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 60
        while any(map(is_there, workers)) and time.monotonic() < deadline:
            time.sleep(0.1)
        left = [worker for worker in workers if is_there(worker)]
        for worker in left:
            os.kill(worker, signal.SIGKILL)
    assert not left
