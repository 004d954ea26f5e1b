"""Levels from voxels to patches, and channels shuffled into voxels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sectome.checks import InputError


@pytest.fixture
def parts(segmentation_scripts):
    from scripts import unet_parts

    return unet_parts


@pytest.mark.parametrize(
    ("patch", "factors"),
    [
        ((4, 16, 16), [(1, 2, 2), (1, 2, 2), (2, 2, 2), (2, 2, 2)]),
        ((8, 8, 8), [(2, 2, 2)] * 3),
        ((1, 16, 16), [(1, 2, 2)] * 4),
        ((2, 8, 4), [(1, 2, 1), (1, 2, 2), (2, 2, 2)]),
    ],
)
def test_factors_multiply_to_the_patch_and_halve_the_short_axis_late(parts, patch, factors):
    assert parts.scale_factors(patch) == factors


@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-4), (torch.bfloat16, 2e-2)])
def test_what_is_compiled_of_the_norm_is_the_same_norm_in_the_same_layout(parts, monkeypatch, dtype, close):
    norm = parts.convolution(1, 5, (3, 3, 3), (1, 1, 1)).adn.N
    features = torch.randn(2, 5, 4, 6, 7, generator=torch.Generator().manual_seed(0)) * 3 + 20
    features = features.to(dtype, memory_format=torch.channels_last_3d)
    plain = norm(features.float())
    monkeypatch.setattr(torch.compiler, "is_dynamo_compiling", lambda: True)
    compiled = norm(features)
    torch.testing.assert_close(compiled.float(), plain, rtol=close, atol=close)
    assert compiled.dtype == dtype
    assert compiled.is_contiguous(memory_format=torch.channels_last_3d)


@pytest.mark.parametrize("patch", [(3, 16, 16), (1, 1, 1)])
def test_patches_that_cannot_be_scaled_are_refused(parts, patch):
    with pytest.raises(InputError, match="patch"):
        parts.Levels(patch, 8, "single")


def test_channels_grow_by_the_same_number_and_the_stem_takes_the_first_step_for_sub_pixels(parts):
    full = parts.Levels((4, 16, 16), 8, "residual")
    assert full.channels == [8, 16, 24, 32, 40]
    assert full.stem_factor == (1, 1, 1)
    sub_pixel = parts.Levels((4, 16, 16), 8, "sub_pixel")
    assert sub_pixel.channels == [16, 24, 32, 40]
    assert sub_pixel.stem_factor == (1, 2, 2)
    assert sub_pixel.factors == full.factors[1:]


def test_only_thick_sections_get_a_flat_kernel(parts):
    assert parts.Levels((4, 16, 16), 8, "single").flat_kernel == (1, 3, 3)
    assert parts.Levels((8, 8, 8), 8, "single").flat_kernel == (3, 3, 3)


@pytest.mark.parametrize("channels", [0, 1.5, "many"])
def test_a_network_without_channels_is_refused(parts, channels):
    with pytest.raises(InputError, match=f"feature_size must be a whole number of at least 1, got {channels!r}"):
        parts.Levels((8, 8, 8), channels, "single")


def test_an_unknown_kind_of_full_resolution_is_refused(parts):
    with pytest.raises(InputError, match=r"full_resolution must be one of .*got 'double'"):
        parts.Levels((8, 8, 8), 8, "double")


def test_channels_become_the_voxels_of_their_box_z_slowest(parts):
    # One coarse voxel of two predictions: channels 0 to 7 are the first one's box.
    image = torch.arange(16.0).reshape(1, 16, 1, 1, 1)
    voxels = parts.channels_to_voxels(image, (2, 2, 2))
    assert voxels.shape == (1, 2, 2, 2, 2)
    np.testing.assert_array_equal(voxels[0, 0], np.arange(8).reshape(2, 2, 2))
    np.testing.assert_array_equal(voxels[0, 1], np.arange(8, 16).reshape(2, 2, 2))


def test_an_anisotropic_shuffle_keeps_coarse_voxels_in_place(parts):
    image = torch.arange(2 * 3 * 4.0).reshape(1, 1, 2, 3, 4).expand(1, 4, 2, 3, 4)
    voxels = parts.channels_to_voxels(image, (1, 2, 2))
    assert voxels.shape == (1, 1, 2, 6, 8)
    np.testing.assert_array_equal(voxels[0, 0, :, ::2, ::2], image[0, 0])
    np.testing.assert_array_equal(voxels[0, 0, :, 1::2, 1::2], image[0, 0])
