"""Both bundles as a MONAI user runs them: train, resume, evaluate, infer, and what is refused."""

from __future__ import annotations

import json
import sys
from unittest.mock import ANY

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

from sectome.affinity_file import StoredAffinities
from sectome.neighbourhoods import NEAREST
from sectome.postprocess import load_options
from sectome.training import read_history
from sectome.volumes import open_volume, write_volume
from tiny_networks import BUNDLES, TINY

SHORT = {"epochs": 2, "epoch_length": 3, "val_interval": 1, "val_crops": 2, "batch_size": 2, "crop_size": [8, 32, 32]}
EVALUATE = ["train", "evaluate"]


@pytest.fixture(scope="module")
def pretrained(run_bundle, tissue_folder, tmp_path_factory):
    run = tmp_path_factory.mktemp("mae")
    done = run_bundle(
        "mae_pretrain",
        "train",
        dataset_dir=tissue_folder,
        output_dir=run,
        ckpt_dir=run,
        **SHORT,
        **TINY["mae_pretrain"],
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return run


@pytest.fixture(scope="module")
def fine_tuned(run_bundle, tissue_folder, pretrained, tmp_path_factory):
    run = tmp_path_factory.mktemp("segmentation")
    options = {**SHORT, **TINY["em_segmentation"], "pretrained": pretrained / "model.pt"}
    done = run_bundle("em_segmentation", "train", dataset_dir=tissue_folder, output_dir=run, ckpt_dir=run, **options)
    assert done.returncode == 0, done.stderr[-3000:]
    return run


@pytest.mark.slow
def test_pretraining_writes_a_whole_run_folder(pretrained):
    assert {path.name for path in pretrained.iterdir()} == {
        "checkpoint.pt",
        "history.csv",
        "model.json",
        "model.pt",
        "run.json",
        "tensorboard",
    }
    names = {row[2] for row in read_history(pretrained / "history.csv")}
    assert names == {"loss", "val_loss", "learning_rate encoder", "learning_rate rest"}
    record = json.loads((pretrained / "run.json").read_text())
    assert record["bundle"] == "mae_pretrain"
    assert record["settings"]["hidden_size"] == 48


@pytest.mark.slow
def test_a_resumed_pretraining_equals_an_uninterrupted_one(run_bundle, tissue_folder, pretrained, tmp_path):
    options = {**SHORT, **TINY["mae_pretrain"], "dataset_dir": tissue_folder, "output_dir": tmp_path}
    # The schedule is that of two epochs in both parts, as when a run of two epochs is killed after the first.
    stopped = run_bundle("mae_pretrain", "train", ckpt_dir=tmp_path, **{**options, "epochs": 1, "schedule__t_total": 6})
    assert stopped.returncode == 0, stopped.stderr[-3000:]
    resumed = run_bundle("mae_pretrain", "train", ckpt_dir=tmp_path, **options)
    assert "resume from epoch 1" in resumed.stdout
    whole = torch.load(pretrained / "model.pt", weights_only=True)["model"]
    parts = torch.load(tmp_path / "model.pt", weights_only=True)["model"]
    for key, value in whole.items():
        assert torch.equal(value, parts[key]), key
    losses = [
        [row[3] for row in read_history(run / "history.csv") if row[2] in ("loss", "val_loss")]
        for run in (pretrained, tmp_path)
    ]
    assert losses[0] == losses[1]
    anew = run_bundle("mae_pretrain", "train", ckpt_dir=tmp_path, resume=False, **{**options, "epochs": 1})
    assert anew.returncode == 0, anew.stderr[-3000:]
    assert "resume from epoch" not in anew.stdout


@pytest.mark.slow
def test_one_line_each_chooses_the_mask_and_lets_the_device_keep_the_volumes_and_augment(
    run_bundle, tissue_folder, pretrained, tmp_path
):
    options = {**SHORT, **TINY["mae_pretrain"], "dataset_dir": tissue_folder}
    on_device = {"resident": True, "augment_on_device": True}
    done = run_bundle("mae_pretrain", "train", output_dir=tmp_path, ckpt_dir=tmp_path, **options, **on_device)
    assert done.returncode == 0, done.stderr[-3000:]
    losses = {
        run: [row[3] for row in read_history(run / "history.csv") if row[2] == "loss"] for run in (pretrained, tmp_path)
    }
    assert losses[tmp_path] == pytest.approx(losses[pretrained], rel=1e-3)
    tubes = tmp_path / "tubes"
    done = run_bundle("mae_pretrain", "train", output_dir=tubes, ckpt_dir=tubes, **options, mask="tube")
    assert done.returncode == 0, done.stderr[-3000:]
    assert [row[3] for row in read_history(tubes / "history.csv") if row[2] == "loss"] != losses[pretrained]


@pytest.mark.slow
def test_evaluation_of_pretraining_writes_numbers_and_pictures(run_bundle, tissue_folder, pretrained, tmp_path):
    options = {**SHORT, **TINY["mae_pretrain"], "dataset_dir": tissue_folder, "output_dir": tmp_path}
    done = run_bundle("mae_pretrain", EVALUATE, ckpt_dir=pretrained, **options)
    assert done.returncode == 0, done.stderr[-3000:]
    scores = json.loads((tmp_path / "evaluation.json").read_text())
    assert scores["masked_loss"] > 0
    assert scores["crops"] == 2
    assert (tmp_path / "reconstructions.png").read_bytes().startswith(b"\x89PNG")
    pictures = np.load(tmp_path / "reconstructions.npz")
    hidden = pictures["hidden"]
    assert hidden.mean() == pytest.approx(0.75)
    assert np.array_equal(pictures["image"][~hidden], pictures["reconstructed"][~hidden])


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["reconstruct", "encode"])
def test_inference_of_pretraining(run_bundle, tissue_folder, pretrained, tmp_path, mode):
    image = tissue_folder / "test/images/cube.tif"
    model = pretrained / "model.pt"
    done = run_bundle("mae_pretrain", "inference", image=image, checkpoint=model, mode=mode, output_dir=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    if mode == "reconstruct":
        result = open_volume(tmp_path / "cube_reconstruction.tif")
        assert (result.shape, result.voxel_size_nm) == ((16, 96, 96), (30, 6, 6))
    else:
        import h5py

        with h5py.File(tmp_path / "cube_features.h5") as file:
            assert file["features"].shape == (48, 4, 6, 6)
            assert file["features"].attrs["voxel_size_nm"].tolist() == [120, 96, 96]


@pytest.mark.slow
def test_evaluation_of_segmentation_scores_with_controls(run_bundle, tissue_folder, fine_tuned, tmp_path):
    options = {**SHORT, **TINY["em_segmentation"], "dataset_dir": tissue_folder, "output_dir": tmp_path}
    done = run_bundle("em_segmentation", EVALUATE, ckpt_dir=fine_tuned, **options)
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads((tmp_path / "scores.json").read_text())
    controls = {"connected components", "one segment", "true affinities"}
    assert set(result["scores"]) == {"mean agglomeration", "mutex watershed"} | controls
    # Where inference finds what was chosen.
    assert vars(load_options(fine_tuned / "model.pt")) == {**result["options"], "strides": ANY}
    assert list(vars(load_options(fine_tuned / "model.pt"))["strides"]) == result["options"]["strides"]
    assert result["scores"]["true affinities"]["are"] < 0.01
    assert result["scores"]["one segment"]["voi_split"] == 0
    assert (tmp_path / "overlay.png").is_file()
    assert (result["validation"], result["test"]) == (["validation/images/cube.tif"], ["test/images/cube.tif"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bundle", "overrides", "difference"),
    [
        ("em_segmentation", {"hidden_size": 96, "depth": 3}, "hidden_size 48, got 96"),
        (
            "em_segmentation",
            {"intensity___target_": "sectome.transforms.PercentileIntensity"},
            "intensity _target_ 'sectome.transforms.standardise_intensity.StandardiseIntensity', got "
            "'sectome.transforms.percentile_intensity.PercentileIntensity'",
        ),
        ("mae_pretrain", {"num_heads": 4}, "num_heads 3, got 4"),
    ],
)
def test_an_evaluation_with_other_settings_than_the_training_is_refused_and_leaves_nothing(
    run_bundle, tissue_folder, pretrained, fine_tuned, tmp_path, bundle, overrides, difference
):
    run = {"mae_pretrain": pretrained, "em_segmentation": fine_tuned}[bundle]
    options = {**SHORT, **TINY[bundle], "dataset_dir": tissue_folder, "output_dir": tmp_path / "run", **overrides}
    done = run_bundle(bundle, EVALUATE, ckpt_dir=run, **options)
    assert done.returncode == 2, done.stderr[-3000:]
    last = done.stderr.strip().splitlines()[-1]
    assert last == (
        f"error: {run / 'model.pt'} was trained with {difference}; use it with the overlays and options of its training"
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_inference_needs_a_volume_and_weights_only_and_writes_neurons(run_bundle, tissue_folder, fine_tuned, tmp_path):
    # Another format, in a folder of its own, and longer than the window along one axis only.
    raw = np.asarray(open_volume(tissue_folder / "test/images/cube.tif"))[:10, :50]
    write_volume(tmp_path / "cube.h5:raw", raw, voxel_size_nm=(30, 6, 6))
    done = run_bundle(
        "em_segmentation",
        "inference",
        image=tmp_path / "cube.h5:raw",
        checkpoint=fine_tuned / "model.pt",
        output_dir=tmp_path / "out",
        threshold=0.4,
        save_affinities=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    labels = open_volume(tmp_path / "out/cube_raw_labels.tif")
    assert (labels.shape, labels.voxel_size_nm) == (raw.shape, (30, 6, 6))
    assert np.issubdtype(labels.dtype, np.integer)
    affinities = StoredAffinities(tmp_path / "out/cube_raw_affinities.zarr")
    assert affinities.read_all().shape == (12, *raw.shape)
    assert affinities.offsets[:3] == NEAREST


@pytest.mark.slow
def test_inference_by_other_offsets_than_those_of_the_training_is_refused(
    run_bundle, tissue_folder, fine_tuned, tmp_path
):
    # As many as the training's, so that they fit the channels.
    offsets = [*json.loads((fine_tuned / "model.json").read_text())["offsets"][:-1], [0, 0, -2]]
    image, out = tissue_folder / "test/images/cube.tif", tmp_path / "out"
    model = fine_tuned / "model.pt"
    done = run_bundle("em_segmentation", "inference", image=image, checkpoint=model, output_dir=out, offsets=offsets)
    assert done.returncode == 2, done.stderr[-3000:]
    assert f"error: {model} was trained with offsets" in done.stderr
    assert not out.exists()


@pytest.mark.slow
@pytest.mark.parametrize("bundle", [*TINY])
def test_inference_without_the_settings_of_its_model_is_refused(run_bundle, tissue_folder, tmp_path, bundle):
    (tmp_path / "model.pt").write_bytes(b"")
    image = tissue_folder / "test/images/cube.tif"
    done = run_bundle(bundle, "inference", image=image, checkpoint=tmp_path / "model.pt", output_dir=tmp_path / "out")
    assert done.returncode == 2, done.stderr[-3000:]
    assert f"with its settings in {tmp_path / 'model.json'}, got no such file" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("bundle", [*TINY])
def test_inference_of_no_image_is_refused(run_bundle, tmp_path, bundle):
    done = run_bundle(bundle, "inference", output_dir=tmp_path / "out", datalist=[])
    assert done.returncode == 2, done.stderr[-2000:]
    sentence = "error: the number of images in datalist must be a whole number of at least 1, got 0"
    assert done.stderr.strip().splitlines()[-1] == sentence
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [(True, "expected a C++ compiler for compile"), ("no", "compile must be true or false, got 'no'")],
)
def test_an_evaluation_is_compiled_where_that_is_asked_for(
    run_bundle, tissue_folder, tmp_path, monkeypatch, given, sentence
):
    monkeypatch.setenv("CXX", "no-such-compiler")
    test = [{kind: str(tissue_folder / f"test/{kind}s/cube.tif") for kind in ("image", "label")}]
    # The overlay of the bundle's own weights.
    configs = [*EVALUATE, "datasets/fib25_medulla"]
    options = {"output_dir": tmp_path / "out", "val_data": test, "test_data": test, "compile": given}
    done = run_bundle("em_segmentation", configs, **options)
    assert done.returncode == 2, done.stderr[-2000:]
    assert done.stderr.strip().splitlines()[-1].startswith(f"error: {sentence}")
    assert not (tmp_path / "out").exists()


def bad_inputs(folder):
    """Name, overrides of train.json, and what the sentence must say."""
    good = np.asarray(open_volume(folder / "train/images/cube.tif"))
    truncated = folder / "truncated.tif"
    truncated.write_bytes((folder / "train/images/cube.tif").read_bytes()[:5000])
    write_volume(folder / "flat.npz:a", good, voxel_size_nm=(30, 6, 6))
    np.save(folder / "flat.npy", good[0])
    np.save(folder / "sizeless.npy", good)
    write_volume(folder / "nan.tif", np.where(good == good.max(), np.nan, good), voxel_size_nm=(30, 6, 6))
    write_volume(folder / "short.tif", good[:9].astype(np.uint8), voxel_size_nm=(30, 6, 6))

    def data(image, label="train/labels/cube.tif"):
        return [{"image": str(folder / image), "label": str(folder / label)}]

    return {
        "missing file": ({"train_data": data("none.tif")}, "none.tif"),
        "truncated file": ({"train_data": data("truncated.tif")}, "truncated.tif"),
        "2D image": ({"train_data": data("flat.npy")}, "flat.npy"),
        "no voxel size": ({"train_data": data("sizeless.npy")}, "voxel_size_nm"),
        "other shape": ({"train_data": data("train/images/cube.tif", "short.tif")}, "must have the shape of"),
        "no numbers": ({"train_data": data("nan.tif")}, "that are NaN or infinite"),
        "unknown places": ({"places": "objects"}, "places must be one of"),
        "patch does not divide": ({"crop_size": [8, 32, 40]}, "got 40 voxels and a patch of 16 along x"),
        "a single patch": ({"crop_size": [4, 16, 16]}, "crop_size must hold at least two patches, got (4, 16, 16)"),
        "one number for a crop": ({"crop_size": 16}, "crop_size must be three whole numbers of at least 1"),
        "no batch": ({"batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
        "a negative rate": ({"lr": -1}, "lr must be a number of at least 0, got -1"),
        "unknown key": ({"epohcs": 3}, "unknown config key 'epohcs', did you mean 'epochs'"),
        "unknown nested key": ({"train__trainer__max_epoch": 3}, "did you mean 'max_epochs'"),
        "missing checkpoint": ({"pretrained": "none.pt"}, "none.pt"),
        "no data": ({"dataset_dir": "nowhere"}, "expected volumes in"),
    }


BAD = [
    "missing file",
    "truncated file",
    "2D image",
    "no voxel size",
    "other shape",
    "no numbers",
    "unknown places",
    "patch does not divide",
    "a single patch",
    "one number for a crop",
    "no batch",
    "a negative rate",
    "unknown key",
    "unknown nested key",
    "missing checkpoint",
    "no data",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence_and_leaves_nothing(run_bundle, tissue_folder, tmp_path, name):
    overrides, sentence = bad_inputs(tissue_folder)[name]
    options = {**SHORT, **TINY["em_segmentation"], "dataset_dir": tissue_folder, **overrides}
    output = tmp_path / "run"
    done = run_bundle("em_segmentation", "train", output_dir=output, ckpt_dir=output, **options)
    assert done.returncode == 2, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert sentence in last
    assert not output.exists()


@pytest.mark.slow
def test_a_loss_that_explodes_ends_the_run_with_the_batch_and_spares_the_last_checkpoint(
    run_bundle, tissue_folder, tmp_path
):
    options = {**SHORT, **TINY["em_segmentation"], "dataset_dir": tissue_folder, "output_dir": tmp_path}
    options |= {"ckpt_dir": tmp_path, "lr": 1e30, "warmup_steps": 0, "epoch_length": 1, "epochs": 9, "val_interval": 9}
    done = run_bundle("em_segmentation", "train", **options)
    assert done.returncode == 2, done.stderr[-2000:]
    last = done.stderr.strip().splitlines()[-1]
    assert "error: the loss must be a finite number, got nan at iteration 2 (samples 2 to 3)" in last
    assert f"the last good weights are in {tmp_path / 'checkpoint.pt'}" in last
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["trainer"]["iteration"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("bundle", [*TINY])
@pytest.mark.parametrize(("lr", "broken"), [(1e30, "val_loss must be a finite number"), (1e39, "the weights must be")])
def test_weights_that_the_last_step_of_an_epoch_breaks_are_not_kept(
    run_bundle, tissue_folder, tmp_path, bundle, lr, broken
):
    options = {**SHORT, **TINY[bundle], "dataset_dir": tissue_folder, "output_dir": tmp_path, "ckpt_dir": tmp_path}
    done = run_bundle(bundle, "train", **{**options, "lr": lr, "warmup_steps": 0, "epoch_length": 1})
    assert done.returncode == 2, done.stderr[-2000:]
    assert f"error: {broken}" in done.stderr
    assert "after iteration 1; no epoch was done" in done.stderr
    assert not list(tmp_path.glob("*.pt"))


@pytest.mark.slow
def test_a_volume_thinner_than_the_crop_trains(run_bundle, tissue_folder, tmp_path):
    options = {**SHORT, **TINY["em_segmentation"], "dataset_dir": tissue_folder, "crop_size": [32, 32, 32], "epochs": 1}
    done = run_bundle("em_segmentation", "train", output_dir=tmp_path, ckpt_dir=tmp_path, **options)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_a_checkpoint_of_another_depth_is_refused(run_bundle, tissue_folder, pretrained, tmp_path):
    options = {**SHORT, **TINY["em_segmentation"], "depth": 3, "pretrained": pretrained / "model.pt"}
    done = run_bundle(
        "em_segmentation", "train", dataset_dir=tissue_folder, output_dir=tmp_path / "run", ckpt_dir=tmp_path, **options
    )
    assert done.returncode == 2
    assert "must hold an encoder of depth 3, got depth 2" in done.stderr


@pytest.mark.parametrize("label_server", [False, True])
@pytest.mark.parametrize("bundle", [*TINY])
def test_a_training_names_what_an_evaluation_writes_and_leaves_a_label_server_its_thresholds(
    monkeypatch, bundle, label_server
):
    if label_server:
        monkeypatch.setitem(sys.modules, "monailabel", sys)
    parser = ConfigParser({"imports": ["$import sectome.bundle as bundle"], "output_dir": "run", "ckpt_dir": "models"})
    train = json.loads((BUNDLES / bundle / "configs/train.json").read_text())["train"]
    parser["train"] = {"evaluated": train["evaluated"]}
    parser["outdated"] = train["handlers"][-1]["outdated"]
    found = {
        "mae_pretrain": ["run/evaluation.json", "run/reconstructions.npz", "run/reconstructions.png"],
        "em_segmentation": ["run/scores.json", "run/overlays.npz", "run/overlay.png"],
    }
    thresholds = ["models/segmentation.json"] if bundle == "em_segmentation" and not label_server else []
    assert parser.get_parsed_content("outdated") == [*found[bundle], *thresholds]


@pytest.mark.parametrize("name", ["demo", "small", "base"])
def test_both_bundles_have_one_encoder_a_size(name):
    sizes = [json.loads((BUNDLES / bundle / f"configs/sizes/{name}.json").read_text()) for bundle in TINY]
    for key in ("hidden_size", "depth", "num_heads"):
        assert sizes[0][key] == sizes[1][key]


def test_both_bundles_share_the_settings_of_a_data_set():
    for path in (BUNDLES / "mae_pretrain/configs/datasets").glob("*.json"):
        one, other = (json.loads((BUNDLES / bundle / "configs/datasets" / path.name).read_text()) for bundle in TINY)
        for key in ("crop_size", "patch_size", "voxel_size_nm", "isotropic"):
            assert one.get(key) == other.get(key), (path.name, key)
