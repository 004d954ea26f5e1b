"""A pre-training step: ours against MONAI's `MaskedAutoEncoderViT`, and what each of our savings buys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from training_measure import Setting, Work, compare, training_step  # isort: skip  (sets the number of threads)

import torch
from monai.inferers import SimpleInferer
from monai.networks.nets import MaskedAutoEncoderViT
from torch import Tensor, nn
from training_config import from_config, scripts_of, size_settings

from sectome.checks import check_patch_divides
from sectome.encoder import patchify, position_codes
from sectome.masking import draw_mask
from sectome.training import AutocastInferer, compile_network, parameter_groups, record_network

with scripts_of("mae_pretrain") as scripts:
    gather_tokens, scatter_tokens = scripts.masked_autoencoder.gather_tokens, scripts.masked_autoencoder.scatter_tokens

PATCH, MASK_RATIO, MLP_RATIO, LR, WEIGHT_DECAY = (4, 16, 16), 0.75, 4, 1e-4, 0.05
LARGE_DECODER = {"decoder_hidden_size": 384, "decoder_depth": 4, "decoder_num_heads": 12}
"""The decoder that MONAI's network has by default."""


@dataclass(frozen=True)
class Candidate:
    """A masked autoencoder and its optimizer.

    Args:
        size: name of the encoder's and decoder's size.
        crop: voxels (z, y, x).
        batch: crops of a step.
        stock: MONAI's network and AdamW's defaults instead of ours.
        sdpa: attention by one fused call.
        embed_visible: embed visible patches only, instead of all.
        predict_masked: predict hidden patches only, instead of all.
        fused: AdamW updates all weights in one call.
        recorded: forward and backward pass are CUDA graphs, as with `cuda_graph` in train.json.
        compiled: kernels of the forward and the backward pass are made by torch, as with `compile` in train.json.
        settings: of the network, instead of the size's.
    """

    size: str
    crop: tuple[int, int, int]
    batch: int
    stock: bool = False
    sdpa: bool = True
    embed_visible: bool = True
    predict_masked: bool = True
    fused: bool = True
    recorded: bool = False
    compiled: bool = False
    settings: Mapping[str, int] = field(default_factory=dict)


def stock_network(size: Mapping[str, int], crop: tuple[int, int, int]) -> MaskedAutoEncoderViT:
    """Return MONAI's network with the layers of ours."""
    return MaskedAutoEncoderViT(
        in_channels=1,
        img_size=crop,
        patch_size=PATCH,
        hidden_size=size["hidden_size"],
        mlp_dim=MLP_RATIO * size["hidden_size"],
        num_layers=size["depth"],
        num_heads=size["num_heads"],
        masking_ratio=MASK_RATIO,
        decoder_hidden_size=size["decoder_hidden_size"],
        decoder_mlp_dim=MLP_RATIO * size["decoder_hidden_size"],
        decoder_num_layers=size["decoder_depth"],
        decoder_num_heads=size["decoder_num_heads"],
        qkv_bias=True,
    )


def our_network(size: Mapping[str, int]) -> nn.Module:
    """Return the bundle's network."""
    return from_config("mae_pretrain", "network_def", patch_size=list(PATCH), mask_ratio=MASK_RATIO, **size)


def survive_autocast(network: MaskedAutoEncoderViT) -> None:
    """Keep the decoder's tokens in float32, into which MONAI's network copies what autocast made bfloat16."""
    network.decoder_embed.register_forward_hook(lambda _module, _inputs, output: output.float())


def stock_loss(output: tuple[Tensor, Tensor], image: Tensor) -> Tensor:
    """Return the mean squared error of hidden voxels, which MONAI leaves to its user."""
    prediction, mask = output
    squared = (prediction.float() - patchify(image, PATCH)).square().mean(dim=-1)
    return (squared * mask).sum() / mask.sum()


def our_loss(output: dict[str, Tensor], _image: Tensor) -> Tensor:
    """Return the loss that our network computes itself."""
    return output["loss"]


class Lavish(nn.Module):
    """Our network without the savings on tokens, for the ablation.

    Args:
        network: a masked autoencoder.
        embed_visible: embed visible patches only.
        predict_masked: predict hidden patches only.
    """

    def __init__(self, network: nn.Module, embed_visible: bool, predict_masked: bool) -> None:
        super().__init__()
        self.network = network
        self.embed_visible = embed_visible
        self.predict_masked = predict_masked

    def forward(self, image: Tensor, ids_keep: Tensor | None = None, ids_masked: Tensor | None = None) -> Any:
        """Return what the network returns for an image (B, C, Z, Y, X)."""
        network, encoder = self.network, self.network.encoder
        grid = check_patch_divides(encoder.patch_size, image.shape[2:])
        patches = patchify(image, encoder.patch_size)
        if ids_keep is None or ids_masked is None:
            ids_keep, ids_masked = draw_mask("random", len(image), grid, network.mask_ratio, image.device)
        positions = position_codes(grid, encoder.hidden_size, image.device)
        if self.embed_visible:
            visible = encoder.embed(gather_tokens(patches, ids_keep), gather_tokens(positions, ids_keep))
        else:
            visible = gather_tokens(encoder.embed(patches, positions), ids_keep)
        latent = encoder.encode(visible)[-1]
        if self.predict_masked:
            prediction = network.decode(latent, ids_keep, ids_masked, grid)
            return {"loss": (prediction.float() - gather_tokens(patches, ids_masked)).square().mean()}
        codes = position_codes(grid, network.decoder_hidden_size, image.device)
        shown = network.decoder_embedding(latent)
        tokens = scatter_tokens(network.mask_token.to(shown.dtype).repeat(*patches.shape[:2], 1), ids_keep, shown)
        tokens = tokens + codes
        for block in network.decoder_blocks:
            tokens = block(tokens)
        prediction = network.decoder_prediction(network.decoder_norm(tokens))
        mask = scatter_tokens(torch.ones_like(patches[..., :1]), ids_keep, torch.zeros_like(latent[..., :1]).float())
        return {"loss": stock_loss((prediction, mask[..., 0]), image)}


def build(candidate: Candidate, setting: Setting) -> Work:
    """Return a training step of a candidate."""
    torch.manual_seed(0)
    size = {**size_settings("mae_pretrain", candidate.size), **candidate.settings}
    image = torch.randn(candidate.batch, 1, *candidate.crop, device=setting.device)
    if candidate.stock:
        network = stock_network(size, candidate.crop).to(setting.device)
        if setting.precision == "bf16":
            survive_autocast(network)
        optimizer = torch.optim.AdamW(network.parameters(), LR, weight_decay=WEIGHT_DECAY)
        return training_step(network, optimizer, stock_loss, image, None, setting)
    network = our_network(size).to(setting.device)
    groups = parameter_groups(network, LR, WEIGHT_DECAY)
    optimizer = torch.optim.AdamW(groups, fused=candidate.fused or None)
    for part in network.modules():
        if hasattr(part, "use_flash_attention"):
            part.use_flash_attention = candidate.sdpa
    if not (candidate.embed_visible and candidate.predict_masked):
        network = Lavish(network, candidate.embed_visible, candidate.predict_masked)
    if candidate.compiled:
        torch.compiler.reset()  # After eight shapes torch would go on without compiling, and say so in a log only.
        compile_network(network)
    infer = AutocastInferer(SimpleInferer(), setting.precision)
    work = training_step(network, optimizer, our_loss, image, None, setting, infer)
    if candidate.recorded:
        record_network(network, image.shape, setting.device, setting.precision)
    if candidate.recorded or candidate.compiled:
        # Operations cannot be counted in what is recorded or compiled.
        plain = replace(candidate, recorded=False, compiled=False)
        return replace(work, plain=lambda: build(plain, setting))
    return work


def our_key(key: str, size: Mapping[str, int]) -> str:
    """Return what our state calls an entry of MONAI's."""
    names = {
        f"decoder_blocks.{size['decoder_depth']}.": "decoder_norm.",
        f"blocks.{size['depth']}.": "encoder.norm.",
        "blocks.": "encoder.blocks.",
        "patch_embedding.patch_embeddings.": "encoder.patch_embedding.",
        "decoder_embed.": "decoder_embedding.",
        "mask_tokens": "mask_token",
        "decoder_pred.": "decoder_prediction.",
    }
    for theirs, ours in names.items():
        if key.startswith(theirs):
            return ours + key[len(theirs) :]
    return key


def check_sameness(size_name: str, crop: tuple[int, int, int]) -> None:
    """Show that MONAI's network with our positions and without its class token computes what ours does.

    Its weights are loaded into ours, and its mask is given to ours: the losses are equal, with and without our savings.
    """
    torch.manual_seed(0)
    size = size_settings("mae_pretrain", size_name)
    theirs, ours = stock_network(size, crop), our_network(size)
    state = {our_key(key, size): value for key, value in theirs.state_dict().items()}
    only_theirs = {key for key in state if key not in ours.state_dict()}
    fitting = {key: value for key, value in state.items() if key not in only_theirs}
    width = ours.encoder.patch_embedding.weight.shape
    fitting["encoder.patch_embedding.weight"] = fitting["encoder.patch_embedding.weight"].reshape(width)
    missing, unexpected = ours.load_state_dict(fitting, strict=False)
    assert (missing, unexpected) == (["encoder.patch_size_voxels"], []), (missing, unexpected)
    unused = {key for key in only_theirs if "norm_cross_attn" in key}
    tables = {"patch_embedding.position_embeddings", "decoder_pos_embedding"}
    assert only_theirs == {"cls_token", *tables, *unused}, only_theirs

    grid = check_patch_divides(PATCH, crop)
    theirs.patch_embedding.position_embeddings = nn.Parameter(position_codes(grid, size["hidden_size"]))
    theirs.decoder_pos_embedding = nn.Parameter(position_codes(grid, size["decoder_hidden_size"]))
    for blocks in (theirs.blocks, theirs.decoder_blocks):
        # The class token, which is the first, is kept from the blocks.
        blocks.register_forward_pre_hook(lambda _module, inputs: inputs[0][:, 1:])
        blocks.register_forward_hook(lambda _module, _inputs, output: nn.functional.pad(output, (0, 0, 1, 0)))

    image = torch.randn(1, 1, *crop)
    with torch.no_grad():
        output = theirs(image)
        hidden = output[1].argsort(dim=1, stable=True)
        kept = int((output[1] == 0).sum())
        assert kept == len(draw_mask("random", 1, grid, MASK_RATIO)[0][0])
        loss, ids = stock_loss(output, image), (hidden[:, :kept], hidden[:, kept:])
        torch.testing.assert_close(ours(image, *ids)["loss"], loss)
        for one in (Lavish(ours, False, True), Lavish(ours, True, False)):
            torch.testing.assert_close(one(image, *ids)["loss"], loss)
    parameters = sum(parameter.numel() for parameter in ours.parameters())
    print(
        f"\nmae {size_name}: {kept} of {hidden.shape[1]} patches visible and loss {float(loss):.6f} in both, "
        "for the same weights and mask,\nwith our positions and without MONAI's class token; "
        f"{parameters} parameters, MONAI has a class token and {len(unused)} tensors that it never uses",
        flush=True,
    )


def against_monai(candidate: Candidate, setting: Setting, peak: float, memory: bool) -> list[dict[str, Any]]:
    """Return rows of our step and MONAI's."""
    patched = ", patched for autocast" if setting.precision == "bf16" else ""
    candidates = {f"MONAI{patched}": replace(candidate, stock=True), "sectome": candidate}
    if setting.device.type == "cuda":
        candidates["sectome, cuda_graph"] = replace(candidate, recorded=True)
        candidates["sectome, compile and cuda_graph"] = replace(candidate, recorded=True, compiled=True)
    elif candidate.size == "demo":  # Half a minute of compiling each.
        candidates["sectome, compile"] = replace(candidate, compiled=True)
    case = f"{candidate.size}, batch {candidate.batch}, crop {'x'.join(map(str, candidate.crop))}"
    return compare("mae step", case, build, candidates, setting, peak, memory)


def ablation(candidate: Candidate, setting: Setting, peak: float) -> list[dict[str, Any]]:
    """Return rows of our step with one saving taken away each."""
    candidates = {
        "sectome": candidate,
        "attention not fused": replace(candidate, sdpa=False),
        "all patches embedded": replace(candidate, embed_visible=False),
        "all patches predicted": replace(candidate, predict_masked=False),
        "AdamW not fused": replace(candidate, fused=False),
        "MONAI's default decoder, 4x384": replace(candidate, settings=LARGE_DECODER),
    }
    case = f"{candidate.size}, batch {candidate.batch}, crop {'x'.join(map(str, candidate.crop))}"
    return compare("mae ablation", case, build, candidates, setting, peak)
