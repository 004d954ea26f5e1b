"""Handlers: history, progress, seeds, precision."""

from __future__ import annotations

import pytest
import torch
from ignite.engine import Engine, Events

from sectome.training import FixedSeed, History, Progress, RunRecord, parameter_groups, read_history
from sectome.training.progress import readable_seconds


def engine_with_loss() -> Engine:
    engine = Engine(lambda engine, batch: {"loss": torch.tensor(float(batch))})
    engine.state.device = "cpu"
    return engine


def optimizer() -> torch.optim.Optimizer:
    network = torch.nn.ModuleDict({"encoder": torch.nn.Linear(2, 2), "up": torch.nn.Linear(2, 2)})
    return torch.optim.SGD(parameter_groups(network, 0.1, 0.01, 0.3))


def test_the_history_holds_losses_rates_and_metrics(tmp_path):
    engine, evaluator = engine_with_loss(), Engine(lambda engine, batch: None)
    History(str(tmp_path), optimizer(), evaluator).attach(engine)
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run([0]))
    evaluator.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.state.metrics.update(val_loss=7.0))
    engine.run([1, 2, 6], max_epochs=2)
    rows = [(row[0], row[2], row[3]) for row in read_history(tmp_path / "history.csv")]
    expected = [("loss", 3.0), ("learning_rate encoder", pytest.approx(0.03)), ("learning_rate rest", 0.1)]
    assert rows == [(i, *row) for i in (3, 6) for row in [*expected, ("val_loss", 7.0)]]


def test_a_resumed_history_drops_what_came_after_the_checkpoint(tmp_path):
    for first in (0, 3):
        engine = engine_with_loss()
        History(str(tmp_path), optimizer()).attach(engine)
        engine.add_event_handler(
            Events.STARTED, lambda engine=engine, first=first: setattr(engine.state, "iteration", first)
        )
        engine.run([1, 2, 6], max_epochs=2)
    losses = [row[0] for row in read_history(tmp_path / "history.csv") if row[2] == "loss"]
    assert losses == sorted(set(losses))


@pytest.mark.parametrize("cut", ["6,1.5,loss,0.1", "6,1.5,loss,0.123\r", "6,1.", "6,1.5\r\n", "\r\n", "\0\0"])
def test_a_last_row_that_was_cut_off_is_none(tmp_path, cut):
    path = tmp_path / "history.csv"
    whole = "iteration,seconds,name,value\r\n3,0.5,loss,0.25\r\n"
    path.write_text(whole + cut, newline="")
    assert read_history(path) == [(3, 0.5, "loss", 0.25)]
    engine = engine_with_loss()
    History(str(tmp_path), optimizer()).attach(engine)
    engine.state.iteration = 3
    engine.fire_event(Events.STARTED)
    assert path.read_bytes().decode() == whole
    path.write_text("iteration,sec")
    assert read_history(path) == []


def test_a_history_that_cannot_be_begun_again_stays_as_it_is(tmp_path, monkeypatch):
    path = tmp_path / "history.csv"
    path.write_text("iteration,seconds,name,value\n3,0.5,loss,0.25\n")
    history = History(str(tmp_path), optimizer())

    def full_disk(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("sectome.training.history.csv.writer", full_disk)
    with pytest.raises(OSError, match="no space left"):
        history.start(engine_with_loss())
    assert read_history(path) == [(3, 0.5, "loss", 0.25)]
    assert [one.name for one in tmp_path.iterdir()] == ["history.csv"]


def test_progress_says_how_far_how_fast_and_how_long(capsys):
    engine = engine_with_loss()
    Progress("train", interval_seconds=0).attach(engine)
    engine.run([1, 2], max_epochs=2)
    lines = capsys.readouterr().out.splitlines()
    assert "train: 4 iterations on" in lines[0]
    assert "train: 4/4  loss 2.0000" in lines[-1]
    assert "iterations/s  0 s left" in lines[-1]


@pytest.mark.parametrize(("seconds", "text"), [(5, "5 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")])
def test_durations_read_well(seconds, text):
    assert readable_seconds(seconds) == text


def test_an_engine_of_ignite_may_say_its_loss_as_a_number(tmp_path, capsys):
    engine = Engine(lambda engine, batch: {"loss": float(batch)})
    Progress("train", interval_seconds=0).attach(engine)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    History(str(tmp_path), optimizer).attach(engine)
    engine.run([1, 2, 6], max_epochs=1)
    assert [row[2:] for row in read_history(tmp_path / "history.csv")] == [("loss", 3.0), ("learning_rate", 0.1)]
    assert "train: 3/3  loss 6.0000" in capsys.readouterr().out


def test_a_validation_takes_no_random_numbers_from_the_training():
    drawn = []
    evaluator = Engine(lambda engine, batch: drawn.append(float(torch.rand(1))))
    FixedSeed(3).attach(evaluator)
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    first = torch.rand(1)
    evaluator.run([0, 0])
    evaluator.run([0, 0])
    assert torch.equal(torch.cat([first, torch.rand(1)]), expected)
    assert drawn[:2] == drawn[2:]


def test_a_record_of_a_run_that_begins_anew_takes_the_place_of_what_was_found_before(tmp_path):
    scores = tmp_path / "scores.json"
    scores.write_text("{}")
    record = RunRecord(str(tmp_path), "em_segmentation", {"lr": 0.1}, torch.nn.Identity(), [str(scores)])
    engine = Engine(lambda engine, batch: None)
    engine.state.iteration = 4
    record.write(engine)
    assert scores.exists()
    engine.state.iteration = 0
    record.write(engine)
    assert not scores.exists()
    assert (tmp_path / "run.json").exists()
