"""The segmentation bundle behind a real MONAI Label server: both its uses, over http, as a viewer calls it."""

from __future__ import annotations

import json
import shutil
import subprocess

import nibabel
import numpy as np
import pytest
import torch

from monai_label.label_server import PYTHON, LabelServer
from sectome.metrics import variation_of_information
from sectome.phantom import make_phantom
from sectome.standalone_bundle import make_standalone_bundle
from sectome.volumes import open_volume, write_volume
from tiny_networks import BUNDLES, TINY

NM = (8.0, 8.0, 8.0)
TURNED_MM = np.array([[0, -8e-6, 0, 0.01], [-8e-6, 0, 0, -0.02], [0, 0, 8e-6, 0.03], [0, 0, 0, 1]])
"""An affine that swaps two axes, mirrors one and has an offset."""

ROUND = {"epoch_length": 20, "warmup_steps": 5, "val_crops": 2}
"""A round of fine-tuning that is over in a minute."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.exists(), reason="MONAI Label is not installed: make .venv-monailabel/installed"),
]


@pytest.fixture(scope="module")
def phantom():
    return make_phantom((40, 56, 64), NM, 1)


@pytest.fixture(scope="module")
def studies(tmp_path_factory, phantom):
    folder = tmp_path_factory.mktemp("studies")
    raw = phantom.raw
    write_volume(folder / "phantom.nii.gz", raw, voxel_size_nm=NM)
    turned = nibabel.Nifti1Image(raw.T, TURNED_MM)
    turned.header.set_xyzt_units("mm")
    turned.to_filename(folder / "turned.nii.gz")
    write_volume(folder / "stack.tif", raw, voxel_size_nm=NM)
    write_volume(folder / "thin.nii", raw[:7], voxel_size_nm=NM)
    return folder


@pytest.fixture(scope="module")
def mitochondria_run(tmp_path_factory, run_bundle):
    folder = tmp_path_factory.mktemp("mitochondria")
    data = folder / "data"
    for seed, name in enumerate(("train", "validation")):
        tissue = make_phantom((32, 32, 32), NM, seed)
        write_volume(data / name / "images/cube.tif", tissue.raw, voxel_size_nm=NM)
        write_volume(data / name / "labels/cube.tif", tissue.mitochondria, voxel_size_nm=NM)
    done = run_bundle(
        "em_segmentation",
        ["train", "targets/boundary_contour"],
        dataset_dir=data,
        output_dir=folder,
        ckpt_dir=folder,
        crop_size=[16, 32, 32],
        patch_size=[8, 8, 8],
        epochs=1,
        epoch_length=2,
        val_interval=1,
        **TINY["em_segmentation"],
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "model.pt"


def keep_torchscript_alone(bundle, run_module):
    """Replace a bundle's model.pt by its TorchScript, as a user does it."""
    words = ["--net_id", "network_def", "--filepath", "models/model.ts", "--ckpt_file", "models/model.pt"]
    words += ["--meta_file", "configs/metadata.json", "--config_file", "configs/inference.json"]
    done = run_module("monai.bundle", "ckpt_export", *words, cwd=bundle)
    assert done.returncode == 0, done.stderr[-3000:]
    (bundle / "models" / "model.pt").unlink()


@pytest.fixture(scope="module")
def server(tmp_path_factory, studies, mitochondria_run, run_module):
    folder = tmp_path_factory.mktemp("label")
    words = ["apps", "--download", "--name", "monaibundle", "--output", "app"]
    subprocess.run([str(PYTHON), "-m", "monailabel.main", *words], cwd=folder, check=True, capture_output=True)
    models = folder / "app" / "monaibundle" / "model"
    make_standalone_bundle(BUNDLES / "em_segmentation", models / "em_segmentation")
    # MONAI Label lays the network's memory out otherwise, which in bfloat16 rounds so that labels can differ.
    for name, options in {"train": ROUND, "inference": {"precision": "fp32"}}.items():
        config = models / "em_segmentation" / "configs" / f"{name}.json"
        config.write_text(json.dumps(json.loads(config.read_text()) | options))
    make_standalone_bundle(
        BUNDLES / "em_segmentation",
        models / "em_mitochondria",
        mitochondria_run,
        ["targets/boundary_contour.json"],
        "mitochondrion",
    )
    for name in ("em_torchscript", "without_weights"):
        shutil.copytree(models / "em_segmentation", models / name)
    keep_torchscript_alone(models / "em_torchscript", run_module)
    (models / "without_weights" / "models" / "model.pt").unlink()
    names = ["em_segmentation", "em_mitochondria", "em_torchscript", "without_weights"]
    with LabelServer(folder, studies, names) as server:
        yield server


@pytest.fixture(scope="module")
def labels(server, tmp_path_factory):
    """What comes back for the plain NIfTI, and where."""
    path = server.infer("em_segmentation", "phantom", tmp_path_factory.mktemp("labels") / "phantom.nii.gz")
    return path, np.asarray(open_volume(path))


def test_info_names_the_objects_and_the_options_of_both_models(server):
    info = server.get("/info/")
    neurons, mitochondria = (info["models"][name] for name in ("em_segmentation", "em_mitochondria"))
    assert neurons["labels"] == {"neuron": 1}
    assert mitochondria["labels"] == {"mitochondrion": 1}
    chosen = json.loads((BUNDLES / "em_segmentation/models/segmentation.json").read_text())["options"]
    for name in ("threshold", "boundary_threshold", "min_size_voxels"):
        assert neurons["config"][name] == chosen[name]
    assert {"foreground", "seed_contour", "min_size_voxels"} <= set(mitochondria["config"])
    assert set(info["models"]) == {"em_segmentation", "em_mitochondria", "em_torchscript"}
    assert {"em_segmentation", "em_mitochondria"} <= set(info["trainers"])
    assert {"random", "first"} <= set(info["strategies"])


def test_a_nifti_comes_back_as_the_labels_that_the_bundle_makes_of_it(server, studies, labels, run_bundle, tmp_path):
    path, values = labels
    assert np.unique(values).size > 5
    image = studies / "phantom.nii.gz"
    done = run_bundle("em_segmentation", "inference", image=image, output_dir=tmp_path, precision="fp32")
    assert done.returncode == 0, done.stderr[-3000:]
    np.testing.assert_array_equal(values, np.asarray(open_volume(tmp_path / "phantom_labels.tif")))
    assert open_volume(path).voxel_size_nm == NM


def test_labels_have_the_affine_and_the_axes_of_a_turned_image(server, labels, tmp_path):
    answer = nibabel.load(server.infer("em_segmentation", "turned", tmp_path / "turned.nii.gz"))
    np.testing.assert_allclose(answer.affine, TURNED_MM, atol=1e-9)
    np.testing.assert_array_equal(np.asarray(answer.dataobj).T, labels[1])


def test_a_tiff_stack_comes_back_as_one(server, labels, tmp_path):
    path = server.infer("em_segmentation", "stack", tmp_path / "stack.tif")
    np.testing.assert_array_equal(np.asarray(open_volume(path)), labels[1])


def test_a_volume_thinner_than_the_window_is_segmented(server, tmp_path):
    thin = open_volume(server.infer("em_segmentation", "thin", tmp_path / "thin.nii"))
    assert thin.shape == (7, 56, 64)
    assert np.asarray(thin).max() > 1


def test_options_of_a_request_count(server, labels, tmp_path):
    path = server.infer("em_segmentation", "phantom", tmp_path / "one.nii.gz", threshold=0.0, min_size_voxels=10)
    assert np.unique(open_volume(path)).size < np.unique(labels[1]).size


def test_a_bundle_with_torchscript_alone_makes_the_same_labels(server, labels, tmp_path):
    path = server.infer("em_torchscript", "phantom", tmp_path / "phantom.nii.gz")
    np.testing.assert_array_equal(np.asarray(open_volume(path)), labels[1])


def test_mitochondria_come_back_as_whole_numbers(server, tmp_path):
    answer = open_volume(server.infer("em_mitochondria", "phantom", tmp_path / "m.nii.gz"))
    assert answer.shape == (40, 56, 64)
    assert answer.dtype.kind in "iu"


def spoil(weights):
    """Add noise as great as the weights: the shipped network segments the phantom too well to be improved."""
    content = torch.load(weights, weights_only=True)
    draw = torch.Generator().manual_seed(0)
    for value in content["model"].values():
        if value.is_floating_point() and value.ndim > 1:
            value += (value.float().std() * torch.randn(value.shape, generator=draw)).to(value.dtype)
    torch.save(content, weights)


def test_a_round_on_corrected_labels_improves_the_next_prediction(server, phantom, tmp_path):
    def score(values):
        return sum(variation_of_information(phantom.neurons, values))

    corrected = tmp_path / "corrected.nii.gz"
    write_volume(corrected, phantom.neurons, voxel_size_nm=NM)
    server.save_label("phantom", corrected)
    weights = server.log.parent / "app/monaibundle/model/em_segmentation/models/model.pt"
    spoil(weights)
    first = server.infer("em_segmentation", "phantom", tmp_path / "first.nii.gz")
    before = weights.read_bytes()
    server.train("em_segmentation", max_epochs=1, val_split=0)
    assert weights.read_bytes() != before
    again = server.infer("em_segmentation", "phantom", tmp_path / "again.nii.gz")
    assert score(np.asarray(open_volume(again))) < 0.2 * score(np.asarray(open_volume(first)))


def test_a_next_round_starts_anew_from_the_last_ones_weights(server):
    bundle = server.log.parent / "app/monaibundle/model/em_segmentation"
    train = bundle / "configs" / "train.json"
    train.write_text(json.dumps(json.loads(train.read_text()) | {"epoch_length": 1, "lr": 1e-12}))
    before = torch.load(bundle / "models/model.pt", weights_only=True)["model"]
    server.train("em_segmentation", max_epochs=1, val_split=0)
    after = torch.load(bundle / "models/model.pt", weights_only=True)["model"]
    for name, weights in before.items():
        torch.testing.assert_close(after[name], weights, rtol=0, atol=1e-6)
    record = json.loads((bundle / "models/model.json").read_text())
    assert [entry["label"].endswith("labels/final/phantom.nii.gz") for entry in record["train_data"]] == [True]


def test_a_sample_without_a_label_is_proposed(server):
    assert server.next_sample("first") != "phantom"
