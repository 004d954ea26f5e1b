"""The masked autoencoder: a patch's target is that patch, the loss is of hidden patches, every part learns."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from sectome.checks import InputError
from sectome.encoder import load_checkpoint, patchify
from sectome.masking import MASK_KINDS, draw_mask

SHAPE = (2, 1, 4, 6, 10)


@pytest.fixture
def network(mae_scripts):
    torch.manual_seed(0)
    return mae_scripts.MaskedAutoencoder(
        (2, 3, 5), hidden_size=24, depth=2, num_heads=2, decoder_hidden_size=12, decoder_depth=2, decoder_num_heads=2
    )


def test_the_target_of_a_hidden_patch_is_that_patch(network):
    image = torch.arange(float(torch.Size(SHAPE).numel())).reshape(SHAPE)
    output = network(image)
    grid = (2, 2, 2)
    for sample in range(2):
        for place, token in enumerate(output["ids_masked"][sample].tolist()):
            z, y, x = token // 4, token // 2 % 2, token % 2
            assert grid[0] > z
            voxels = image[sample, 0, 2 * z : 2 * z + 2, 3 * y : 3 * y + 3, 5 * x : 5 * x + 5].flatten()
            picked = patchify(image, (2, 3, 5))[sample, output["ids_masked"][sample, place]]
            assert torch.equal(network.targets(picked[None, None])[0, 0], voxels)


def test_a_perfect_prediction_reconstructs_the_image_and_costs_nothing(network, monkeypatch):
    image = torch.randn(SHAPE)
    patches = patchify(image, (2, 3, 5))

    def true_patches(latent, ids_keep, ids_masked, grid):
        return patches.gather(1, ids_masked[..., None].expand(-1, -1, patches.shape[2]))

    monkeypatch.setattr(network, "decode", true_patches)
    output = network(image)
    assert output["loss"] == 0
    pictures = network.pictures(image, output)
    assert torch.equal(pictures["reconstructed"], image)
    hidden = pictures["masked"] == 0
    assert hidden.float().mean() == pytest.approx(0.75)


def test_the_loss_counts_hidden_patches_only_and_follows_their_voxels(network):
    image, ids = torch.randn(SHAPE), torch.arange(8).expand(2, -1)
    keep, masked = ids[:, :2], ids[:, 2:]
    output = network(image, keep, masked)
    target = patchify(image, (2, 3, 5))[:, 2:]
    assert output["loss"].item() == pytest.approx((output["prediction"] - target).square().mean().item(), rel=1e-5)
    changed = image.clone()
    changed[:, :, 2:, 3:, 5:] += 1  # the last patch: hidden, so that the prediction cannot know it
    again = network(changed, keep, masked)
    assert torch.equal(again["prediction"], output["prediction"])
    assert again["loss"] != output["loss"]


def test_predictions_follow_their_tokens_not_their_order(network):
    image, ids = torch.randn(SHAPE), torch.arange(8).expand(2, -1)
    plain = network(image, ids[:, :3], ids[:, 3:])["prediction"]
    reversed_order = network(image, ids[:, :3].flip(1), ids[:, 3:].flip(1))["prediction"]
    assert torch.allclose(plain, reversed_order.flip(1), atol=1e-5)


def test_normalised_targets_have_mean_0_and_deviation_1(network):
    network.target = "normalised"
    target = network.targets(torch.randn(2, 3, 30) * 7 + 3)
    assert torch.allclose(target.mean(-1), torch.zeros(2, 3), atol=1e-5)
    assert torch.allclose(target.var(-1), torch.ones(2, 3), atol=1e-3)


def test_a_network_that_knows_nothing_of_normalised_voxels_is_as_good_as_the_baseline(network, mae_scripts, tmp_path):
    network.target = "normalised"
    torch.nn.init.zeros_(network.decoder_prediction.weight)
    # Patches that differ in their mean, as those of tissue do.
    levels = torch.randn(2, 1, 2, 2, 2).repeat_interleave(2, 2).repeat_interleave(3, 3).repeat_interleave(5, 4)
    image = torch.randn(SHAPE) + 3 * levels
    scores = mae_scripts.ReconstructionScores(str(tmp_path), network, (1, 1, 1))
    state = SimpleNamespace(output={"image": image, "pred": network(image)})
    scores.collect(SimpleNamespace(state=state))
    [batch] = scores.batches
    assert batch.losses == pytest.approx(batch.baselines)


def test_every_parameter_receives_a_gradient(network):
    network(torch.randn(SHAPE))["loss"].backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_it_learns_to_reconstruct_a_repeating_pattern(network):
    torch.manual_seed(0)
    tile = torch.randn(1, 1, 2, 3, 5).repeat(1, 1, 2, 2, 2)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
    for _ in range(60):
        loss = network(tile)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.05


def test_encoder_sees_visible_tokens_only(network):
    counts = []
    network.encoder.blocks[0].register_forward_pre_hook(lambda _, args: counts.append(args[0].shape[1]))
    network(torch.randn(SHAPE))
    assert counts == [2]


@pytest.mark.parametrize("kind", MASK_KINDS)
def test_patches_are_hidden_as_the_mask_says(mae_scripts, kind):
    block = (1, 2, 2) if kind == "block" else (2, 2, 2)
    network = mae_scripts.MaskedAutoencoder((2, 4, 4), 1, 24, 1, 2, mask_ratio=0.5, mask=kind, mask_block=block)
    image = torch.randn(2, 1, 8, 16, 16)
    torch.manual_seed(4)
    output = network(image)
    torch.manual_seed(4)
    _, expected = draw_mask(kind, 2, (4, 4, 4), 0.5, block_size=block)
    assert torch.equal(output["ids_masked"], expected)


def test_an_unknown_mask_or_target_is_refused(mae_scripts):
    with pytest.raises(InputError, match="target must be one of 'raw', 'normalised', got 'pixels'"):
        mae_scripts.MaskedAutoencoder(target="pixels")
    with pytest.raises(InputError, match=r"mask must be one of .*, got 'cube'"):
        mae_scripts.MaskedAutoencoder(mask="cube")


def test_a_volume_network_reconstructs_or_encodes(network, mae_scripts):
    image = torch.randn(SHAPE)
    assert mae_scripts.VolumeNetwork(network, "reconstruct")(image).shape == SHAPE
    assert mae_scripts.VolumeNetwork(network, "encode")(image).shape == (2, 24, 2, 2, 2)
    with pytest.raises(InputError, match="'reconstruct' or 'encode', got 'draw'"):
        mae_scripts.VolumeNetwork(network, "draw")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mask_ratio": 1.0}, "mask_ratio must lie between 0 and 1, got 1.0"),
        ({"mask_ratio": "most"}, "mask_ratio must lie between 0 and 1, got 'most'"),
        ({"mask_block": (2, 0, 2)}, "mask_block must be three whole numbers"),
        (
            {"decoder_hidden_size": 9},
            "decoder_hidden_size must be an even number of at least 6 and a multiple of decoder_num_heads, got 9",
        ),
        ({"decoder_num_heads": 0}, "decoder_num_heads must be a whole number of at least 1, got 0"),
        ({"decoder_depth": 1.5}, "decoder_depth must be a whole number of at least 0, got 1.5"),
    ],
)
def test_a_mask_or_a_decoder_that_cannot_be_is_refused_before_training(mae_scripts, options, message):
    with pytest.raises(InputError, match=message):
        mae_scripts.MaskedAutoencoder((2, 4, 4), 1, 24, 1, 2, **options)


def test_weights_of_a_decoder_with_other_heads_are_refused(network, mae_scripts, tmp_path):
    torch.save(network.state_dict(), tmp_path / "model.pt")
    (tmp_path / "model.json").write_text('{"num_heads": 2, "decoder_num_heads": 1}')
    with pytest.raises(InputError, match=r"decoder_num_heads must be 1, as in the training of .*model\.pt, got 2"):
        load_checkpoint(mae_scripts.VolumeNetwork(network), tmp_path / "model.pt", "autoencoder.")
