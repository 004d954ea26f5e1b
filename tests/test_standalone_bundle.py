"""A standalone bundle: its configs fit its weights, in a folder or an archive."""

from __future__ import annotations

import json
import os
import re
import shutil
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

from sectome.checks import InputError
from sectome.described import describe
from sectome.phantom import make_phantom
from sectome.standalone_bundle import OF_NETWORK, make_standalone_bundle
from sectome.transforms import PercentileIntensity
from sectome.volumes import open_volume, write_volume
from tiny_networks import BUNDLES, TINY

SOURCE = BUNDLES / "em_segmentation"
ROOT = BUNDLES.parent
UNETR, RESIDUAL_UNET = "networks/unetr.json", "networks/residual_unet.json"
AFFINITIES, CONTOUR = "targets/affinities.json", "targets/boundary_contour.json"
MAPS = ["foreground", "contour"]


def config(folder, name):
    return json.loads((folder / "configs" / f"{name}.json").read_text())


@pytest.fixture
def model(tmp_path):
    """A checkpoint with settings that are not the defaults."""
    path = tmp_path / "run" / "model.pt"
    path.parent.mkdir()
    torch.save({"model": {}}, path)
    settings = {"patch_size": [8, 4, 4], "crop_size": [16, 8, 8], "depth": 1, "out_channels": 2, "lr": 5.0, "seed": 3}
    path.with_suffix(".json").write_text(json.dumps(settings))
    return path


def say(model, **settings):
    """Let a checkpoint's settings say more."""
    path = model.with_suffix(".json")
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def test_training_goes_on_as_the_network_was_and_with_nothing_else_of_that_run(model, tmp_path):
    make_standalone_bundle(SOURCE, tmp_path / "out", model)
    before, after = config(SOURCE, "train"), config(tmp_path / "out", "train")
    changed = {key for key in before if after[key] != before[key]}
    assert changed == {"patch_size", "crop_size", "depth", "out_channels"} < set(OF_NETWORK)
    assert after["patch_size"] == [8, 4, 4]
    assert config(tmp_path / "out", "inference") == config(SOURCE, "inference")
    assert {path.name for path in (tmp_path / "out/models").iterdir()} == {"model.pt", "model.json"}


def test_what_a_data_sets_overlay_says_of_the_network_gives_way_to_what_the_model_was_trained_as(model, tmp_path):
    say(model, offsets=[[-1, 0, 0], [0, -2, 0]])
    (tmp_path / "set.json").write_text(json.dumps({"offsets": [[-1, 0, 0], [0, -1, 0]], "crop_size": [32, 8, 8]}))
    make_standalone_bundle(SOURCE, tmp_path / "out", model, [tmp_path / "set.json"])
    assert config(tmp_path / "out", "inference") == config(SOURCE, "inference")
    train = config(tmp_path / "out", "train")
    assert (train["offsets"], train["crop_size"]) == ([[-1, 0, 0], [0, -2, 0]], [16, 8, 8])


def test_training_goes_on_with_the_grey_values_that_the_network_was_trained_on(model, tmp_path):
    settings = json.loads(model.with_suffix(".json").read_text())
    grey_values = describe(PercentileIntensity(per_section=True))
    model.with_suffix(".json").write_text(json.dumps({**settings, "intensity": grey_values}))
    make_standalone_bundle(SOURCE, tmp_path / "percentiles", model)
    parser = ConfigParser({"intensity": config(tmp_path / "percentiles", "train")["intensity"]})
    assert describe(parser.get_parsed_content("intensity")) == grey_values
    model.with_suffix(".json").write_text(json.dumps({**settings, "intensity": {"_target_": "os.system"}}))
    with pytest.raises(InputError, match=r"normalised by os.system, which is not part of sectome"):
        make_standalone_bundle(SOURCE, tmp_path / "other", model)
    (tmp_path / "own.json").write_text(json.dumps({"intensity": {"_target_": "mine.GreyValues"}}))
    make_standalone_bundle(SOURCE, tmp_path / "other", model, [tmp_path / "own.json"])
    assert config(tmp_path / "other", "train")["intensity"] == {"_target_": "mine.GreyValues"}


def test_training_and_evaluation_go_on_with_the_contours_that_the_network_was_trained_on(model, tmp_path):
    say(model, channels=MAPS, isotropic=False, contour_width_voxels=2, contour_in_plane=False)
    make_standalone_bundle(SOURCE, tmp_path / "out", model, [CONTOUR])
    loss = {"_target_": "scripts.BoundaryContourLoss", "width_voxels": 2, "in_plane": False}
    assert config(tmp_path / "out", "train")["loss"] == loss


def test_metadata_describe_what_comes_out(model, tmp_path):
    say(model, crop_size=[16.0, 8.0, 8.0])
    make_standalone_bundle(SOURCE, tmp_path / "out", model, label="mitochondrion")
    formats = config(tmp_path / "out", "metadata")["network_data_format"]
    prediction = formats["outputs"]["pred"]
    assert prediction["channel_def"] == {"0": "background", "1": "mitochondrion"}
    assert prediction["num_channels"] == 2
    assert prediction["spatial_shape"] == formats["inputs"]["image"]["spatial_shape"] == [16, 8, 8]
    assert all(isinstance(size, int) for size in prediction["spatial_shape"])


def test_each_config_takes_the_keys_of_an_overlay_that_it_has(model, tmp_path):
    say(model, channels=MAPS)
    make_standalone_bundle(SOURCE, tmp_path / "out", model, [CONTOUR, "augmentation/serial_sections.json"])
    train, evaluate, inference = (config(tmp_path / "out", name) for name in ("train", "evaluate", "inference"))
    contour = config(SOURCE, "targets/boundary_contour")
    assert train["loss"] == contour["loss"]
    assert evaluate["scores"] == contour["scores"]
    assert inference["decode"] == contour["decode"]
    assert inference["displayable_configs"] == contour["displayable_configs"]
    assert not {"decode", "displayable_configs", "scores"} & set(train)
    assert train["train"]["augmentation"] != config(SOURCE, "train")["train"]["augmentation"]


def test_thresholds_come_from_the_weights_that_a_training_went_on_from(model, tmp_path):
    say(model, weights=str(SOURCE / "models/model.pt"))
    make_standalone_bundle(SOURCE, tmp_path / "out", model)
    assert (tmp_path / "out/models/segmentation.json").read_text() == (SOURCE / "models/segmentation.json").read_text()


def test_thresholds_are_found_where_the_training_ran_in_the_source(model, tmp_path, monkeypatch):
    say(model, weights="models/model.pt")
    elsewhere = tmp_path / "other" / "models" / "segmentation.json"
    elsewhere.parent.mkdir(parents=True)
    elsewhere.write_text("of another model")
    monkeypatch.chdir(tmp_path / "other")
    make_standalone_bundle(SOURCE, tmp_path / "out", model)
    assert (tmp_path / "out/models/segmentation.json").read_text() == (SOURCE / "models/segmentation.json").read_text()


def test_the_command_writes_an_archive_with_one_folder(run, tmp_path):
    code, out, _ = run("bundle", SOURCE, tmp_path / "cortex.zip", "--overlays", "augmentation/serial_sections.json")
    assert code == 0
    assert f"wrote {tmp_path / 'cortex.zip'}" in out
    names = zipfile.ZipFile(tmp_path / "cortex.zip").namelist()
    assert {name.split("/")[0] for name in names} == {"cortex"}
    assert {
        "cortex/LICENSE",
        "cortex/scripts/unetr.py",
        "cortex/models/model.pt",
        "cortex/models/segmentation.json",
    } <= {*names}
    assert not [name for name in names if "__pycache__" in name or "/eval/" in name]


def test_overlays_may_be_parted_by_a_comma_and_a_space(run, tmp_path):
    code, _, err = run("bundle", SOURCE, tmp_path / "out", "--overlays", "augmentation/serial_sections.json, none.json")
    assert code == 2
    assert "an overlay must be a config file, got none.json, which" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "docs"}, "source must be the folder of a bundle, with configs/metadata.json, got docs"),
        ({"output": "."}, "output must not exist yet, got ."),
        ({"checkpoint": "none.pt"}, "expected a trained model at none.pt with its settings in none.json"),
        (
            {"overlays": ["targets/contour.json"]},
            "an overlay must be a config file, got targets/contour.json, which exists",
        ),
        ({"overlays": ["metadata.json"]}, "an overlay must hold keys of a config only, got 'schema'"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        make_standalone_bundle(**({"source": SOURCE, "output": "out.zip"} | arguments))
    assert not list(tmp_path.iterdir())


def test_a_model_that_was_only_pretrained_is_no_bundle_that_segments(model, tmp_path):
    say(model, mask_ratio=0.6)
    with pytest.raises(InputError, match=r"got one that was pre-trained to predict hidden voxels; fine-tune it first"):
        make_standalone_bundle(SOURCE, tmp_path / "out", model)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_model_that_segments_is_no_bundle_that_pretrains(model, tmp_path):
    with pytest.raises(
        InputError, match=r"expected a model that was trained with .*mae_pretrain, got .*, which is of a bundle"
    ):
        make_standalone_bundle(BUNDLES / "mae_pretrain", tmp_path / "out", model)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_what_is_said_of_the_sources_weights_stays_with_them(model, tmp_path):
    shutil.copyfile(SOURCE / "models/model.json", tmp_path / "copy.json")
    shutil.copyfile(SOURCE / "models/model.pt", tmp_path / "copy.pt")
    for name, weights in {"own": None, "copy": tmp_path / "copy.pt", "other": model}.items():
        make_standalone_bundle(SOURCE, tmp_path / name, weights)
    before = config(SOURCE, "metadata")
    readme = (SOURCE / "docs/README.md").read_text()
    for name in ("own", "copy"):
        assert {path.name for path in (tmp_path / name / "docs").iterdir()} >= {"model_card.md", "data_license.txt"}
        assert (tmp_path / name / "docs/README.md").read_text() == readme
        assert config(tmp_path / name, "metadata") == before
    assert [path.name for path in (tmp_path / "other/docs").iterdir()] == ["README.md"]
    note = (tmp_path / "other/docs/README.md").read_text().removesuffix(readme)
    assert note.startswith("**The weights of this bundle are not the shipped ones")
    after = config(tmp_path / "other", "metadata")
    assert "FIB-25" in before["data_source"]
    assert after["data_source"].endswith("see train_data in models/model.json")
    assert {key for key in before if after[key] != before[key]} == {"data_source", "network_data_format"}


def test_a_bundle_of_other_targets_says_so_and_the_next_round_too(model, tmp_path):
    say(model, channels=MAPS)
    make_standalone_bundle(SOURCE, tmp_path / "one", model, [CONTOUR])
    make_standalone_bundle(tmp_path / "one", tmp_path / "two", model)
    for name in ("one", "two"):
        metadata = config(tmp_path / name, "metadata")
        assert metadata["name"] == "EM segmentation by foreground and contour"
        assert not [key for key in ("task", "description") if re.search("affinit|neuron", metadata[key])]
        assert (tmp_path / name / "docs/README.md").read_text().count("**The weights of this bundle") == 1


def test_weights_that_were_trained_in_place_to_other_targets_are_not_the_sources_own(tmp_path):
    make_standalone_bundle(SOURCE, tmp_path / "source")
    say(tmp_path / "source/models/model.pt", channels=MAPS)
    make_standalone_bundle(tmp_path / "source", tmp_path / "out", overlays=[CONTOUR])
    assert [path.name for path in (tmp_path / "out/docs").iterdir()] == ["README.md"]
    assert "FIB-25" not in config(tmp_path / "out", "metadata")["data_source"]


@pytest.mark.parametrize(
    ("settings", "overlays", "message"),
    [
        (
            {"network": "hybrid"},
            [RESIDUAL_UNET],
            f"(network hybrid), got network residual_unet; leave out {RESIDUAL_UNET}",
        ),
        ({"network": "residual_unet"}, [], f"(network residual_unet), got network hybrid; add {RESIDUAL_UNET}"),
        (
            {"network": "unetr"},
            [RESIDUAL_UNET],
            f"(network unetr), got network residual_unet; leave out {RESIDUAL_UNET} and add {UNETR}",
        ),
        ({"network": "other"}, [], "got network hybrid; name the bundle and the overlays of its training"),
        ({"channels": MAPS}, [], f"(foreground and contour), got affinities; add {CONTOUR}"),
        ({"channels": MAPS}, [AFFINITIES], f"got affinities; leave out {AFFINITIES} and add {CONTOUR}"),
        ({"channels": None}, [CONTOUR], f"(affinities), got foreground and contour; leave out {CONTOUR}"),
        ({}, [CONTOUR], f"(affinities), got foreground and contour; leave out {CONTOUR}"),
    ],
)
def test_configs_that_would_not_fit_the_weights_are_not_written(model, tmp_path, settings, overlays, message):
    say(model, **settings)
    with pytest.raises(InputError, match=re.escape(f"overlays must describe what {model} was trained as ")) as raised:
        make_standalone_bundle(SOURCE, tmp_path / "out.zip", model, overlays)
    assert str(raised.value).endswith(message)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    ("settings", "overlays"),
    [
        ({"network": "hybrid"}, [AFFINITIES]),
        ({"network": "residual_unet", "channels": MAPS}, [RESIDUAL_UNET, CONTOUR]),
        ({}, [RESIDUAL_UNET]),
    ],
)
def test_configs_that_fit_the_weights_are_written_and_need_no_overlays_again(model, tmp_path, settings, overlays):
    say(model, **settings)
    make_standalone_bundle(SOURCE, tmp_path / "one", model, overlays)
    make_standalone_bundle(tmp_path / "one", tmp_path / "two", model)
    assert config(tmp_path / "two", "inference") == config(tmp_path / "one", "inference")


@pytest.mark.slow
def test_an_archive_and_a_wheel_segment_a_volume_in_a_fresh_environment(tmp_path):
    """What `make bundles` writes, in an environment that has the wheel of sectome and its dependencies alone."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    wheel = ["wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(ROOT)]
    subprocess.run([*pip, *wheel], check=True, capture_output=True)
    venv.create(tmp_path / "venv", symlinks=True)
    packages = next((tmp_path / "venv").glob("lib/python*/site-packages"))
    subprocess.run(
        [*pip, "install", "--no-deps", "--target", str(packages), *map(str, tmp_path.glob("*.whl"))],
        check=True,
        capture_output=True,
    )
    # Dependencies without network: those of this environment, but not its sectome.
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    make_standalone_bundle(SOURCE, tmp_path / "em_segmentation.zip")
    work = tmp_path / "work"
    zipfile.ZipFile(tmp_path / "em_segmentation.zip").extractall(work)
    write_volume(work / "volume.tif", make_phantom((16, 48, 56), (8, 8, 8), 0).raw, voxel_size_nm=(8, 8, 8))
    python = tmp_path / "venv" / "bin" / "python"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    where = [str(python), "-c", "import sectome; print(sectome.__file__)"]
    found = subprocess.run(where, cwd=work, env=environment, check=True, capture_output=True, text=True).stdout
    assert Path(found.strip()).is_relative_to(packages)
    words = ["-m", "monai.bundle", "run", "--config_file", "configs/inference.json", "--image", "../volume.tif"]
    done = subprocess.run(
        [str(python), "-W", "ignore", *words],
        cwd=work / "em_segmentation",
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    labels = open_volume(work / "em_segmentation/eval/volume_labels.tif")
    assert labels.shape == (16, 48, 56)
    assert np.unique(labels).size > 2


@pytest.mark.slow
def test_a_standalone_bundle_goes_on_training_from_its_weights(tmp_path, run_bundle):
    """Without an override for the network, and on labels that an annotator saved."""
    studies = tmp_path / "studies"
    tissue = make_phantom((16, 32, 32), (8, 8, 8), 0)
    write_volume(studies / "cube.nii.gz", tissue.raw, voxel_size_nm=(8, 8, 8))
    write_volume(studies / "labels/final/cube.nii.gz", tissue.neurons, voxel_size_nm=(8, 8, 8))
    options = {"crop_size": [16, 16, 16], "patch_size": [8, 8, 8], "epoch_length": 2, "val_crops": 1, "val_interval": 1}
    first, second = tmp_path / "first", tmp_path / "second"
    begun = run_bundle(
        "em_segmentation",
        ["train", "datasets/monailabel"],
        dataset_dir=studies,
        output_dir=first,
        ckpt_dir=first,
        epochs=1,
        **options,
        **TINY["em_segmentation"],
    )
    assert begun.returncode == 0, begun.stderr[-3000:]
    make_standalone_bundle(SOURCE, tmp_path / "bundle", first / "model.pt")
    gone_on = run_bundle(
        tmp_path / "bundle",
        ["train", "datasets/monailabel"],
        dataset_dir=studies,
        weights=first / "model.pt",
        output_dir=second,
        ckpt_dir=second,
        epochs=1,
        epoch_length=2,
        val_crops=1,
        val_interval=1,
        lr=1e-12,
    )
    assert gone_on.returncode == 0, gone_on.stderr[-3000:]
    one, two = (torch.load(folder / "model.pt", weights_only=True)["model"] for folder in (first, second))
    for name, weights in one.items():
        torch.testing.assert_close(two[name], weights, rtol=0, atol=1e-6)
