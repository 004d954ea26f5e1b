"""The UNETR and the residual U-Net: any crop, and gradients everywhere."""

from __future__ import annotations

import itertools

import pytest
import torch

from sectome.checks import InputError

COMMON = {"patch_size": (2, 4, 4), "out_channels": 5, "feature_size": 4}
ENCODER = {"hidden_size": 24, "depth": 3, "num_heads": 2}
NETWORKS = list(itertools.product(["plain", "hybrid", "residual_unet"], ["residual", "single", "sub_pixel"]))


@pytest.fixture
def build(segmentation_scripts):
    def make(name="hybrid", full_resolution="single", **changes):
        torch.manual_seed(0)
        if name == "residual_unet":
            return segmentation_scripts.ResidualUNet(**{**COMMON, "full_resolution": full_resolution, **changes})
        settings = {**COMMON, **ENCODER, "convolutions": name == "hybrid", "full_resolution": full_resolution}
        return segmentation_scripts.UNETR(**{**settings, **changes})

    return make


@pytest.mark.parametrize(("name", "full_resolution"), NETWORKS)
@pytest.mark.parametrize("crop", [(4, 8, 8), (6, 8, 20)])
def test_any_crop_that_the_patch_divides_gives_a_logit_an_offset(build, name, full_resolution, crop):
    assert build(name, full_resolution)(torch.randn(2, 1, *crop)).shape == (2, 5, *crop)


@pytest.mark.parametrize("name", ["hybrid", "residual_unet"])
def test_a_crop_that_the_patch_does_not_divide_is_refused(build, name):
    with pytest.raises(InputError, match="got 10 voxels and a patch of 4 along x"):
        build(name)(torch.randn(1, 1, 4, 8, 10))


@pytest.mark.parametrize("name", ["hybrid", "residual_unet"])
def test_a_patch_is_three_whole_numbers_floats_or_not(build, name):
    assert build(name, patch_size=(2.0, 4.0, 4.0))(torch.randn(1, 1, 4, 8, 8)).shape == (1, 5, 4, 8, 8)
    with pytest.raises(
        InputError, match=r"patch_size must be three whole numbers of at least 1 \(z, y, x\), got \[4, 4\]"
    ):
        build(name, patch_size=(4, 4))


@pytest.mark.parametrize("name", ["plain", "hybrid"])
def test_a_patch_that_leaves_no_level_to_its_tokens_is_refused(build, name):
    with pytest.raises(InputError, match=r"patch_size must be 4 or more .*full_resolution 'sub_pixel'.*\[1, 2, 2\]"):
        build(name, "sub_pixel", patch_size=(1, 2, 2))
    assert len(build(name, "residual", patch_size=(1, 2, 2)).project) == 1


@pytest.mark.parametrize(("name", "full_resolution"), NETWORKS)
def test_every_parameter_receives_a_gradient(build, name, full_resolution):
    network = build(name, full_resolution)
    network(torch.randn(1, 1, 4, 16, 16)).square().mean().backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize("name", ["plain", "hybrid"])
def test_every_block_of_the_encoder_is_used(build, name):
    network = build(name)
    network(torch.randn(1, 1, 4, 16, 16)).square().mean().backward()
    assert [name for name, parameter in network.encoder.named_parameters() if not parameter.grad.any()] == []


@pytest.mark.parametrize("name", ["plain", "hybrid", "residual_unet"])
def test_a_changed_patch_moves_the_prediction_most_at_its_own_place(build, name):
    network = build(name).eval()
    image = torch.randn(1, 1, 4, 16, 16)
    changed = image.clone()
    changed[..., 2:4, 8:12, 4:8] += 5
    change = (network(changed) - network(image)).abs().mean(dim=1)[0]
    assert change[2:4, 8:12, 4:8].mean() > 2 * change.mean()


def test_a_plain_unetr_sees_the_image_between_voxels_and_tokens_through_tokens_only(build):
    assert build("plain").pyramid is None
    parameters = {name: sum(p.numel() for p in build(name).parameters()) for name in ("plain", "hybrid")}
    assert parameters["plain"] < parameters["hybrid"]
