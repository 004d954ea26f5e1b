"""A study that is killed or asked to stop leaves no process behind, and goes on by the same command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE

import pytest
import torch

from sectome.study.schedule import stopping
from study.conftest import STUB
from tiny_networks import BUNDLES

COMMAND = """
import sys
from sectome.study import bundle_command
bundle_command.PYTHON = (sys.executable, "-S", sys.argv.pop(1))
from sectome.cli import main
main()
"""


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait for what happens soon; the limit is that of the test."""
    while not condition():
        time.sleep(0.02)


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def hear_all_signals() -> None:
    """Undo what a shell does to a command in the background, whose interrupts it has ignored."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="processes are looked up in /proc")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130), (signal.SIGTERM, 130)]
)
def test_a_study_ends_with_all_its_processes_and_goes_on_where_it_was(declare, run_stubbed, tmp_path, number, code):
    hold, folder = tmp_path / "hold", tmp_path / "out/scratch"
    path = declare(arms={"scratch": {}}, pretrainings={})
    run_stubbed(path)
    # The second seed is begun anew and held in its training.
    for name in ("state.json", "calls.txt"):
        (folder / "seed_1" / name).unlink()
    hold.touch()
    command = [sys.executable, "-c", COMMAND, STUB, "study", path, "--to", tmp_path / "out", "--bundles", BUNDLES]
    environment = {**os.environ, "STUB_HOLD": str(hold)}
    arguments = [*map(str, command)]
    with subprocess.Popen(arguments, env=environment, stdout=PIPE, stderr=PIPE, preexec_fn=hear_all_signals) as study:
        pid = hold.with_suffix(".pid")
        wait_for(lambda: study.poll() is not None or (pid.is_file() and pid.read_text() != ""))
        assert study.poll() is None, study.communicate()
        training = int(pid.read_text())
        assert is_alive(training)
        second, _, error = run_stubbed(path)
        assert second == 2
        assert "expected a folder that no other study is running in" in error
        study.send_signal(number)
        _, errors = study.communicate()
    assert study.returncode == code
    assert b"Traceback" not in errors
    wait_for(lambda: not is_alive(training))
    hold.unlink()
    _, out, _ = run_stubbed(path)
    assert "2 runs, 1 done already" in out
    calls = [(folder / f"seed_{seed}/calls.txt").read_text().split() for seed in (0, 1)]
    assert calls == [["train", "evaluate"], ["train", "train", "evaluate"]]


def test_a_signal_that_is_ignored_stays_so_and_the_others_are_given_back():
    before = signal.getsignal(signal.SIGTERM)
    hangup = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is before
    finally:
        signal.signal(signal.SIGHUP, hangup)


@pytest.mark.parametrize(
    ("epoch", "early_stopping", "left"),
    [
        (3, {}, ["evaluate"]),
        (2, {"patience": 2, "waited": 2}, ["evaluate"]),
        (2, {"patience": 2, "waited": 1}, ["train", "evaluate"]),
        (2, {"patience": 0, "waited": 0}, ["train", "evaluate"]),
    ],
)
def test_a_training_that_was_stopped_after_its_last_epoch_is_not_begun_again(
    declare, run_stubbed, tmp_path, epoch, early_stopping, left
):
    run_stubbed(declare(), "--only", "scratch")
    folder = tmp_path / "out/scratch/seed_0"
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps({**state, "finished": {}}))
    trainer = {"epoch": epoch, "max_epochs": 3}
    torch.save({"trainer": trainer, "early_stopping": early_stopping}, folder / "checkpoint.pt")
    (folder / "calls.txt").unlink()
    assert run_stubbed(declare(), "--only", "scratch")[0] == 0
    assert (folder / "calls.txt").read_text().split() == left
