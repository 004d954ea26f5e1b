"""Intensities: mean 0, deviation 1, missing sections left out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from sectome.checks import InputError
from sectome.transforms import StandardiseIntensity, StandardiseIntensityd, intensity_statistics, standardise_intensity


def test_a_volume_gets_mean_0_and_deviation_1():
    volume = np.random.default_rng(0).integers(0, 255, (8, 20, 30)).astype(np.uint8)
    standard = standardise_intensity(volume, *intensity_statistics(volume)).numpy()
    assert standard.dtype == np.float32
    assert standard.mean() == pytest.approx(0, abs=1e-5)
    assert standard.std() == pytest.approx(1, abs=1e-5)


def test_missing_sections_do_not_count():
    volume = np.random.default_rng(0).integers(100, 110, (10, 8, 8)).astype(np.uint8)
    holed = volume.copy()
    holed[[2, 5]] = 0
    assert intensity_statistics(holed)[0] == pytest.approx(volume.mean(), abs=0.5)


def test_statistics_are_those_of_all_voxels_at_once():
    volume = np.random.default_rng(0).integers(0, 2**16, (5, 20, 30)).astype(np.uint16)
    assert intensity_statistics(volume) == pytest.approx((volume.mean(), volume.std()), rel=1e-12)


def test_fit_and_apply_are_the_functions():
    volume = np.random.default_rng(0).integers(0, 255, (8, 20, 30)).astype(np.uint8)
    crop = StandardiseIntensity().fit(volume).apply(volume[2:4], 2)
    assert np.array_equal(crop, standardise_intensity(volume[2:4], *intensity_statistics(volume)))


def test_a_volume_of_one_value_has_deviation_1():
    assert intensity_statistics(np.full((3, 4, 4), 7)) == (7.0, 1.0)


def test_a_large_volume_is_read_at_16_sections_only():
    read = []

    class Volume:
        shape = (1000, 4, 4)

        def __getitem__(self, z):
            read.append(z)
            return np.arange(16).reshape(4, 4)

    intensity_statistics(Volume())
    assert len(read) == 16
    assert (read[0], read[-1]) == (0, 999)


def test_the_transform_keeps_the_metadata():
    image = MetaTensor(torch.arange(64.0).reshape(1, 4, 4, 4), meta={"voxel_size_nm": (30, 6, 6)})
    result = StandardiseIntensityd("image")({"image": image})["image"]
    assert result.meta["voxel_size_nm"] == (30, 6, 6)
    assert float(result.std(correction=0)) == pytest.approx(1, abs=1e-5)


def test_a_whole_volume_that_holds_no_numbers_is_named():
    image = MetaTensor(torch.rand(1, 4, 5, 6), meta={"filename": "lab/cube.tif"})
    image[0, 2, 3, 1] = torch.nan
    with pytest.raises(InputError, match=r"^lab/cube.tif: grey values .* got 1 .* section 2 at \(y, x\) = \(3, 1\)"):
        StandardiseIntensity()(image)
