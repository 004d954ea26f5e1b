"""Training that cannot go on says why, what is kept and what to change."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents

from sectome.checks import InputError
from sectome.training import Failures, memory_advice

MESSAGE = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8.00 GiB of which 512 MiB is free."
)


def losing(losses, error=None):
    """An engine whose losses are given, with its handlers' events; it counts the steps that reach the weights."""
    steps = []

    def step(engine, batch):
        engine.state.output = {"loss": torch.tensor(losses[batch])}
        engine.fire_event(IterationEvents.LOSS_COMPLETED)
        if error is not None:
            raise error
        steps.append(batch)
        return engine.state.output

    engine = Engine(step)
    engine.register_events(*IterationEvents)
    return engine, steps


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("epoch_length", [3, 4, 5])
def test_a_loss_that_is_not_finite_ends_the_run_before_it_reaches_a_checkpoint(tmp_path, value, epoch_length):
    losses = [1.0, 0.5, value, 0.1, 0.1]
    engine, steps = losing(losses)
    saved = []
    Failures(str(tmp_path), 8).attach(engine)
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda: saved.append(engine.state.epoch))
    with pytest.raises(InputError, match=r"got (nan|inf) at iteration 3 \(samples 16 to 23\); no epoch was done"):
        engine.run(range(epoch_length), max_epochs=2)
    assert steps == [0, 1, 2]
    assert saved == []


def test_finite_losses_are_none_of_its_business(tmp_path):
    engine, steps = losing([1.0, 0.5])
    Failures(str(tmp_path), 8).attach(engine)
    engine.run(range(2), max_epochs=2)
    assert steps == [0, 1, 0, 1]


def test_the_last_good_checkpoint_is_named(tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"")
    engine, _ = losing([float("nan")])
    Failures(str(tmp_path), 1).attach(engine)
    with pytest.raises(InputError, match=r"the last good weights are in .*checkpoint.pt"):
        engine.run(range(1))


def test_too_little_memory_says_what_to_lower_and_by_how_much(tmp_path):
    engine, _ = losing([1.0], torch.OutOfMemoryError(MESSAGE))
    Failures(str(tmp_path), 16).attach(engine)
    with pytest.raises(InputError, match=r"a batch of 16, got: CUDA out of memory.*lower --batch_size from 16 to 8"):
        engine.run(range(1))
    # Twice as much was asked for as there is: a third fits.
    assert "from 30 to 10" in memory_advice("Tried to allocate 16.00 GiB. A total capacity of 8.00 GiB", 30)
    assert "--crop_size" in memory_advice(MESSAGE, 1)
    assert "from 4 to 2" in memory_advice("out of memory", 4)
    assert memory_advice("out of memory", 4, None).endswith("lower --batch_size from 4 to 2")
    # A step of the optimizer may take as many samples as before.
    assert "from 4 to 2, and raise --accumulation_steps to 6 for" in memory_advice("out of memory", 4, 3)


def test_accumulation_steps_that_are_no_count_are_refused(tmp_path):
    for steps in (0, 1.5):
        with pytest.raises(InputError, match=f"accumulation_steps must be a whole number from 1 on, got {steps}"):
            Failures(str(tmp_path), 1, steps)


def test_the_end_of_another_process_says_how_to_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr("sectome.training.failures.idist.get_world_size", lambda: 2)
    monkeypatch.setattr("sectome.training.failures.signal.signal", lambda *_: None)
    lost = RuntimeError("[/gloo/transport/tcp/pair.cc:537] Read error: Connection reset by peer")
    sentence = "the 2 processes of a run must go on together, got one that was ended.*the same command"
    engine, _ = losing([1.0], lost)
    Failures(str(tmp_path), 1).attach(engine)
    with pytest.raises(InputError, match=f"{sentence} starts anew, no epoch was done"):
        engine.run(range(1))
    (tmp_path / "checkpoint.pt").write_bytes(b"")
    with pytest.raises(InputError, match=f"{sentence} goes on from .*checkpoint.pt"):
        Failures(str(tmp_path), 1).end()
    # A single process has no other to lose.
    monkeypatch.undo()
    engine, _ = losing([1.0], lost)
    Failures(str(tmp_path), 1).attach(engine)
    with pytest.raises(RuntimeError, match="Connection reset"):
        engine.run(range(1))


def test_other_errors_go_on_as_they_are(tmp_path):
    engine, _ = losing([1.0], KeyError("image"))
    Failures(str(tmp_path), 16).attach(engine)
    with pytest.raises(KeyError, match="image"):
        engine.run(range(1))


def test_losses_that_are_finite_change_nothing(tmp_path):
    engine, steps = losing([1.0, 0.0])
    Failures(str(tmp_path), 2).attach(engine)
    engine.add_event_handler(Events.COMPLETED, lambda engine: None)
    assert engine.run(range(2)).iteration == 2
    assert steps == [0, 1]
    assert SimpleNamespace(**engine.state.output).loss == 0
