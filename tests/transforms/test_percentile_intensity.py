"""Percentiles to a fixed range: by volume or by section, alike on crops and the whole, missing sections aside."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from sectome.checks import InputError
from sectome.transforms import PercentileIntensity, PercentileIntensityd, StandardiseIntensity

NORMALISERS = [
    StandardiseIntensity(),
    PercentileIntensity(),
    PercentileIntensity(per_section=True),
    PercentileIntensity(per_section=True, clahe=True),
]


def reference_percentiles(volume: np.ndarray, lower: float, upper: float) -> np.ndarray:
    """Map by the percentiles of each section alone, voxel by voxel."""
    result = np.zeros(volume.shape)
    # From a table of the normal distribution.
    quantile = {1: -2.326348, 99: 2.326348, 5: -1.644854, 90: 1.281552}
    for z, section in enumerate(volume):
        low, high = np.percentile(section, lower), np.percentile(section, upper)
        for place in np.ndindex(section.shape):
            fraction = min(max((float(section[place]) - low) / (high - low), 0), 1)
            result[(z, *place)] = quantile[lower] + fraction * (quantile[upper] - quantile[lower])
    return result


@pytest.fixture
def volume() -> np.ndarray:
    """Sections that differ in brightness and contrast, (6, 20, 30) uint8."""
    rng = np.random.default_rng(0)
    grey = rng.normal(0, 1, (6, 20, 30))
    return np.clip(128 + 10 * np.arange(6)[:, None, None] + (10 + grey * 15), 0, 255).astype(np.uint8)


def test_normal_grey_values_get_mean_0_and_deviation_1_as_standardised_ones_do():
    volume = np.random.default_rng(1).normal(120, 25, (8, 64, 64))
    result = PercentileIntensity().fit(volume).apply(volume).numpy()
    assert result.dtype == np.float32
    assert result.mean() == pytest.approx(0, abs=0.02)
    assert result.std() == pytest.approx(1, abs=0.03)
    assert result.min() == pytest.approx(-2.326, abs=0.001)
    assert result.max() == pytest.approx(2.326, abs=0.001)
    standardised = StandardiseIntensity().fit(volume).apply(volume).numpy()
    inside = np.abs(standardised) < 2
    assert np.abs(result - standardised)[inside].max() < 0.1


@pytest.mark.parametrize(("lower", "upper"), [(1, 99), (5, 90)])
def test_per_section_equals_the_slow_twin(volume, lower, upper):
    result = PercentileIntensity(lower, upper, per_section=True).fit(volume).apply(volume).numpy()
    np.testing.assert_allclose(result, reference_percentiles(volume, lower, upper), atol=1e-5)


def test_outliers_do_not_shift_what_most_voxels_become(volume):
    dusty = volume.astype(np.float32)
    dusty[:, :1, :2] = 1e4

    def shift(normaliser):
        return np.abs(normaliser.fit(volume).apply(volume).numpy() - normaliser.fit(dusty).apply(volume).numpy())[
            :, 1:
        ].max()

    assert shift(PercentileIntensity()) < 0.2
    assert shift(StandardiseIntensity()) > 1


@pytest.mark.parametrize("normaliser", NORMALISERS[:3])
def test_a_crop_becomes_what_it_becomes_in_the_whole(volume, normaliser):
    fitted = normaliser.fit(volume)
    assert np.array_equal(fitted.apply(volume[2:5, 3:9], 2).numpy(), fitted.apply(volume, 0).numpy()[2:5, 3:9])


@pytest.mark.parametrize("normaliser", NORMALISERS)
def test_what_was_fitted_travels_to_a_worker_and_input_stays(volume, normaliser):
    before = volume.copy()
    fitted = normaliser.fit(volume)
    data = pickle.dumps(fitted)
    assert len(data) < 1000
    assert np.array_equal(pickle.loads(data).apply(volume[1:3], 1).numpy(), fitted.apply(volume[1:3], 1).numpy())
    assert np.array_equal(volume, before)


@pytest.mark.parametrize("normaliser", NORMALISERS)
def test_the_transform_does_what_its_fit_does_and_keeps_metadata(volume, normaliser):
    image = MetaTensor(torch.from_numpy(volume)[None], meta={"voxel_size_nm": (30, 6, 6)})
    result = normaliser(image)
    assert (result.dtype, result.shape) == (torch.float32, image.shape)
    assert result.meta["voxel_size_nm"] == (30, 6, 6)
    np.testing.assert_allclose(result[0].numpy(), normaliser.fit(volume).apply(volume).numpy(), atol=1e-6)


def test_missing_sections_do_not_count_and_become_0_where_sections_stand_alone(volume):
    holed = np.concatenate([volume, np.zeros((2, 20, 30), np.uint8)])
    fitted = PercentileIntensity().fit(holed)
    assert np.array_equal(fitted.apply(volume).numpy(), PercentileIntensity().fit(volume).apply(volume).numpy())
    alone = PercentileIntensity(per_section=True, clahe=True).fit(holed).apply(holed).numpy()
    assert not alone[6:].any()
    assert alone[:6].any(axis=(1, 2)).all()


def test_a_volume_of_one_value_becomes_0():
    flat = np.full((3, 8, 8), 7, np.uint8)
    assert not PercentileIntensity().fit(flat).apply(flat).numpy().any()


def test_a_large_volume_is_read_at_16_sections_and_by_section_once():
    read = []

    class Volume:
        shape = (100, 4, 4)

        def __getitem__(self, z):
            read.append(z)
            return np.arange(16).reshape(4, 4)

    PercentileIntensity().fit(Volume())
    assert (len(read), read[0], read[-1]) == (16, 0, 99)
    read.clear()
    PercentileIntensity(per_section=True).fit(Volume())
    assert read == list(range(100))


def test_large_sections_are_sampled(monkeypatch, volume):
    whole = PercentileIntensity().fit(volume)
    monkeypatch.setattr("sectome.transforms.percentile_intensity.SAMPLE_VOXELS", 150)
    sampled = PercentileIntensity().fit(volume)
    assert sampled.lowest[0] == pytest.approx(np.percentile(volume[:, ::2, ::2], 1))
    assert sampled.lowest[0] == pytest.approx(whole.lowest[0], abs=10)


def test_clahe_raises_the_contrast_of_dull_tissue_and_keeps_the_range():
    rng = np.random.default_rng(2)
    dull = rng.normal(0, 1, (2, 128, 128))
    dull[:, :, 64:] *= 0.1
    plain = PercentileIntensity().fit(dull).apply(dull).numpy()
    equalised = PercentileIntensity(clahe=True).fit(dull).apply(dull).numpy()
    assert equalised[:, :, 96:].std() > 1.5 * plain[:, :, 96:].std()
    assert np.abs(equalised).max() <= 2.3264
    crop = PercentileIntensity(clahe=True).fit(dull).apply(dull[:, :64, :64]).numpy()
    assert np.corrcoef(crop.ravel(), equalised[:, :64, :64].ravel())[0, 1] > 0.97


@pytest.mark.parametrize("normaliser", NORMALISERS)
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_values_that_are_not_finite_are_one_sentence(normaliser, wrong):
    volume = np.random.default_rng(0).random((4, 5, 6)).astype(np.float32)
    fitted = normaliser.fit(volume)
    volume[2, 3, 1] = volume[2, 4, 0] = wrong
    message = r"must be finite, got 2 that are NaN or infinite, the first in section 2 at \(y, x\) = \(3, 1\)$"
    with pytest.raises(InputError, match=message):
        normaliser.fit(volume)
    with pytest.raises(InputError, match=message):
        fitted.apply(volume[1:], 1).numpy()
    with pytest.raises(InputError, match=message):
        normaliser(torch.from_numpy(volume)[None])


def test_values_that_are_not_finite_are_found_beyond_the_sections_that_were_fitted():
    volume = np.random.default_rng(0).random((1, 40, 5, 6)).astype(np.float32)
    volume[0, 1, 0, 0] = np.nan
    with pytest.raises(InputError, match="the first in section 1 at"):
        StandardiseIntensity()(torch.from_numpy(volume))


def test_sections_that_were_not_fitted_are_refused(volume):
    fitted = PercentileIntensity(per_section=True).fit(volume)
    with pytest.raises(InputError, match="sections must lie within the 6 that were fitted, got 5 to 6"):
        fitted.apply(volume[:2], 5).numpy()


@pytest.mark.parametrize(("lower", "upper"), [(0, 99), (99, 1), (1, 100), ("a", 2)])
def test_percentiles_that_are_no_range_are_refused(lower, upper):
    with pytest.raises(InputError, match="the percentiles lower and upper must be"):
        PercentileIntensity(lower, upper)
    with pytest.raises(InputError, match="must differ, got 5 twice"):
        PercentileIntensity(5, 5)


def test_the_dictionary_version_takes_each_key_by_itself_and_not_others(volume):
    image = torch.from_numpy(volume)[None]
    result = PercentileIntensityd(["a", "b"], per_section=True)({"a": image, "b": image + 20, "c": image})
    torch.testing.assert_close(result["a"], result["b"])
    assert result["c"] is image


@pytest.mark.parametrize("switch", ["per_section", "clahe"])
def test_a_switch_that_is_a_word_is_refused(switch):
    with pytest.raises(InputError, match=f"{switch} must be true or false, got 'no'"):
        PercentileIntensity(**{switch: "no"})
