"""Both bundles with `--tracking mlflow`: killed, gone on with and evaluated, all in one run of MLflow."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from sectome.training import read_history
from tiny_networks import TINY
from tracked_runs import mlflow_curves, tensorboard_curves, tensorboard_events, tensorboard_settings

mlflow = pytest.importorskip("mlflow")

# MLflow uses of SQLAlchemy what the next one will not have.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

SHORT = {"epochs": 2, "epoch_length": 3, "val_interval": 1, "val_crops": 2, "batch_size": 2, "crop_size": [8, 32, 32]}

PICTURES = {"mae_pretrain": "reconstruction", "em_segmentation": "prediction"}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """The URI of one database for all, because making one takes seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlruns.db"


@pytest.fixture(scope="module", params=[*TINY])
def tracked(request, run_bundle, tissue_folder, store, tmp_path_factory):
    """A run that was killed in its second epoch and gone on with: bundle, folder, client, and its run of MLflow."""
    bundle, folder = request.param, tmp_path_factory.mktemp("tracked")
    options = {**SHORT, **TINY[bundle], "dataset_dir": tissue_folder, "output_dir": folder, "ckpt_dir": folder}
    options |= {"tracking": "mlflow", "tracking_uri": store, "experiment_name": "tests", "run_name": f"a {bundle}"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(request.path.parent), prepend=":")
        dying = [{"_target_": "ending.EndProcess", "iteration": 5}]
        done = run_bundle(bundle, "train", **options, train__postprocessing__transforms=dying)
        assert done.returncode == -9, done.stderr[-3000:]
    killed = json.loads((folder / "mlflow.json").read_text())
    done = run_bundle(bundle, "train", **options)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads((folder / "mlflow.json").read_text()) == killed
    client = mlflow.MlflowClient(store)
    return bundle, folder, client, client.get_run(killed["run_id"])


def history(folder):
    rows = read_history(folder / "history.csv")
    return {name: [(row[0], row[3]) for row in rows if row[2] == name] for name in {row[2] for row in rows}}


def test_curves_are_the_history_and_go_on_after_a_kill(tracked):
    bundle, folder, client, run = tracked
    expected = history(folder)
    assert {"loss", "val_loss", "learning_rate encoder", "learning_rate rest"} == set(expected)
    assert all([step for step, _ in points] == [3, 6] for points in expected.values())
    assert mlflow_curves(client, run.info.run_id) == expected
    single = {name: [(step, np.float32(value)) for step, value in points] for name, points in expected.items()}
    assert tensorboard_curves(folder) == single
    assert (run.info.status, run.info.run_name) == ("FINISHED", f"a {bundle}")
    assert client.get_experiment(run.info.experiment_id).name == "tests"


def test_parameters_are_the_settings(tracked):
    _, folder, _, run = tracked
    record = json.loads((folder / "run.json").read_text())
    expected = {name: str(value) for name, value in record["settings"].items()}
    expected |= {"processes": "1", "parameters": str(record["parameters"])}
    assert run.data.params == expected
    assert tensorboard_settings(folder) == expected


def test_both_show_the_same_pictures_of_each_validation(tracked, tmp_path):
    bundle, folder, client, run = tracked
    name = PICTURES[bundle]
    events = tensorboard_events(folder).Images(name)
    assert [event.step for event in events] == [3, 6]
    stored = {
        int(file.path.split("+")[2]): file.path
        for file in client.list_artifacts(run.info.run_id, "images")
        if file.path.endswith(".png")
    }
    assert set(stored) == {3, 6}
    for event in events:
        (tmp_path / "event.png").write_bytes(event.encoded_image_string)
        shown = np.asarray(Image.open(tmp_path / "event.png"))
        path = client.download_artifacts(run.info.run_id, stored[event.step], str(tmp_path))
        assert np.array_equal(shown, np.asarray(Image.open(path)))
        assert shown.shape[1] > 900
        assert shown.shape[2] == 3
        # A ground of white, and greys of an image.
        assert 0.1 < (shown == 255).all(axis=2).mean() < 0.9
        assert len(np.unique(shown)) > 100


def test_the_model_its_settings_and_the_config_are_kept(tracked, tmp_path):
    _, folder, client, run = tracked
    path = client.download_artifacts(run.info.run_id, "model", str(tmp_path))
    kept = torch.load(f"{path}/model.pt", weights_only=True)["model"]
    model = torch.load(folder / "model.pt", weights_only=True)["model"]
    assert list(kept) == list(model)
    assert all(torch.equal(kept[name], model[name]) for name in model)
    with open(f"{path}/model.json") as file:
        assert json.load(file) == json.loads((folder / "model.json").read_text())
    with open(client.download_artifacts(run.info.run_id, "config.json", str(tmp_path))) as file:
        config = json.load(file)
    assert (config["epochs"], config["output_dir"]) == (2, str(folder))
    # Nothing but what a run without tracking leaves, and where it was tracked.
    assert {path.name for path in folder.iterdir() if path.is_file()} == {
        "checkpoint.pt",
        "history.csv",
        "mlflow.json",
        "model.json",
        "model.pt",
        "run.json",
    }


def test_an_evaluation_adds_its_scores_to_the_same_run(tracked, run_bundle, tissue_folder, store):
    bundle, folder, client, run = tracked
    if bundle != "mae_pretrain":
        pytest.skip("choosing thresholds takes long, and both bundles tell their scores by one handler")
    options = {**SHORT, **TINY[bundle], "dataset_dir": tissue_folder, "output_dir": folder, "ckpt_dir": folder}
    # Without its experiment, which is known.
    options |= {"tracking": "mlflow", "tracking_uri": store}
    done = run_bundle(bundle, ["train", "evaluate"], **options)
    assert done.returncode == 0, done.stderr[-3000:]
    after = client.get_run(run.info.run_id)
    scores = json.loads((folder / "evaluation.json").read_text())
    assert {name: after.data.metrics[name] for name in scores} == scores
    assert after.info.status == "FINISHED"
    assert after.data.params == run.data.params
    files = {file.path for file in client.list_artifacts(run.info.run_id, "evaluation")}
    assert files == {"evaluation/evaluation.json", "evaluation/reconstructions.png"}
    assert mlflow_curves(client, run.info.run_id)["loss"] == history(folder)["loss"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"tracking": "mlflow", "tracking_url": "x"}, "unknown config key 'tracking_url', did you mean 'tracking_uri'"),
        ({"traking": "mlflow"}, "unknown config key 'traking', did you mean 'tracking'"),
        ({"run_name": "first"}, "--run_name must be given with --tracking mlflow, got it without"),
        ({"tracking": "mlflow", "epohcs": 3}, "unknown config key 'epohcs', did you mean 'epochs'"),
        ({"tracking": "mlflow", "tracking_uri": "runs"}, "--tracking_uri must be that of a database"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_written(
    run_bundle, tissue_folder, tmp_path, options, sentence
):
    given = {**SHORT, **TINY["mae_pretrain"], "dataset_dir": tissue_folder, "output_dir": tmp_path / "run", **options}
    done = run_bundle("mae_pretrain", "train", ckpt_dir=tmp_path / "run", **given)
    assert done.returncode == 2, done.stderr[-2000:]
    assert f"error: {sentence}" in done.stderr.strip().splitlines()[-1]
    assert not (tmp_path / "run").exists()
