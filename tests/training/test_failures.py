"""Training that cannot go on says why, what is kept and what to change."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents

from sectome.checks import InputError
from sectome.crops import SampleNumbers
from sectome.training import Failures, TrainingCheckpoint, memory_advice

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


def spoiling(folder, spoilt_epoch, value=float("nan")):
    """Return an engine that adds 1 to a network's weight in each iteration, and spoils it in an epoch's last one."""
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(network.weight)
    last = 2 * spoilt_epoch

    def step(engine, batch):
        with torch.no_grad():
            network.weight += value if engine.state.iteration == last else 1

    engine = Engine(step)
    engine.register_events(*IterationEvents)
    engine.state.max_epochs, engine.state.epoch_length = 3, 2
    Failures(str(folder), 8, network=network).attach(engine)
    TrainingCheckpoint(folder, folder, {"model": network}, SampleNumbers(1), 1, {}).attach(engine)
    return engine


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_weights_that_an_epochs_last_step_has_spoilt_replace_no_good_ones(tmp_path, value):
    kept = r"the last good weights are in .*checkpoint\.pt; try a lower --lr"
    with pytest.raises(InputError, match=rf"finite numbers, got some that are not after iteration 4; {kept}"):
        spoiling(tmp_path, 2, value).run([0])
    for name in ("checkpoint.pt", "model.pt"):
        assert torch.load(tmp_path / name, weights_only=True)["model"]["weight"].item() == 2
    with pytest.raises(InputError, match="after iteration 2; no epoch was done; try a lower"):
        spoiling(tmp_path / "at_once", 1, value).run([0])
    assert list((tmp_path / "at_once").glob("[!.]*")) == []


def test_weights_that_one_process_has_spoilt_end_all(tmp_path, monkeypatch):
    engine = spoiling(tmp_path, 4)
    monkeypatch.setattr("sectome.training.failures.idist.all_reduce", lambda spoilt: spoilt + 1)
    with pytest.raises(InputError, match="the weights must be finite numbers"):
        engine.run([0])
    assert list(tmp_path.glob("[!.]*")) == []


def test_finite_weights_are_none_of_its_business(tmp_path):
    assert spoiling(tmp_path, 4).run([0]).epoch == 3


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_validation_without_a_finite_metric_ends_the_run_before_it_is_told(tmp_path, value):
    engine, _ = losing([1.0, 0.5])
    evaluator = Engine(lambda engine, batch: None)
    evaluator.state.key_metric_name = "val_loss"
    told = []
    Failures(str(tmp_path), 8, evaluator=evaluator).attach(engine)
    evaluator.add_event_handler(Events.COMPLETED, lambda: told.append(evaluator.state.metrics["val_loss"]))

    @engine.on(Events.EPOCH_COMPLETED)
    def validate():
        evaluator.add_event_handler(
            Events.EPOCH_COMPLETED(once=1),
            lambda: evaluator.state.metrics.update(val_loss=value if engine.state.epoch == 2 else 0.5),
        )
        evaluator.run([0])

    with pytest.raises(
        InputError, match=r"val_loss must be a finite number, got (nan|inf) after iteration 4; no epoch"
    ):
        engine.run(range(2), max_epochs=3)
    assert told == [0.5]


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
        with pytest.raises(InputError, match=f"accumulation_steps must be a whole number of at least 1, got {steps}"):
            Failures(str(tmp_path), 1, steps)


def test_the_end_of_another_process_says_how_to_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr("sectome.training.failures.idist.get_world_size", lambda: 2)
    monkeypatch.setattr("sectome.training.failures.signal.signal", lambda *_: None)
    lost = RuntimeError("[/gloo/transport/tcp/pair.cc:537] Read error: Connection reset by peer")
    sentence = "all 2 processes of a run must keep running, got one that ended.*the same command"
    engine, _ = losing([1.0], lost)
    Failures(str(tmp_path), 1).attach(engine)
    with pytest.raises(InputError, match=f"{sentence} starts anew, as no epoch was done"):
        engine.run(range(1))
    (tmp_path / "checkpoint.pt").write_bytes(b"")
    with pytest.raises(InputError, match=f"{sentence} continues from .*checkpoint.pt"):
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
