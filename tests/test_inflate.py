"""A 2D vision transformer's weights in the 3D encoder."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from sectome.checks import InputError
from sectome.encoder import Encoder, load_encoder, patchify
from sectome.inflate import inflate, inflate_patch_embedding, read_vit

WIDTH, DEPTH, HEADS, PATCH = 24, 2, 3, (2, 8, 8)


@pytest.fixture
def vit() -> dict[str, torch.Tensor]:
    """Random weights under timm's names, of 8x8 patches in three colours, with DINOv2's layer scales."""
    torch.manual_seed(0)
    state = {
        "cls_token": torch.randn(1, 1, WIDTH),
        "pos_embed": torch.randn(1, 17, WIDTH),
        "patch_embed.proj.weight": torch.randn(WIDTH, 3, 8, 8),
        "patch_embed.proj.bias": torch.randn(WIDTH),
        "norm.weight": torch.randn(WIDTH),
        "norm.bias": torch.randn(WIDTH),
        "head.weight": torch.randn(10, WIDTH),
    }
    shapes = {"attn.qkv": (3 * WIDTH, WIDTH), "attn.proj": (WIDTH, WIDTH), "mlp.fc1": (4 * WIDTH, WIDTH)}
    shapes["mlp.fc2"] = (WIDTH, 4 * WIDTH)
    for block in range(DEPTH):
        for name, shape in shapes.items():
            state[f"blocks.{block}.{name}.weight"] = torch.randn(shape) / 5
            state[f"blocks.{block}.{name}.bias"] = torch.randn(shape[0])
        for name in ("norm1", "norm2"):
            state[f"blocks.{block}.{name}.weight"] = torch.randn(WIDTH)
            state[f"blocks.{block}.{name}.bias"] = torch.randn(WIDTH)
        for name in ("ls1", "ls2"):
            state[f"blocks.{block}.{name}.gamma"] = torch.rand(WIDTH)
    return state


def reference_block(state: dict[str, torch.Tensor], block: int, tokens: torch.Tensor) -> torch.Tensor:
    """A block of timm's VisionTransformer with layer scale, written out."""

    def linear(name: str, values: torch.Tensor) -> torch.Tensor:
        return F.linear(values, state[f"blocks.{block}.{name}.weight"], state[f"blocks.{block}.{name}.bias"])

    def norm(name: str, values: torch.Tensor) -> torch.Tensor:
        weight, bias = state[f"blocks.{block}.{name}.weight"], state[f"blocks.{block}.{name}.bias"]
        return F.layer_norm(values, (WIDTH,), weight, bias)

    batch, count, _ = tokens.shape
    qkv = linear("attn.qkv", norm("norm1", tokens)).reshape(batch, count, 3, HEADS, WIDTH // HEADS)
    query, key, value = qkv.permute(2, 0, 3, 1, 4)
    weights = (query @ key.transpose(-2, -1) / (WIDTH // HEADS) ** 0.5).softmax(dim=-1)
    mixed = linear("attn.proj", (weights @ value).transpose(1, 2).reshape(batch, count, WIDTH))
    tokens = tokens + state[f"blocks.{block}.ls1.gamma"] * mixed
    expanded = F.gelu(linear("mlp.fc1", norm("norm2", tokens)))
    return tokens + state[f"blocks.{block}.ls2.gamma"] * linear("mlp.fc2", expanded)


def test_blocks_compute_what_the_2d_transformer_computes(vit, tmp_path):
    torch.save(vit, tmp_path / "vit.pth")
    encoder = inflate(tmp_path / "vit.pth", tmp_path / "encoder.pt", PATCH, HEADS)
    tokens = expected = torch.randn(2, 5, WIDTH)
    states = encoder.encode(tokens)
    for block in range(DEPTH):
        expected = reference_block(vit, block, expected)
        if block < DEPTH - 1:
            torch.testing.assert_close(states[block], expected, rtol=1e-4, atol=1e-4)
    expected = F.layer_norm(expected, (WIDTH,), vit["norm.weight"], vit["norm.bias"])
    torch.testing.assert_close(states[-1], expected, rtol=1e-4, atol=1e-4)


def test_layer_scales_by_the_names_of_deit_3_are_those_of_dinov2(vit, tmp_path):
    torch.save(vit, tmp_path / "dino.pth")
    names = {"ls1.gamma": "gamma_1", "ls2.gamma": "gamma_2"}
    deit = {name[:9] + names.get(name[9:], name[9:]): value for name, value in vit.items()}
    torch.save({"model": deit}, tmp_path / "deit.pth")
    expected, got = (inflate(tmp_path / f"{name}.pth", tmp_path / "e.pt", PATCH, HEADS) for name in ("dino", "deit"))
    for key, value in expected.state_dict().items():
        assert torch.equal(value, got.state_dict()[key]), key


@pytest.mark.parametrize("name", ["blocks.1.attn.q_norm.weight", "blocks.0.mlp.norm.bias", "norm_pre.weight"])
def test_a_layer_that_the_encoder_does_not_have_is_refused(vit, tmp_path, name):
    torch.save({**vit, name: torch.ones(WIDTH)}, tmp_path / "vit.pth")
    with pytest.raises(InputError, match=f"does not fit the network: {name} is not expected"):
        inflate(tmp_path / "vit.pth", tmp_path / "encoder.pt", PATCH, HEADS)
    assert not (tmp_path / "encoder.pt").exists()


def test_a_patch_of_equal_sections_is_embedded_as_its_picture_was(vit, tmp_path):
    torch.save(vit, tmp_path / "vit.pth")
    encoder = inflate(tmp_path / "vit.pth", tmp_path / "encoder.pt", PATCH, HEADS)
    picture = torch.randn(1, 1, 16, 24)
    expected = F.conv2d(
        picture.expand(-1, 3, -1, -1), vit["patch_embed.proj.weight"], vit["patch_embed.proj.bias"], stride=8
    )
    volume = picture[:, :, None].expand(-1, -1, 2, -1, -1)
    embedded = encoder.embed(patchify(volume, PATCH), torch.zeros(1))
    torch.testing.assert_close(embedded, expected.flatten(2).transpose(1, 2), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("patch", [(4, 16, 16), (8, 8, 8), (1, 4, 8), (2, 32, 32)])
def test_a_patch_of_another_size_embeds_a_constant_as_before(patch):
    weight = torch.randn(WIDTH, 3, 16, 16)
    inflated = inflate_patch_embedding(weight, patch)
    assert inflated.shape == (WIDTH, patch[0] * patch[1] * patch[2])
    torch.testing.assert_close(inflated.sum(dim=1), weight.sum(dim=(1, 2, 3)), rtol=1e-3, atol=1e-3)


def test_the_checkpoint_loads_as_a_pretrained_encoder(vit, tmp_path):
    torch.save(vit, tmp_path / "vit.pth")
    inflate(tmp_path / "vit.pth", tmp_path / "encoder.pt", PATCH, HEADS)
    load_encoder(Encoder(PATCH, 1, WIDTH, DEPTH, HEADS), tmp_path / "encoder.pt")
    with pytest.raises(InputError, match=r"patch size \(4, 8, 8\), got \(2, 8, 8\)"):
        load_encoder(Encoder((4, 8, 8), 1, WIDTH, DEPTH, HEADS), tmp_path / "encoder.pt")
    with pytest.raises(InputError, match=rf"num_heads must be {HEADS}, as in the training of .*, got {HEADS * 2}"):
        load_encoder(Encoder(PATCH, 1, WIDTH, DEPTH, HEADS * 2), tmp_path / "encoder.pt")


def test_dino_and_training_wrappers_are_looked_into(vit, tmp_path):
    torch.save({"teacher": {f"module.backbone.{name}": value for name, value in vit.items()}}, tmp_path / "dino.pth")
    assert read_vit(tmp_path / "dino.pth").keys() == vit.keys()


def test_a_transformer_of_videos_is_refused(vit, tmp_path):
    torch.save({**vit, "patch_embed.proj.weight": torch.randn(WIDTH, 3, 2, 8, 8)}, tmp_path / "video.pth")
    with pytest.raises(InputError, match=r"must hold a 2D vision transformer, .*got \(24, 3, 2, 8, 8\)"):
        inflate(tmp_path / "video.pth", tmp_path / "encoder.pt", PATCH, HEADS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"layer1.conv.weight": torch.zeros(1)}, r"expected a vision transformer with timm's names, .*got layer1"),
        ([1, 2], "expected a vision transformer"),
    ],
)
def test_other_files_are_refused_and_nothing_is_written(content, message, tmp_path):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(InputError, match=message):
        inflate(tmp_path / "other.pth", tmp_path / "encoder.pt", PATCH, HEADS)
    assert not (tmp_path / "encoder.pt").exists()


def test_a_missing_file_and_heads_that_do_not_suit_are_refused(vit, tmp_path):
    with pytest.raises(InputError, match="got no such file"):
        inflate(tmp_path / "none.pth", tmp_path / "encoder.pt", PATCH, HEADS)
    torch.save(vit, tmp_path / "vit.pth")
    with pytest.raises(InputError, match="a multiple of num_heads"):
        inflate(tmp_path / "vit.pth", tmp_path / "encoder.pt", PATCH, 5)


def test_the_weights_are_never_replaced_by_what_is_made_of_them(vit, tmp_path):
    torch.save(vit, tmp_path / "vit.pth")
    before = (tmp_path / "vit.pth").read_bytes()
    (tmp_path / "link.pth").symlink_to("vit.pth")
    with pytest.raises(InputError, match=r"output must be a different file from the weights, got .*link\.pth for both"):
        inflate(tmp_path / "vit.pth", tmp_path / "link.pth", PATCH, HEADS)
    assert (tmp_path / "vit.pth").read_bytes() == before
