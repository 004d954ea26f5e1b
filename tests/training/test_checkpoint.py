"""Checkpoints: a resumed run equals an uninterrupted one, other settings are refused, files are whole or absent."""

from __future__ import annotations

import resource
from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Engine
from torch.utils.data import DataLoader, Dataset

from sectome.checkpoint_file import read_checkpoint
from sectome.checks import InputError
from sectome.crops import SampleNumbers
from sectome.trained_settings import TrainedSettings
from sectome.training import TrainingCheckpoint, save_atomically


class Noise(Dataset):
    """Sample n is noise of seed n, as crops are."""

    def __len__(self):
        return 4

    def __getitem__(self, number):
        return torch.randn(3, generator=torch.Generator().manual_seed(number))


def train(folder, epochs, *, resume=True, settings=None, width=3, **options):
    """Train a layer with dropout (so that torch's random state matters) and momentum; return its weights."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(width, width), torch.nn.Dropout(0.5))
    optimizer = torch.optim.AdamW(network.parameters(), 0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
    sampler = SampleNumbers(8)

    def step(engine, batch):
        loss = (network(batch) - batch.flip(1)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()

    engine = Engine(step)
    engine.state.max_epochs, engine.state.epoch_length = epochs, 4
    states = {"model": network, "optimizer": optimizer, "schedule": schedule}
    TrainingCheckpoint(folder, folder, states, sampler, 2, settings or {"lr": 0.1}, resume, **options).attach(engine)
    engine.run(DataLoader(Noise(), 2, sampler=sampler))
    return network.state_dict()


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path):
    whole = train(tmp_path / "whole", 5)
    for stop in (1, 3, 4):
        folder = tmp_path / f"stopped_{stop}"
        stopped = train(folder, stop)
        resumed = train(folder, 5)
        assert not torch.equal(stopped["0.weight"], whole["0.weight"])
        assert torch.equal(resumed["0.weight"], whole["0.weight"])


def test_the_model_file_holds_plain_tensors_under_model(tmp_path):
    weights = train(tmp_path, 1)
    content = torch.load(tmp_path / "model.pt", weights_only=True)
    assert list(content) == ["model"]
    assert torch.equal(read_checkpoint(tmp_path / "model.pt")["0.weight"], weights["0.weight"])
    assert TrainedSettings(tmp_path / "model.pt").settings == {"lr": 0.1}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.pt", "model.json", "model.pt"]


def test_other_settings_are_refused_and_named(tmp_path):
    train(tmp_path, 1)
    with pytest.raises(InputError, match=r"made with lr 0\.1, got 0\.2; resume with the same settings"):
        train(tmp_path, 2, settings={"lr": 0.2})
    train(tmp_path, 2, settings={"lr": 0.2}, resume=False)


def test_another_network_is_refused_though_the_settings_do_not_tell(tmp_path):
    train(tmp_path, 1)
    message = r"checkpoint\.pt does not fit the network: 0\.weight must have shape \(4, 4\), got \(3, 3\)"
    with pytest.raises(InputError, match=message):
        train(tmp_path, 2, width=4)


def test_settings_that_an_older_checkpoint_does_not_have_are_left_alone_until_it_has_them(tmp_path):
    more = {"lr": 0.1, "loss": {"dice_weight": 0.5}}
    train(tmp_path, 1)
    train(tmp_path, 2, settings=more)
    with pytest.raises(InputError, match=r"made with loss dice_weight 0\.5, got 0\.25; resume"):
        train(tmp_path, 3, settings={**more, "loss": {"dice_weight": 0.25}})
    with pytest.raises(InputError, match=r"made with loss \{'dice_weight': 0\.5\}, got None; resume"):
        train(tmp_path, 3)
    train(tmp_path, 3, settings=more)


def test_a_finished_run_is_not_silently_run_again(tmp_path):
    train(tmp_path, 2)
    with pytest.raises(
        InputError, match=r"--epochs must be greater than 2, which .* has already trained, got 2; give more epochs"
    ):
        train(tmp_path, 2)


def test_a_checkpoint_of_another_number_of_processes_is_refused(tmp_path):
    train(tmp_path, 1)
    content = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    content["random"] *= 2
    save_atomically(content, tmp_path / "checkpoint.pt")
    with pytest.raises(InputError, match=r"was made by 2 processes, got 1; resume with as many \(torchrun"):
        train(tmp_path, 2)


def test_what_was_found_of_older_weights_goes_when_new_ones_take_their_place(tmp_path, capsys):
    train(tmp_path, 1)
    scores, absent = tmp_path / "scores.json", tmp_path / "overlay.png"
    scores.write_text("{}")
    with pytest.raises(InputError, match="has already trained"):
        train(tmp_path, 1, outdated=[scores, absent])
    assert scores.exists()
    train(tmp_path, 3, outdated=[scores, absent])
    assert not scores.exists()
    assert f"removed {scores}, which described older weights; evaluate again\n" in capsys.readouterr().out


def test_what_was_found_of_weights_that_stay_the_best_is_kept(tmp_path):
    scores = tmp_path / "scores.json"
    scores.write_text("{}")
    never_better = SimpleNamespace(attach=lambda engine: None, state_dict=dict, keeps=lambda epoch: False)
    train(tmp_path, 1, early_stopping=never_better, outdated=[scores])
    assert scores.exists()


def test_a_run_that_ends_between_its_two_files_writes_both_again(tmp_path, monkeypatch):
    whole = train(tmp_path / "whole", 2)
    folder = tmp_path / "ended"

    def save_model_only(content, path):
        if content.get("trainer", {}).get("epoch") == 2:
            raise KeyboardInterrupt
        save_atomically(content, path)

    with monkeypatch.context() as patch:
        patch.setattr("sectome.training.checkpoint.save_atomically", save_model_only)
        with pytest.raises(KeyboardInterrupt):
            train(folder, 2)
    assert torch.equal(read_checkpoint(folder / "model.pt")["0.weight"], whole["0.weight"])
    assert torch.equal(train(folder, 2)["0.weight"], whole["0.weight"])


def test_what_a_killed_save_has_left_is_removed_by_the_next_training_of_the_folder(tmp_path, monkeypatch):
    train(tmp_path, 1)
    left = [tmp_path / f".{name}.4711.partial" for name in ("checkpoint.pt", "model.pt")]
    others = [tmp_path / name for name in (".other.pt.4711.partial", ".checkpoint.pt.partial", "checkpoint.pt.4711")]
    for path in (*left, *others):
        path.write_bytes(b"half a file")
    engine = Engine(lambda engine, batch: None)
    states = {"model": torch.nn.Linear(1, 1)}
    checkpoint = TrainingCheckpoint(tmp_path, tmp_path, states, SampleNumbers(1), 1, {}, resume=False)
    with monkeypatch.context() as patch:
        patch.setattr("sectome.training.checkpoint.idist.get_rank", lambda: 1)
        checkpoint.attach(engine)
    assert all(path.exists() for path in left)
    train(tmp_path, 2)
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in others)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"half a file")
    with pytest.raises(InputError, match="must be a run's checkpoint"):
        train(tmp_path, 1)


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "model.pt"
    save_atomically({"a": torch.zeros(1)}, path)
    with pytest.raises(AttributeError, match="lambda"):
        save_atomically({"a": lambda: None}, path)
    assert torch.equal(torch.load(path, weights_only=True)["a"], torch.zeros(1))
    assert list(tmp_path.iterdir()) == [path]


def test_a_checkpoint_that_does_not_fit_is_what_the_system_says_and_leaves_the_former_one(tmp_path):
    path, before = tmp_path / "checkpoint.pt", resource.getrlimit(resource.RLIMIT_FSIZE)
    save_atomically({"weights": torch.zeros(1)}, path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            save_atomically({"weights": torch.zeros(100_000)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert read_checkpoint(path)["weights"].shape == (1,)
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]
