"""The encoder: tokens, positions, gradients, and checkpoints that fit or are refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sectome.checks import InputError
from sectome.encoder import Encoder, load_checkpoint, load_encoder, patchify, position_codes, unpatchify

lengths = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))


def tiny(**options: object) -> Encoder:
    torch.manual_seed(0)
    return Encoder(**{"patch_size": (1, 2, 4), "hidden_size": 24, "depth": 3, "num_heads": 2, **options})


@settings(deadline=None, max_examples=30)
@given(grid=lengths, patch=lengths, channels=st.integers(1, 2))
def test_unpatchify_of_patchify_is_the_identity(grid, patch, channels):
    shape = [g * p for g, p in zip(grid, patch, strict=True)]
    image = torch.arange(2 * channels * np.prod(shape)).reshape(2, channels, *shape)
    assert torch.equal(unpatchify(patchify(image, patch), patch, grid), image)


def test_tokens_run_over_the_grid_with_z_slowest_and_hold_their_own_patch():
    grid, patch = (2, 3, 4), (1, 2, 5)
    image = torch.randn(1, 1, 2, 6, 20)
    tokens = patchify(image, patch)
    for number, (z, y, x) in enumerate(np.ndindex(*grid)):
        voxels = image[0, 0, z : z + 1, 2 * y : 2 * y + 2, 5 * x : 5 * x + 5]
        assert torch.equal(tokens[0, number], voxels.flatten())


def test_a_position_has_one_code_whatever_the_size_of_the_grid():
    small, large = position_codes((2, 3, 4), 24), position_codes((4, 5, 6), 24)
    assert torch.equal(small.reshape(2, 3, 4, 24), large.reshape(4, 5, 6, 24)[:2, :3, :4])


def test_each_position_has_a_code_of_its_own_that_follows_each_axis():
    codes = position_codes((3, 4, 5), 36).reshape(3, 4, 5, 36)
    assert len(torch.unique(codes.reshape(-1, 36), dim=0)) == 3 * 4 * 5
    for axis, channels in enumerate((slice(0, 12), slice(12, 24), slice(24, 36))):
        others = [other for other in range(3) if other != axis]
        first = codes.select(others[1], 0).select(others[0], 0)[:, channels]
        assert len(torch.unique(first, dim=0)) == codes.shape[axis]
        assert torch.equal(codes[..., channels].amax(dim=others), codes[..., channels].amin(dim=others))


def test_the_encoder_sees_where_a_patch_lies():
    encoder, image = tiny(), torch.randn(1, 1, 2, 4, 8)
    # Without positions, exchanging the halves of the image would only exchange the tokens.
    swapped = torch.cat([image[:, :, 1:], image[:, :, :1]], dim=2)
    plain, moved = encoder(image)[-1], encoder(swapped)[-1]
    assert not torch.allclose(plain.roll(4, dims=1), moved, atol=1e-3)


def test_any_crop_that_the_patch_divides_is_encoded():
    encoder = tiny()
    for crop in ((1, 2, 4), (3, 8, 4), (2, 2, 16)):
        states = encoder(torch.randn(2, 1, *crop))
        assert [tuple(state.shape) for state in states] == [(2, crop[0] * crop[1] * crop[2] // 8, 24)] * 3


def test_a_crop_that_the_patch_does_not_divide_is_refused_with_its_axis():
    with pytest.raises(InputError, match="multiple of the patch, got 7 voxels and a patch of 2 along y"):
        tiny()(torch.randn(1, 1, 2, 7, 8))


def test_every_parameter_receives_a_gradient():
    encoder = tiny()
    encoder(torch.randn(1, 1, 2, 4, 8))[-1].square().sum().backward()
    assert [name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_a_ratio_of_widths_gives_the_width_that_it_came_from():
    encoder = Encoder((2, 8, 8), hidden_size=30, depth=1, num_heads=3, mlp_ratio=123 / 30)
    assert encoder.blocks[0].mlp.linear1.out_features == 123


def test_a_width_that_does_not_suit_the_heads_is_refused():
    with pytest.raises(InputError, match="even number of at least 6 and a multiple of num_heads, got 25 with 2 heads"):
        tiny(hidden_size=25)


@pytest.mark.parametrize(("name", "value"), [("hidden_size", "wide"), ("num_heads", 0), ("depth", 0), ("depth", 1.5)])
def test_a_size_that_is_no_count_is_refused(name, value):
    with pytest.raises(InputError, match=f"^{name} must be a whole number of at least 1, got {value!r}"):
        tiny(**{name: value})


@pytest.mark.parametrize("patch", [(2, 2), (0, 2, 2), (1.5, 2, 2)])
def test_a_patch_that_is_none_is_refused(patch):
    with pytest.raises(InputError, match=r"^patch_size must be three whole numbers of at least 1"):
        tiny(patch_size=patch)


def saved(tmp_path, encoder: Encoder):
    path = tmp_path / "model.pt"
    torch.save({"model": {f"encoder.{key}": value for key, value in encoder.state_dict().items()}}, path)
    return path


def test_a_fitting_encoder_is_loaded_whole(tmp_path):
    source = tiny()
    torch.manual_seed(1)
    target = Encoder((1, 2, 4), hidden_size=24, depth=3, num_heads=2)
    load_encoder(target, saved(tmp_path, source))
    for key, value in source.state_dict().items():
        assert torch.equal(target.state_dict()[key], value), key


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 2}, "depth 2, got depth 3"),
        ({"patch_size": (2, 2, 2)}, r"patch size \(2, 2, 2\), got \(1, 2, 4\)"),
        (
            {"hidden_size": 12},
            r"patch_embedding.weight must have shape \(12, 8\), got \(24, 8\) \(\d+ more keys differ\)",
        ),
    ],
)
def test_an_encoder_that_does_not_fit_is_refused(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        load_encoder(tiny(**options), saved(tmp_path, tiny()))


def test_a_missing_key_is_named(tmp_path):
    source = tiny()
    state = {f"encoder.{key}": value for key, value in source.state_dict().items() if key != "blocks.1.norm1.weight"}
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(InputError, match=r"blocks\.1\.norm1\.weight is missing"):
        load_encoder(tiny(), tmp_path / "model.pt")


def test_files_that_are_no_checkpoint_are_refused(tmp_path):
    with pytest.raises(InputError, match="got no such file"):
        load_encoder(tiny(), tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("not a checkpoint")
    with pytest.raises(InputError, match="must be a checkpoint that torch can load as plain tensors"):
        load_encoder(tiny(), tmp_path / "text.pt")
    torch.save({"model": {"up.0.weight": torch.zeros(1)}}, tmp_path / "other.pt")
    with pytest.raises(InputError, match="must hold an encoder"):
        load_encoder(tiny(), tmp_path / "other.pt")


def test_a_whole_network_with_another_patch_is_refused(tmp_path):
    network = torch.nn.ModuleDict({"encoder": tiny()})
    torch.save({"model": network.state_dict()}, tmp_path / "model.pt")
    assert load_checkpoint(torch.nn.ModuleDict({"encoder": tiny()}), tmp_path / "model.pt")
    other = torch.nn.ModuleDict({"encoder": tiny(patch_size=(2, 2, 2))})
    with pytest.raises(InputError, match=r"patch_size must be \(1, 2, 4\), as in the training of .*, got \(2, 2, 2\)"):
        load_checkpoint(other, tmp_path / "model.pt")


@pytest.mark.parametrize("load", [load_encoder, load_checkpoint])
def test_an_encoder_with_other_heads_than_it_was_trained_with_is_refused(tmp_path, load):
    state = tiny().state_dict()
    torch.save(
        {f"encoder.{key}" if load is load_encoder else key: value for key, value in state.items()},
        tmp_path / "model.pt",
    )
    (tmp_path / "model.json").write_text('{"num_heads": 2}')
    load(tiny(), tmp_path / "model.pt")
    with pytest.raises(InputError, match=r"num_heads must be 2, as in the training of .*model\.pt, got 3"):
        load(tiny(num_heads=3), tmp_path / "model.pt")
