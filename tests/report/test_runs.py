import json

import numpy as np
import pytest

from sectome.checks import InputError
from sectome.report.runs import read_run, read_runs


def test_a_run_is_read(make_arm):
    run = read_run(make_arm("tuned", "model.pt"))
    assert (run.name, run.bundle, run.start, run.parameters) == ("tuned", "em_segmentation", "pre-trained", 48100)
    assert (run.iterations, run.seconds) == (100, 150.0)
    assert run.series("val_loss") == [(50, 0.0246), (100, 0.0123)]
    assert [point["threshold"] for point in run.scores.sweep] == [0.1, 0.5, 0.9]
    assert run.scores.methods["mean agglomeration"]["voi_sum"] == pytest.approx(0.9)
    assert list(run.scores.predictions) == ["mean agglomeration"]
    assert run.overlays["raw_xz"].shape == (12, 64)
    assert run.masked_loss is None


def test_a_run_before_its_evaluation_is_read(make_pretraining):
    run = read_run(make_pretraining(evaluated=False))
    assert (run.masked_loss, run.reconstructions, run.scores, run.overlays) == (None, None, None, None)


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected a run folder with run\.json, got .*nowhere"):
        read_run(tmp_path / "nowhere")


def test_no_folder_and_the_same_folder_twice_are_refused(make_arm):
    with pytest.raises(InputError, match="at least one run folder, got none"):
        read_runs([])
    folder = make_arm("plain", evaluated=False)
    with pytest.raises(InputError, match=r"must be given once, got .*plain twice"):
        read_runs([folder, folder / ".." / "plain"])


def test_runs_in_folders_of_one_name_are_told_apart(make_arm):
    folders = [make_arm("a/eval", evaluated=False), make_arm("b/eval", evaluated=False)]
    assert [run.name for run in read_runs(folders)] == ["a/eval", "b/eval"]


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("run.json", "{", r"run\.json must hold the output of a run as JSON, got: "),
        ("run.json", "[1]", r"run\.json must hold the output of a run as a JSON object, got list"),
        ("run.json", '{"bundle": "spleen"}', "'mae_pretrain' or 'em_segmentation' as 'bundle', got 'spleen'"),
        ("run.json", '{"bundle": "mae_pretrain", "settings": 3}', "'settings' as an object, got int"),
        ("run.json", '{"bundle": "mae_pretrain", "parameters": "many"}', "a number as 'parameters', got 'many'"),
        ("run.json", '{"bundle": "mae_pretrain", "commands": 3}', "'commands' as lines of text, got 3"),
        ("history.csv", "iteration,seconds,name,value\n1,2\n3,1,loss,0.5\n", r"history\.csv must have rows of"),
        ("scores.json", "{}", "must give a number as 'threshold', got None"),
        ("scores.json", '{"threshold": 0.5, "sweep": 1}', "'sweep' as a list, got int"),
        ("scores.json", '{"threshold": 0.5, "sweep": [3]}', "must give a number as 'are', got None"),
        ("scores.json", '{"threshold": 0.5, "scores": []}', "'scores' as an object, got list"),
        ("scores.json", '{"threshold": 0.5, "test": 3}', "'test' as a list of names, got 3"),
        ("scores.json", '{"threshold": 0.5, "scores": {"mutex": {"are": 0.1}}}', "a number as 'voi_split', got None"),
    ],
)
def test_a_broken_file_is_named(make_arm, file, content, message):
    folder = make_arm("plain")
    (folder / file).write_text(content)
    with pytest.raises(InputError, match=message):
        read_run(folder)


def test_a_broken_masked_loss_is_named(make_pretraining):
    folder = make_pretraining()
    (folder / "evaluation.json").write_text(json.dumps({"masked_loss": None}))
    with pytest.raises(InputError, match=r"evaluation\.json must give a number as 'masked_loss', got None"):
        read_run(folder)


def test_a_missing_array_is_named(make_arm, tissue):
    folder = make_arm("plain")
    del tissue["truth_xz"]
    np.savez(folder / "overlays.npz", **tissue)
    with pytest.raises(InputError, match="must hold the array 'truth_xz', got"):
        read_run(folder)


def test_arrays_of_objects_are_refused(make_arm, tissue):
    folder = make_arm("plain")
    np.savez(folder / "overlays.npz", **{**tissue, "raw_xy": np.array([{}], dtype=object)})
    with pytest.raises(InputError, match="of plain arrays"):
        read_run(folder)
