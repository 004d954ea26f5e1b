"""Early stopping: after so many validations without a better one, with the best weights kept, also over a resume."""

from __future__ import annotations

import math

import pytest
import torch
from ignite.engine import Engine, Events

from sectome.checks import InputError
from sectome.crops import SampleNumbers
from sectome.training import EarlyStopping, TrainingCheckpoint
from sectome.training.early_stopping import ended_early

LOSSES = (5.0, 3.0, 4.0, math.nan, 2.5, 2.0, 2.0, 2.1, 1.0)


def train(folder, patience, epochs=9, **options):
    """Validate with `LOSSES`, one an epoch, while the weight is the number of the epoch; return epochs and model."""
    network = torch.nn.Linear(1, 1, bias=False)
    evaluator = Engine(lambda engine, batch: None)
    evaluator.state.key_metric_name = "val_loss"
    trainer = Engine(lambda engine, batch: torch.nn.init.constant_(network.weight, engine.state.epoch))
    trainer.state.max_epochs, trainer.state.epoch_length = epochs, 1

    def validate(engine):
        evaluator.add_event_handler(
            Events.EPOCH_COMPLETED(once=1),
            lambda: evaluator.state.metrics.update(val_loss=LOSSES[trainer.state.epoch - 1]),
        )
        evaluator.run([0])

    stopping = EarlyStopping(evaluator, patience, **options)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, validate)
    checkpoint = TrainingCheckpoint(
        folder, folder, {"model": network}, SampleNumbers(1), 1, {}, early_stopping=stopping
    )
    checkpoint.attach(trainer)
    trainer.run([0])
    model = torch.load(folder / "model.pt", weights_only=True)["model"]["weight"].item()
    return trainer.state.epoch, model


def test_a_run_ends_after_so_many_validations_without_a_better_one_and_keeps_the_best_weights(tmp_path, capsys):
    assert train(tmp_path, 2) == (4, 2)
    assert "stop after epoch 4: no val_loss below 3.0000 of epoch 2 in 2 validations" in capsys.readouterr().out
    assert train(tmp_path / "longer", 3) == (9, 9)


def test_no_patience_trains_to_the_last_epoch_and_keeps_its_weights(tmp_path):
    assert train(tmp_path, 0, epochs=8) == (8, 8)


def test_a_resume_goes_on_counting(tmp_path):
    assert train(tmp_path, 2, epochs=3) == (3, 2)
    assert train(tmp_path, 2) == (4, 2)


def test_a_run_that_ended_early_goes_on_with_more_patience_only(tmp_path):
    train(tmp_path, 2)
    with pytest.raises(
        InputError, match=r"--patience must be greater than 2 to continue .* after its best epoch 2, got"
    ):
        train(tmp_path, 2)
    assert train(tmp_path, 3) == (9, 9)


def test_a_resume_needs_the_best_weights_so_far(tmp_path):
    assert train(tmp_path, 2, epochs=3) == (3, 2)
    kept = tmp_path / "model.json"
    kept.write_text('{"lr": 1}')
    with pytest.raises(InputError, match=r"model\.pt must be the model of epoch 2, .*got that of another training"):
        train(tmp_path, 2)
    kept.write_text("{}")
    (tmp_path / "model.pt").rename(tmp_path / "moved.pt")
    with pytest.raises(InputError, match=r"epoch 2, the best so far, got none; give the --ckpt_dir that the run had"):
        train(tmp_path, 2)
    (tmp_path / "moved.pt").rename(tmp_path / "model.pt")
    assert train(tmp_path, 2) == (4, 2)


@pytest.mark.parametrize(("patience", "epochs", "ended"), [(2, 9, True), (2, 3, False), (0, 9, False)])
def test_a_checkpoint_says_whether_its_run_ended_early(tmp_path, patience, epochs, ended):
    train(tmp_path, patience, epochs)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["early_stopping"]
    assert ended_early(state) == ended
    # As an earlier version wrote it.
    del state["patience"]
    assert not ended_early(state)


def judged_on(folder, crops=2):
    return {"judged_on": {"val_data": [{"image": f"{folder}/cube.tif", "sections": (0, 4)}], "val_crops": crops}}


def test_what_is_judged_on_other_data_is_not_compared(tmp_path):
    run = tmp_path / "run"
    train(run, 3, 2, **judged_on(tmp_path / "old"))
    with pytest.raises(InputError, match="best epoch so far, 2, was judged with val_crops 2, got 3; resume with the"):
        train(run, 3, 3, **judged_on(tmp_path / "old", crops=3))
    with pytest.raises(InputError, match=r"judged with val_data 0 image '.*cube\.tif', got 'other\.tif'"):
        train(run, 3, 3, judged_on={"val_data": [{"image": "other.tif", "sections": [0, 4]}], "val_crops": 2})
    # The data were moved.
    assert train(run, 3, 3, **judged_on(tmp_path / "new")) == (3, 2)
    # Without patience nothing is compared, and nothing then has been.
    assert train(run, 0, 4, **judged_on(tmp_path / "new", crops=3)) == (4, 4)
    assert train(run, 3, 5, **judged_on(tmp_path / "new", crops=4)) == (5, 5)


def test_a_best_epoch_of_an_earlier_version_is_taken_over(tmp_path):
    train(tmp_path, 3, 3)
    content = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    for name in ("patience", "judged_on"):
        del content["early_stopping"][name]
    torch.save(content, tmp_path / "checkpoint.pt")
    assert train(tmp_path, 2, **judged_on(tmp_path)) == (4, 2)


def test_patience_may_be_given_up(tmp_path):
    train(tmp_path, 2)
    assert train(tmp_path, 0, epochs=6) == (6, 6)


@pytest.mark.parametrize("patience", [-1, 1.5, True])
def test_a_patience_that_is_no_count_is_refused(patience):
    with pytest.raises(InputError, match="patience must be a whole number of at least 0, got"):
        EarlyStopping(Engine(lambda engine, batch: None), patience)


def test_a_patience_without_a_validation_to_judge_is_refused():
    evaluator = Engine(lambda engine, batch: None)
    with pytest.raises(
        InputError,
        match=r"with --patience must have at least one validation, got --patience 2 and a --val_interval greater than",
    ):
        EarlyStopping(evaluator, 2, validations=0)
    with pytest.warns(UserWarning, match="ends before its first validation"):
        assert EarlyStopping(evaluator, 0, validations=0).keeps(1)
    assert EarlyStopping(evaluator, 2, validations=1).patience == 2
