"""What fine-tuning starts from: an encoder, or a whole network but its head, and what is refused."""

from __future__ import annotations

import pytest
import torch

from sectome.checks import InputError

COMMON = {"patch_size": (2, 4, 4), "feature_size": 4}
ENCODER = {"hidden_size": 24, "depth": 3, "num_heads": 2}
NETWORKS = ["plain", "hybrid", "residual_unet"]


@pytest.fixture
def build(segmentation_scripts):
    def make(name="hybrid", out_channels=5, seed=0, **changes):
        torch.manual_seed(seed)
        if name == "residual_unet":
            return segmentation_scripts.ResidualUNet(**{**COMMON, **changes}, out_channels=out_channels)
        settings = {**COMMON, **ENCODER, "convolutions": name == "hybrid", **changes}
        return segmentation_scripts.UNETR(**settings, out_channels=out_channels)

    return make


@pytest.fixture
def start_from(segmentation_scripts, tmp_path):
    """Load a state as a pre-trained checkpoint into a network."""

    def load(network, state):
        torch.save({"model": state}, tmp_path / "model.pt")
        return segmentation_scripts.load_pretrained(network, tmp_path / "model.pt")

    return load


def changed(network, before):
    """Return the keys whose tensors are not what they were."""
    return {key for key, value in network.state_dict().items() if not torch.equal(value, before[key])}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("out_channels", [1, 5])
def test_of_a_whole_network_all_but_the_head_is_taken(build, start_from, name, out_channels):
    source = build(name, out_channels, seed=1).state_dict()
    network = build(name)
    head = {key: value.clone() for key, value in network.state_dict().items() if key.startswith("decoder.out.")}
    loaded = start_from(network, source)
    assert loaded is network
    assert changed(network, {**source, **head}) == set()
    assert len(head) == 2


def test_of_a_masked_autoencoder_the_encoder_is_taken(build, start_from):
    network = build()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    state = {f"encoder.{key}": torch.randn_like(value.float()) for key, value in network.encoder.state_dict().items()}
    state["encoder.patch_size_voxels"] = torch.tensor([2, 4, 4])
    start_from(network, {**state, "mask_token": torch.zeros(1), "decoder_norm.weight": torch.ones(3)})
    assert changed(network, before) == {*state} - {"encoder.patch_size_voxels"}
    assert changed(network, {**before, **state}) == set()


def test_a_training_starts_from_weights_or_from_a_pretraining_or_from_nothing(build, segmentation_scripts, tmp_path):
    paths = tmp_path / "weights.pt", tmp_path / "pretrained.pt"
    one, other = (build(seed=seed).state_dict() for seed in (1, 2))
    for path, state in zip(paths, (one, other), strict=True):
        torch.save({"model": state}, path)
    start = segmentation_scripts.load_start
    plain = build().state_dict()
    assert changed(start(build()), plain) == set()
    assert changed(start(build(), weights=paths[0]), one) == set()
    assert changed(start(build(), pretrained=paths[1]), other) == {"decoder.out.weight", "decoder.out.bias"}
    with pytest.raises(
        InputError, match=r"from either weights or pretrained, got both: .*weights\.pt and .*pretrained\.pt"
    ):
        start(build(), *paths)


def test_what_does_not_fit_is_refused(build, start_from):
    encoder = {f"encoder.{key}": value for key, value in build().encoder.state_dict().items()}
    for network, state, sentence in (
        (build(depth=2), encoder, "must hold an encoder of depth 2, got depth 3"),
        (build("residual_unet"), encoder, r"must hold a whole ResidualUNet, .* got no keys decoder.out"),
        (build(), {"stem.weight": torch.ones(1)}, "must hold an encoder .* got 1 keys without one"),
        (build("residual_unet"), build().state_dict(), "encoder.patch_size_voxels is not expected"),
        (build(), build("residual_unet").state_dict(), "encoder.patch_size_voxels is missing"),
        (
            build(patch_size=(4, 4, 2)),
            build().state_dict(),
            r"patch_size must be \(2, 4, 4\), as in the training of .*, got \(4, 4, 2\)",
        ),
        (build(feature_size=8), build().state_dict(), "stem.* must have shape"),
    ):
        with pytest.raises(InputError, match=sentence):
            start_from(network, state)
