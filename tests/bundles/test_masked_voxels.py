"""Masked pre-training of a whole network: what is hidden, what that costs, and a run from raw tissue to fine-tuning."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from sectome.checks import InputError
from sectome.training.pictures import figure_pixels
from tiny_networks import TINY
from trained_runs import load, numbers

PATCH = (1, 2, 4)
SHAPE = (3, 1, 4, 8, 16)


@pytest.fixture
def batch():
    random = torch.Generator().manual_seed(0)
    return {"image": torch.randn(SHAPE, generator=random), "label": torch.randn(SHAPE, generator=random)}


@pytest.fixture
def hide(segmentation_scripts):
    torch.manual_seed(0)
    return segmentation_scripts.HidePatches(PATCH, mask_ratio=0.75)


@pytest.fixture
def loss(segmentation_scripts):
    return segmentation_scripts.HiddenVoxelLoss()


def test_hidden_patches_are_0_and_their_voxels_the_target(hide, batch):
    before = {key: tensor.clone() for key, tensor in batch.items()}
    image, voxels = hide(batch, torch.device("cpu"))
    hidden = ~voxels.isnan()
    assert (image[hidden] == 0).all()
    assert torch.equal(image[~hidden], batch["image"][~hidden])
    assert torch.equal(voxels[hidden], batch["label"][hidden])
    assert all(torch.equal(batch[key], tensor) for key, tensor in before.items())


def test_whole_patches_are_hidden_as_many_of_each_crop_as_the_ratio_says(hide, batch):
    hidden = ~hide(batch, torch.device("cpu"))[1].isnan()
    # (B, C, gz, pz, gy, py, gx, px) -> (B, patches, voxels of one)
    patches = hidden.reshape(3, 1, 4, 1, 4, 2, 4, 4).permute(0, 1, 2, 4, 6, 3, 5, 7).reshape(3, 64, 8)
    assert torch.equal(patches.all(dim=2), patches.any(dim=2))
    assert patches.all(dim=2).sum(dim=1).tolist() == [48, 48, 48]
    assert not torch.equal(hidden[0], hidden[1])


def test_tubes_are_hidden_in_all_sections(segmentation_scripts, batch):
    hide = segmentation_scripts.HidePatches(PATCH, mask_ratio=0.5, mask="tube")
    hidden = ~hide(batch, torch.device("cpu"))[1].isnan()
    assert torch.equal(hidden.any(dim=2), hidden.all(dim=2))
    assert hidden.float().mean() == 0.5


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"mask_ratio": 1.0}, "mask_ratio must lie between 0 and 1, got 1.0"),
        ({"mask": "tubes"}, "mask must be one of .* got 'tubes'"),
        ({"mask_block": [2, 2]}, r"mask_block must be three whole numbers of at least 1 \(z, y, x\), got \[2, 2\]"),
    ],
)
def test_a_mask_that_is_none_is_refused_before_anything_runs(segmentation_scripts, options, sentence):
    with pytest.raises(InputError, match=sentence):
        segmentation_scripts.HidePatches(PATCH, **options)


def test_the_loss_is_the_mean_over_hidden_voxels(hide, loss, batch):
    _, voxels = hide(batch, torch.device("cpu"))
    prediction = torch.randn(SHAPE, requires_grad=True)
    value = loss(prediction, voxels)
    pairs = zip(prediction.flatten().tolist(), voxels.flatten().tolist(), strict=True)
    squares = [(predicted - voxel) ** 2 for predicted, voxel in pairs if voxel == voxel]
    assert value.item() == pytest.approx(sum(squares) / len(squares), rel=1e-5)
    value.backward()
    assert prediction.grad.isfinite().all()
    assert torch.equal(prediction.grad != 0, ~voxels.isnan())
    assert loss(batch["label"], voxels) == 0


def test_the_picture_shows_the_image_where_it_is_seen_and_the_prediction_where_it_is_not(
    segmentation_scripts, hide, batch
):
    picture = segmentation_scripts.HiddenVoxelPicture((30, 6, 6))
    image, voxels = hide({**batch, "label": batch["image"]}, torch.device("cpu"))
    taken = picture.take({"image": image, "label": voxels, "pred": batch["label"]})
    hidden = taken["hidden"]
    assert hidden.mean() == 0.75
    assert np.array_equal(taken["image"], batch["image"][:2, 0])
    assert (taken["masked"][hidden] == 0).all()
    assert np.array_equal(taken["reconstructed"][hidden], batch["label"][:2, 0].numpy()[hidden])
    assert np.array_equal(taken["reconstructed"][~hidden], taken["image"][~hidden])
    assert figure_pixels(picture.draw(taken)).shape[2] == 3


SHORT = {"epochs": 2, "epoch_length": 3, "val_interval": 1, "val_crops": 2, "batch_size": 2, "crop_size": [8, 32, 32]}
PRETRAIN = ["train", "pretraining/masked_voxels"]


@pytest.fixture(scope="module")
def train(run_bundle, tissue_folder):
    """Train into a folder, by the overlays and options that are given; return how that ended."""

    def run(configs, folder, **options):
        # Labels that are there are not looked at.
        paths = {"image": "images/cube.tif", "label": "labels/cube.tif"}
        entries = [{key: str(tissue_folder / "unlabelled" / path) for key, path in paths.items()}]
        data = {"val_data": entries, "train_data": entries} if PRETRAIN[-1] in configs else {}
        options = {**SHORT, **TINY["em_segmentation"], "dataset_dir": tissue_folder, **data, **options}
        return run_bundle("em_segmentation", configs, output_dir=folder, ckpt_dir=folder, **options)

    return run


@pytest.fixture(scope="module")
def pretrained(train, tmp_path_factory):
    run = tmp_path_factory.mktemp("masked_voxels")
    done = train(PRETRAIN, run)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "pre-train: 6/6" in done.stdout
    return run


@pytest.mark.slow
def test_unlabelled_tissue_teaches_a_whole_network(pretrained):
    settings = json.loads((pretrained / "run.json").read_text())["settings"]
    assert (settings["mask_ratio"], settings["mask"], settings["out_channels"]) == (0.6, "random", 1)
    first, last = numbers(pretrained, "val_loss")
    assert last < first
    # The same crops under the same masks in each validation.
    assert len(set(numbers(pretrained, "val_loss_of_mean"))) == 1
    assert numbers(pretrained, "learning_rate encoder") == numbers(pretrained, "learning_rate rest")


@pytest.mark.slow
def test_a_stopped_pretraining_goes_on_bit_for_bit(train, pretrained, tmp_path):
    # The schedule is that of two epochs in both parts, as when a run of two epochs is killed after the first.
    assert train(PRETRAIN, tmp_path, epochs=1, schedule__t_total=6).returncode == 0
    resumed = train(PRETRAIN, tmp_path)
    assert "resume from epoch 1" in resumed.stdout, resumed.stderr[-3000:]
    for key, value in load(pretrained)["model"].items():
        assert torch.equal(value, load(tmp_path)["model"][key]), key
    assert numbers(tmp_path, "val_loss") == numbers(pretrained, "val_loss")
    other = train(PRETRAIN, tmp_path, epochs=3, mask_ratio=0.5)
    assert "was made with mask_ratio 0.6, got 0.5" in other.stderr


@pytest.mark.slow
def test_the_device_may_keep_the_volumes_and_augment(train, pretrained, tmp_path):
    done = train(PRETRAIN, tmp_path, resident=True, augment_on_device=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert numbers(tmp_path, "loss") == pytest.approx(numbers(pretrained, "loss"), rel=1e-3)


@pytest.mark.slow
def test_fine_tuning_starts_from_all_of_it_but_the_head(train, pretrained, tmp_path):
    # At a learning rate of 0 the weights stay as they were loaded.
    done = train(["train"], tmp_path, pretrained=pretrained / "model.pt", lr=0.0, epochs=1)
    assert done.returncode == 0, done.stderr[-3000:]
    before, after = load(pretrained)["model"], load(tmp_path)["model"]
    assert [key for key in after if not torch.equal(before[key], after[key])] == [
        "decoder.out.weight",
        "decoder.out.bias",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("network", ["unetr", "residual_unet"])
def test_other_networks_are_pretrained_likewise(train, tmp_path, network):
    configs = ["train", f"networks/{network}"]
    done = train([*configs, PRETRAIN[-1]], tmp_path / "first", epochs=1)
    assert done.returncode == 0, done.stderr[-3000:]
    done = train(configs, tmp_path / "second", epochs=1, pretrained=tmp_path / "first/model.pt")
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_sections_that_are_torn_and_lost_may_be_learned_from_as_well(train, tmp_path):
    done = train(["train", "augmentation/serial_sections", PRETRAIN[-1]], tmp_path, epochs=1)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_without_the_overlay_a_mask_is_an_unknown_key(train, tmp_path):
    done = train(["train"], tmp_path / "run", mask_ratio=0.5)
    assert done.returncode == 2
    assert "error: unknown config key 'mask_ratio'" in done.stderr
