"""The UNETR: anisotropic scales, any crop, gradients everywhere, and the pre-trained encoder inside."""

from __future__ import annotations

import pytest
import torch

from sectome.checks import InputError

TINY = {"patch_size": (2, 4, 4), "out_channels": 5, "hidden_size": 24, "depth": 3, "num_heads": 2, "feature_size": 4}


@pytest.fixture
def unetr(segmentation_scripts):
    torch.manual_seed(0)
    return segmentation_scripts.UNETR(**TINY)


@pytest.mark.parametrize("crop", [(4, 8, 8), (2, 16, 8), (6, 8, 20)])
def test_any_crop_that_the_patch_divides_gives_a_logit_an_offset(unetr, crop):
    assert unetr(torch.randn(2, 1, *crop)).shape == (2, 5, *crop)


def test_a_crop_that_the_patch_does_not_divide_is_refused(unetr):
    with pytest.raises(InputError, match="got 10 voxels and a patch of 4 along x"):
        unetr(torch.randn(1, 1, 4, 8, 10))


@pytest.mark.parametrize(
    ("patch", "factors"),
    [
        ((4, 16, 16), [(1, 2, 2), (1, 2, 2), (2, 2, 2), (2, 2, 2)]),
        ((8, 8, 8), [(2, 2, 2)] * 3),
        ((1, 16, 16), [(1, 2, 2)] * 4),
        ((2, 8, 4), [(1, 2, 1), (1, 2, 2), (2, 2, 2)]),
    ],
)
def test_scales_multiply_to_the_patch_and_halve_the_short_axis_late(segmentation_scripts, patch, factors):
    from scripts.unetr import scale_factors

    assert scale_factors(patch) == factors


@pytest.mark.parametrize("patch", [(3, 16, 16), (1, 1, 1)])
def test_patches_that_cannot_be_scaled_are_refused(segmentation_scripts, patch):
    with pytest.raises(InputError, match="patch"):
        segmentation_scripts.UNETR(patch_size=patch)


def test_every_block_of_the_encoder_and_every_parameter_receives_a_gradient(unetr):
    unetr(torch.randn(1, 1, 4, 16, 16)).square().mean().backward()
    assert [name for name, p in unetr.named_parameters() if p.grad is None] == []
    silent = [name for name, p in unetr.encoder.named_parameters() if not p.grad.any()]
    assert silent == []


def test_the_pretrained_encoder_is_loaded_strictly_and_used(segmentation_scripts, unetr, tmp_path):
    state = {f"encoder.{key}": torch.randn_like(value.float()) for key, value in unetr.encoder.state_dict().items()}
    state["encoder.patch_size_voxels"] = torch.tensor([2, 4, 4])
    torch.save({"model": {**state, "mask_token": torch.zeros(1)}}, tmp_path / "model.pt")
    loaded = segmentation_scripts.UNETR(**TINY, pretrained=str(tmp_path / "model.pt"))
    for key, value in loaded.encoder.state_dict().items():
        assert torch.equal(value.float(), state[f"encoder.{key}"].float())
    with pytest.raises(InputError, match="depth 2, got depth 3"):
        segmentation_scripts.UNETR(**{**TINY, "depth": 2}, pretrained=str(tmp_path / "model.pt"))


def test_tokens_reach_the_prediction_at_their_own_place(unetr):
    # A change of one patch moves the output most inside of that patch.
    unetr.eval()
    image = torch.randn(1, 1, 4, 16, 16)
    changed = image.clone()
    changed[..., 2:4, 8:12, 4:8] += 5
    change = (unetr(changed) - unetr(image)).abs().mean(dim=1)[0]
    inside = change[2:4, 8:12, 4:8].mean()
    assert inside > 2 * change.mean()
