"""Accumulated gradients, averaged weights, early stopping, layer decay and a frozen encoder, as a config sets them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from sectome.training import read_history
from tiny_networks import BUNDLES, TINY
from trained_runs import load, numbers

SHORT = {"epochs": 3, "epoch_length": 2, "val_interval": 1, "val_crops": 2, "batch_size": 2, "crop_size": [8, 32, 32]}
ALL = {"accumulation_steps": 2, "batch_size": 1, "ema_decay": 0.9, "patience": 9}


@pytest.fixture
def train(run_bundle, tissue_folder, monkeypatch):
    """Train a bundle into a folder; return how that ended."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))

    def run(bundle, folder, **overrides):
        options = {**SHORT, **TINY[bundle], "dataset_dir": tissue_folder, "output_dir": folder, "ckpt_dir": folder}
        return run_bundle(bundle, "train", **{**options, **overrides})

    return run


@pytest.mark.slow
def test_accumulated_gradients_train_as_the_batch_that_they_make(train, tmp_path):
    fixed = {"network_def___target_": "fixed_mask.FixedMaskAutoencoder", "precision": "fp32"}
    for name, options in {"parts": {"accumulation_steps": 2, "batch_size": 1}, "whole": {}}.items():
        done = train("mae_pretrain", tmp_path / name, **fixed, **options)
        assert done.returncode == 0, done.stderr[-3000:]
    parts, whole = tmp_path / "parts", tmp_path / "whole"
    assert numbers(parts, "loss") == pytest.approx(numbers(whole, "loss"), rel=1e-5)
    assert numbers(parts, "learning_rate rest") == numbers(whole, "learning_rate rest")
    for key, value in load(whole)["model"].items():
        assert torch.allclose(load(parts)["model"][key], value, atol=1e-3), key


@pytest.mark.slow
@pytest.mark.parametrize("bundle", ["mae_pretrain", "em_segmentation"])
def test_a_killed_run_goes_on_bit_for_bit_with_all_options_on(train, tmp_path, bundle):
    options = {**ALL, **({"layer_decay": 0.5} if bundle == "em_segmentation" else {})}
    whole = tmp_path / "whole"
    done = train(bundle, whole, **options)
    assert done.returncode == 0, done.stderr[-3000:]
    # Before the first checkpoint, in the middle of an epoch, and after the last batch of one. An epoch has 4 batches.
    killed = tmp_path / "killed"
    for iteration, after in ((2, 0), (7, 4), (4, 4)):
        dying = [{"_target_": "ending.EndProcess", "iteration": iteration}]
        done = train(bundle, killed, **options, train__postprocessing__transforms=dying)
        assert done.returncode == -9
        assert (killed / "checkpoint.pt").is_file() == bool(after)
        assert not after or load(killed, "checkpoint.pt")["trainer"]["iteration"] == after
    done = train(bundle, killed, **options)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "resume from epoch 1" in done.stdout
    for key, value in load(whole)["model"].items():
        assert torch.equal(value, load(killed)["model"][key]), key
    for name in ("loss", "val_loss"):
        assert numbers(whole, name) == numbers(killed, name)

    # Averaged weights are kept beside those that are trained, and are the model.
    checkpoint = load(whole, "checkpoint.pt")
    assert checkpoint["average"]["n_averaged"] == 6
    best = checkpoint["early_stopping"]["best_epoch"] == 3
    for key, value in load(whole)["model"].items():
        assert not best or torch.equal(value, checkpoint["average"][f"module.{key}"]), key
    assert not all(torch.equal(value, checkpoint["model"][key]) for key, value in load(whole)["model"].items())
    if bundle == "em_segmentation":
        names = {row[2].removeprefix("learning_rate ") for row in read_history(whole / "history.csv")}
        assert {"encoder patch_embedding", "encoder block 0", "encoder block 1", "encoder norm", "rest"} <= names


@pytest.mark.slow
def test_a_run_that_gets_no_better_ends_early_with_the_best_weights(train, tmp_path):
    # No step changes the weights, so that the first validation stays the best.
    options = {"lr": 0.0, "epochs": 9, "patience": 2}
    done = train("em_segmentation", tmp_path, **options)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "stop after epoch 3: no val_loss below" in done.stdout
    assert load(tmp_path, "checkpoint.pt")["early_stopping"]["best_epoch"] == 1
    again = train("em_segmentation", tmp_path, **options)
    assert again.returncode == 2
    assert "error: --patience must be greater than" in again.stderr


@pytest.mark.slow
def test_a_resume_with_what_would_change_the_result_is_refused_and_one_elsewhere_is_not(train, tissue_folder, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    shutil.copytree(tissue_folder, here / "tissue")

    def train_in(folder, epochs, **other):
        where = {"dataset_dir": folder / "tissue", "patience": 9, "epochs": epochs}
        return train("em_segmentation", folder / "run", **{**where, **other})

    done = train_in(here, 1)
    assert done.returncode == 0, done.stderr[-3000:]
    for other, sentence in (
        ({"loss__dice_weight": 0.1}, "was made with loss dice_weight 0.5, got 0.1"),
        ({"optimizer__eps": 1e-6}, "was made with optimizer eps 1e-08, got 1e-06"),
        (
            {"train__preprocessing__transforms__0__steps": 1},
            "was made with preprocessing transforms 0 transform steps 0, got 1",
        ),
        ({"schedule__end_lr": 1e-6}, "was made with schedule end_lr 0.0, got 1e-06"),
        ({"val_crops": 1}, "the best epoch so far, 1, was judged with val_crops 2, got 1"),
    ):
        done = train_in(here, 2, **other)
        assert done.returncode == 2, done.stderr[-3000:]
        assert sentence in done.stderr.strip().splitlines()[-1]
    here.rename(there)
    done = train_in(there, 2)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "resume from epoch 1" in done.stdout


@pytest.mark.slow
def test_a_factor_of_0_freezes_the_encoder(train, tmp_path):
    done = train("em_segmentation", tmp_path, encoder_lr_factor=0, epochs=1)
    assert done.returncode == 0, done.stderr[-3000:]
    checkpoint = load(tmp_path, "checkpoint.pt")
    trained = [name for name in checkpoint["model"] if not name.startswith("encoder.")]
    assert len(checkpoint["optimizer"]["state"]) == len(trained)
    assert numbers(tmp_path, "learning_rate encoder") == []


BAD = {
    "no image": ({"train_data": [{"label": "cube.tif"}]}, "an entry of data must have an image"),
    "misspelt": ({"train_data": [{"image": "cube.tif", "section": [0, 4]}]}, "an entry of data must have an image and"),
    "no labels": ({"val_data": [{"image": "CUBE"}]}, "expected labels for"),
    "place": ({"ckpt_dir": "CUBE/models"}, "ckpt_dir must be a folder, got"),
    "steps": ({"accumulation_steps": 1.5}, "accumulation_steps must be a whole number of at least 1, got 1.5"),
    "warm-up": ({"warmup_steps": "few"}, "warmup_steps must be a whole number of at least 0, got 'few'"),
    "workers": ({"num_workers": -1}, "num_workers must be a whole number of at least 0, got -1"),
    "average": ({"ema_decay": 1}, "ema_decay must be a number of at least 0 and less than 1, got 1"),
    "patience": ({"patience": -1}, "patience must be a whole number of at least 0, got -1"),
    "no validation": ({"patience": 1, "val_interval": 5}, "a --val_interval greater than --epochs"),
    "switch": ({"resume": "no"}, "resume must be true or false, got 'no'"),
    "seed": ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
    "decay": ({"layer_decay": 1.5}, "layer_decay must be greater than 0 and at most 1, got 1.5"),
    "depth": ({"pretrained": "MODEL", "depth": 3}, "must hold an encoder of depth 3, got depth 2"),
    "width": ({"pretrained": "MODEL", "hidden_size": 96}, "must have shape (96, 1024), got (48, 1024)"),
    "two starts": (
        {"pretrained": "MODEL", "weights": "MODEL"},
        "must start from either weights or pretrained, got both",
    ),
    "labels stay": (
        {"train#augmentation#transforms": [{"_target_": "sectome.transforms.Foldd", "keys": "image"}]},
        "Foldd moves tissue: its keys must be both image and label, got image",
    ),
    "patch": ({"pretrained": "MODEL", "patch_size": [2, 16, 16]}, "of patch size (2, 16, 16), got (4, 16, 16)"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_meant_is_one_sentence_and_leaves_nothing(train, tissue_folder, tmp_path, mae_scripts, name):
    overrides, sentence = BAD[name]
    model = mae_scripts.MaskedAutoencoder(**TINY["mae_pretrain"])
    torch.save({"model": model.state_dict()}, tmp_path / "model.pt")
    paths = {"MODEL": str(tmp_path / "model.pt"), "CUBE": str(tissue_folder / "train/images/cube.tif")}
    written = json.dumps(overrides)
    for word, path in paths.items():
        written = written.replace(word, path)
    done = train("em_segmentation", tmp_path / "run", **json.loads(written))
    assert done.returncode == 2, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    assert sentence in done.stderr.strip().splitlines()[-1]
    assert not (tmp_path / "run").exists()


def first_steps(config: Path) -> list[str]:
    """Return what a config does before it runs, with what it takes from those that it stands upon."""
    merged = {}
    for name in ("train", config.stem.removeprefix("multi_gpu_"), config.stem):
        merged |= json.loads(config.with_stem(name).read_text())
    return [step for item in merged["initialize"] for step in (merged["checked"] if item == "@checked" else [item])]


@pytest.mark.parametrize(
    "config", sorted(BUNDLES.glob("*/configs/*.json")), ids=lambda path: "/".join(path.parts[-3::2])
)
def test_a_seed_is_checked_before_it_is_used(config):
    steps = first_steps(config)
    uses = [number for number, step in enumerate(steps) if "seed=@seed" in step]
    checks = [number for number, step in enumerate(steps) if step == "$checks.check_whole_number(@seed, 0, 'seed')"]
    assert not uses or checks[0] < uses[0]


@pytest.mark.parametrize("name", ["train", "multi_gpu_train", "inference"])
@pytest.mark.parametrize("bundle", ["mae_pretrain", "em_segmentation"])
def test_each_switch_is_checked_since_any_text_would_turn_it_on(bundle, name):
    folder = BUNDLES / bundle / "configs"
    declares = json.loads((folder / f"{name.removeprefix('multi_gpu_')}.json").read_text())
    switches = {key for key, value in declares.items() if isinstance(value, bool)} - {"save_execute_config"}
    steps = " ".join(first_steps(folder / f"{name}.json"))
    assert switches <= {key for key in switches if f"{key}=@{key}" in steps}
