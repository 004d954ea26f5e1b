"""What a run tells those who watch it: the same numbers as its history, once each, whatever happens to the run."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events
from matplotlib.figure import Figure

from sectome.checks import InputError
from sectome.training import History, MLflowRun, Pictures, TensorBoardEvents, read_history
from sectome.training.tracked_scores import flat_numbers
from tracked_runs import mlflow_curves, tensorboard_curves, tensorboard_settings

SETTINGS = {"lr": 0.1, "crop_size": [8, 32, 32], "pretrained": ""}


def train(folder, trackers, first=0, epochs=2, dies=0):
    """Train three iterations an epoch from iteration `first` on; a process that dies does so in an iteration."""

    def step(engine, batch):
        if engine.state.iteration == dies:
            raise KeyboardInterrupt
        return {"loss": torch.tensor(float(engine.state.iteration))}

    engine = Engine(step)
    (folder / "run.json").write_text(json.dumps({"settings": SETTINGS, "processes": 1, "parameters": 7}))
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
    History(str(folder), optimizer, trackers=trackers).attach(engine)

    @engine.on(Events.STARTED)
    def resume():
        engine.state.iteration, engine.state.epoch = first, first // 3

    # Before the history starts.
    engine._event_handlers[Events.STARTED].reverse()
    engine.run([0, 0, 0], max_epochs=epochs)


def curves(folder):
    rows = read_history(folder / "history.csv")
    return {name: [(row[0], row[3]) for row in rows if row[2] == name] for name in {row[2] for row in rows}}


def test_events_are_the_history_and_the_settings_also_after_a_resume(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, [TensorBoardEvents(str(tmp_path))], epochs=4, dies=8)
    # From the checkpoint of the first epoch on, so that the second is told again.
    train(tmp_path, [TensorBoardEvents(str(tmp_path))], first=3, epochs=3)
    assert curves(tmp_path)["loss"] == [(3, 2), (6, 5), (9, 8)]
    assert tensorboard_curves(tmp_path) == curves(tmp_path)
    expected = {name: str(value) for name, value in SETTINGS.items()} | {"processes": "1", "parameters": "7"}
    assert tensorboard_settings(tmp_path) == expected


class Recorder:
    def __init__(self):
        self.shown = []

    def log_picture(self, name, pixels, iteration):
        self.shown.append((name, pixels.shape, iteration))


class Square:
    name = "square"

    def take(self, output):
        return {"value": np.full((2, 2), output)}

    def draw(self, arrays):
        return Figure(figsize=(2, 1))


@pytest.mark.parametrize(
    ("first", "epochs", "shown"), [(0, 11, [1, 2, 4, 8, 11]), (0, 8, [1, 2, 4, 8]), (5, 12, [8, 12])]
)
def test_pictures_are_drawn_at_each_doubling_and_at_the_end(first, epochs, shown):
    evaluator, recorder = Engine(lambda engine, batch: batch), Recorder()
    engine = Engine(lambda engine, batch: None)
    Pictures(evaluator, Square(), [recorder]).attach(engine)
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run([1, 2]))

    @engine.on(Events.STARTED)
    def resume():
        engine.state.epoch, engine.state.iteration = first, 3 * first

    engine._event_handlers[Events.STARTED].reverse()
    engine.run([0, 0, 0], max_epochs=epochs)
    assert recorder.shown == [("square", (110, 220, 3), 3 * epoch) for epoch in shown]


def test_numbers_of_scores_are_named_by_their_path():
    content = {"scores": {"one segment": {"are": 1, "flag": True}}, "(-1, 0, 0)": 0.5, "sweep": [{"are": 2}], "n": "x"}
    assert flat_numbers(content) == {"scores/one segment/are": 1.0, "-1 0 0": 0.5}


@pytest.mark.parametrize("uri", ["runs", "/tmp/runs", "file:///tmp/runs"])
def test_a_folder_is_no_store(tmp_path, uri):
    with pytest.raises(InputError, match=r"--tracking_uri must be that of a database .* or a server, got .*runs"):
        MLflowRun(str(tmp_path), str(tmp_path), uri, "experiment")


def test_a_run_that_names_no_experiment_stays_in_that_of_its_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    there = [str(tmp_path), str(tmp_path), "sqlite:///runs.db"]
    assert MLflowRun(*there).experiment_name == "monai_experiment"
    (tmp_path / "mlflow.json").write_text('{"experiment_name": "neurons"}')
    assert MLflowRun(*there).experiment_name == "neurons"
    assert MLflowRun(*there, "other").experiment_name == "other"


def test_a_run_of_another_store_is_named_where_a_new_one_is_made(tmp_path, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mine.db")
    (tmp_path / "mlflow.json").write_text('{"tracking_uri": "http://lab", "experiment_name": "a", "run_id": "b"}')
    with pytest.warns(UserWarning, match="names a run in http://lab, got --tracking_uri sqlite:///mine.db"):
        assert MLflowRun(str(tmp_path), str(tmp_path), "").find(anew=False) == ""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Return an MLflow database, whose making takes seconds."""
    pytest.importorskip("mlflow")
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/a%20b/mlruns.db"


def fail_if_metrics(log_batch):
    def fail(client, run_id, metrics=(), **others):
        if metrics:
            raise OSError("away")
        return log_batch(client, run_id, metrics, **others)

    return fail


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow uses of SQLAlchemy what the next one will not have
def test_mlflow_is_told_the_history_once_whatever_ends_the_run(tmp_path, store, monkeypatch):
    from mlflow import MlflowClient

    # Both are put back at the end.
    for name in ("MLFLOW_DISABLE_TELEMETRY", "MLFLOW_HTTP_REQUEST_MAX_RETRIES"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)

    def tracker(**options):
        return MLflowRun(str(tmp_path), str(tmp_path), store, "experiment", **options)

    def told():
        client, run_id = MlflowClient(store), json.loads((tmp_path / "mlflow.json").read_text())["run_id"]
        run = client.get_run(run_id)
        return run, mlflow_curves(client, run_id)

    dying = tracker()
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, [dying], dies=5, epochs=3)
    run, found = told()
    assert (run.info.status, run.info.run_name, found["loss"]) == ("RUNNING", tmp_path.name, [(3, 2)])
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    dying.close("FAILED")
    assert told()[0].info.status == "FAILED"

    # The store fails while a second epoch is told.
    lost = tracker(run_name="again")
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", fail_if_metrics(MlflowClient.log_batch))
        with pytest.warns(UserWarning, match="could not report the run to .*, training continues"):
            train(tmp_path, [lost], first=3, epochs=2)
    assert told()[1]["loss"] == [(3, 2)]

    train(tmp_path, [tracker(run_name="again")], first=6, epochs=3)
    again, found = told()
    assert again.info.run_id == run.info.run_id
    assert (again.info.status, again.info.run_name) == ("FINISHED", "again")
    assert found == curves(tmp_path)
    assert again.data.params == {name: str(value) for name, value in SETTINGS.items()} | {
        "processes": "1",
        "parameters": "7",
    }

    train(tmp_path, [tracker()], epochs=1)
    anew, found = told()
    assert anew.info.run_id != run.info.run_id
    assert found["loss"] == [(3, 2)]
