"""Crops, prediction and blocks of a volume in S3 are those of the same volume in a folder."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from sectome.affinity_file import StoredAffinities
from sectome.blockwise import plan_neurons
from sectome.blockwise.config import BlockwiseConfig
from sectome.blockwise.predicted_maps import predicted_maps
from sectome.checks import InputError
from sectome.crops import RandomCrops
from sectome.inference.predict_volume import predict_volume
from sectome.neighbourhoods import NEAREST
from sectome.phantom import make_phantom
from sectome.tissue import open_tissue
from sectome.volumes import write_volume
from tiny_networks import BUNDLES

from .servers import upload

BUNDLE = BUNDLES / "em_segmentation"
SIZE_NM = (8.0, 8.0, 8.0)


@pytest.fixture
def names(tmp_path, bucket):
    """Return what one volume and its labels are called in a folder and in S3."""
    phantom = make_phantom((24, 72, 60), SIZE_NM, 0)
    write_volume(tmp_path / "stored" / "raw.ome.zarr", phantom.raw, voxel_size_nm=SIZE_NM)
    write_volume(f"{tmp_path}/stored/labels.zarr:neurons", phantom.neurons, voxel_size_nm=SIZE_NM)
    upload(tmp_path / "stored", bucket.url)
    entry = {"image": "{}/raw.ome.zarr", "label": "{}/labels.zarr:neurons"}
    return [{key: name.format(root) for key, name in entry.items()} for root in (tmp_path / "stored", bucket.address)]


def test_crops_are_the_same(names):
    local, remote = (RandomCrops([entry], (8, 16, 16), 4, labelled=True) for entry in names)
    for number in range(4):
        for key in ("image", "label"):
            assert torch.equal(torch.as_tensor(local[number][key]), torch.as_tensor(remote[number][key]))


def test_predictions_are_the_same(names, tmp_path):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv3d(1, 3, 3, padding=1)).requires_grad_(False)
    made = []
    for number, entry in enumerate(names):
        (tissue,) = open_tissue([{"image": entry["image"]}])
        predict_volume(tissue, network, tmp_path / f"{number}.zarr", NEAREST, window=(8, 32, 32))
        made.append(StoredAffinities(tmp_path / f"{number}.zarr").read_all())
    np.testing.assert_array_equal(*made)


@pytest.mark.usefixtures("forget_scripts")
def test_the_command_predicts_and_blocks_are_predicted(names, tmp_path, run):
    options = ("--bundle", BUNDLE, "--overlap", 0, "--device", "cpu", "--precision", "fp32")
    code, _, err = run("predict", names[1]["image"], tmp_path / "a.zarr", *options)
    assert code == 0, err
    source = predicted_maps(tmp_path / "b.run", names[1]["image"], BUNDLE, overlap=0, device="cpu", precision="fp32")
    assert source.volume == names[1]["image"]
    source.prepare(source.shape)
    box = tuple(slice(0, extent) for extent in source.shape)
    source.predict(box)
    np.testing.assert_allclose(source.read(box).astype(int), StoredAffinities(tmp_path / "a.zarr").read_all(), atol=1)


def test_affinities_and_runs_stay_on_this_machine(names, tmp_path):
    (tissue,) = open_tissue([{"image": names[0]["image"]}])
    with pytest.raises(InputError, match=r"expected a local folder for affinities, got 's3://lab/a\.zarr'"):
        predict_volume(tissue, nn.Identity(), "s3://lab/a.zarr", NEAREST, window=(8, 32, 32))
    with pytest.raises(InputError, match=r"expected a local folder for the output, got 's3://lab/a\.ome\.zarr'"):
        plan_neurons(None, "s3://lab/a.ome.zarr", tmp_path / "run")
    with pytest.raises(InputError, match=r"expected a local folder for the output, got 's3://lab/a\.ome\.zarr'"):
        BlockwiseConfig("s3://lab/a.ome.zarr", volume=names[0]["image"]).plan()
