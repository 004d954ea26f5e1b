"""Transforms take what lies in the memory of a GPU, here a tensor that behaves as one of it does."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from sectome.neighbourhoods import NEAREST
from sectome.postprocess import AffinitiesToLabelsd, BoundaryContourToLabelsd
from sectome.transforms import PercentileIntensity, SaveVolumed, StandardiseIntensity
from sectome.volumes import open_volume


class OfAGpu(MetaTensor):
    def __array__(self, *arguments, **options):
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu()")

    def cpu(self, *arguments, **options):
        return self.as_subclass(torch.Tensor)


@pytest.fixture
def prediction():
    def make(channels):
        values = OfAGpu(torch.full((channels, 4, 8, 8), 0.9))
        meta = {"voxel_size_nm": torch.tensor([30.0, 6.0, 6.0]), "filename": "volume.tif"}
        return {"pred": OfAGpu(values, meta=meta), "image": MetaTensor(torch.zeros(1, 4, 8, 8), meta=meta)}

    return make


def test_the_stand_in_can_not_be_an_array(prediction):
    with pytest.raises(TypeError, match="device type tensor to numpy"):
        np.asarray(prediction(3)["pred"])


@pytest.mark.parametrize("transform", [StandardiseIntensity(), PercentileIntensity(1, 99)])
def test_grey_values_are_normalised(transform):
    image = torch.rand(1, 4, 8, 8)
    assert torch.equal(transform(OfAGpu(image)).cpu(), transform(image))


def test_affinities_become_labels(prediction):
    labels = AffinitiesToLabelsd("pred", NEAREST, fragments="watershed")(prediction(3))["pred"]
    assert labels.unique().tolist() == [1]


def test_foreground_and_contour_become_labels(prediction):
    data = prediction(2)
    data["pred"][1] = 0.0
    labels = BoundaryContourToLabelsd("pred")(data)["pred"]
    assert labels.unique().tolist() == [1]


def test_a_volume_is_written(prediction, tmp_path):
    SaveVolumed("pred", str(tmp_path), name="foreground")(prediction(1))
    assert open_volume(tmp_path / "volume_foreground.tif").shape == (4, 8, 8)


def test_features_are_written(prediction, tmp_path, mae_scripts):
    data = prediction(5)
    data["image"].meta["offset_nm"] = torch.tensor([60.0, 0.0, 12.0])
    mae_scripts.SaveFeaturesd("pred", str(tmp_path), (1, 2, 2))(data)
    with h5py.File(tmp_path / "volume_features.h5") as file:
        assert file["features"].shape == (5, 4, 8, 8)
        assert file["features"].attrs["voxel_size_nm"].tolist() == [30, 12, 12]
        assert file["features"].attrs["offset"].tolist() == [60, 0, 12]
