"""A 3D encoder from the weights of a 2D vision transformer, as timm and DINO store them.

Blocks are copied unchanged, because attention works on any tokens. The patch embedding is summed over the colours,
resampled to the patch's width and height, and spread evenly over its sections (Carreira and Zisserman 2017,
arXiv:1705.07750), so that a patch of equal sections is embedded as the 2D image was. Learned positions, class and
register tokens are left out: the encoder has its own sine-cosine positions.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from sectome.checkpoint_file import load_plain_tensors, load_strictly
from sectome.checks import InputError, check_file_to_write, check_whole_triple
from sectome.encoder import PREFIX, Encoder
from sectome.json_object import write_json
from sectome.trained_settings import settings_path
from sectome.training import save_atomically

WRAPPERS = ("model", "state_dict", "teacher", "student")
"""Keys under which checkpoints store the state."""

OUTER_NAMES = ("module.", "backbone.", "encoder.", "visual.")
"""Prefixes that training scripts put before the names of a ViT."""

NAMES = {
    "norm1": "norm1",
    "norm2": "norm2",
    "attn.qkv": "attn.qkv",
    "attn.proj": "attn.out_proj",
    "mlp.fc1": "mlp.linear1",
    "mlp.fc2": "mlp.linear2",
}
"""Layers of a block: names in timm to names in MONAI."""

LAYER_SCALES = {
    "ls1.gamma": "attn.out_proj",
    "ls2.gamma": "mlp.linear2",
    "gamma_1": "attn.out_proj",
    "gamma_2": "mlp.linear2",
}
"""Per-channel scales, as DINOv2 and DeiT III name them, and the layers whose output they scale."""


def inflate(weights: str | Path, output: str | Path, patch_size: Sequence[int], num_heads: int) -> Encoder:
    """Write a checkpoint whose encoder is an inflated 2D vision transformer, for `--pretrained` of em_segmentation.

    The number of heads is written to a file beside it, as a training does, because weights do not show it.

    Args:
        weights: a .pth or .pt file of plain tensors, from timm, DINO or MAE.
        output: the checkpoint to write.
        patch_size: voxels of the 3D patch (z, y, x).
        num_heads: attention heads of the transformer, which its weights do not show.

    Raises:
        InputError: if the file is no such transformer, its width does not suit the heads, it has layers that the
            encoder lacks, or the output is the input file or cannot be written.
    """
    check_file_to_write(output)
    if os.path.realpath(output) == os.path.realpath(weights):
        raise InputError(f"output must be a different file from the weights, got {output} for both")
    state = read_vit(weights)
    depth = 1 + max(int(key.split(".")[1]) for key in state if key.startswith("blocks."))
    hidden_size = state["patch_embed.proj.weight"].shape[0]
    mlp_ratio = state["blocks.0.mlp.fc1.weight"].shape[0] / hidden_size
    patch = check_whole_triple(patch_size, "patch_size")
    encoder = Encoder(patch, 1, hidden_size, depth, num_heads, mlp_ratio)
    load_strictly(encoder, encoder_state(state, patch), str(weights))
    save_atomically({"model": {PREFIX + key: value for key, value in encoder.state_dict().items()}}, output)
    write_json({"num_heads": num_heads}, settings_path(output))
    return encoder


def read_vit(path: str | Path) -> dict[str, Tensor]:
    """Return the state of a 2D vision transformer under timm's names.

    Raises:
        InputError: if the file is missing, holds more than plain tensors, or is no 2D vision transformer.
    """
    content = load_plain_tensors(path, "a vision transformer")
    while isinstance(content, Mapping) and (inner := next((name for name in WRAPPERS if name in content), None)):
        content = content[inner]
    state = {_bare(name): value for name, value in content.items()} if isinstance(content, Mapping) else {}
    for name in ("patch_embed.proj.weight", "blocks.0.attn.qkv.weight", "blocks.0.mlp.fc1.weight"):
        if not isinstance(state.get(name), Tensor):
            known = ", ".join(sorted(state)[:3]) or "nothing"
            raise InputError(
                f"expected a vision transformer with timm's names, including {name}, in {path}, got {known}"
            )
    shape = tuple(state["patch_embed.proj.weight"].shape)
    if len(shape) != 4:
        raise InputError(
            f"{path} must hold a 2D vision transformer, whose patch embedding is (width, colours, rows, columns), got "
            f"{shape}"
        )
    return {name: value.float() for name, value in state.items() if isinstance(value, Tensor)}


def encoder_state(state: Mapping[str, Tensor], patch_size: Sequence[int]) -> dict[str, Tensor]:
    """Translate a 2D transformer's state into that of an `Encoder` with one channel and this patch (z, y, x)."""
    embedding = inflate_patch_embedding(state["patch_embed.proj.weight"], patch_size)
    hidden_size = len(embedding)
    inflated = {
        "patch_size_voxels": torch.tensor(tuple(patch_size)),
        "patch_embedding.weight": embedding,
        "patch_embedding.bias": state.get("patch_embed.proj.bias", torch.zeros(hidden_size)),
        "norm.weight": state.get("norm.weight", torch.ones(hidden_size)),
        "norm.bias": state.get("norm.bias", torch.zeros(hidden_size)),
    }
    for name, value in state.items():
        if match := re.fullmatch(r"(blocks\.\d+\.)(.+)\.(weight|bias)", name):
            block, layer, kind = match.groups()
            # A layer that the encoder lacks, such as a norm of queries, keeps its name, so that loading refuses it.
            inflated[f"{block}{NAMES.get(layer, layer)}.{kind}"] = value.clone()
        elif name.startswith("norm_pre."):
            inflated[name] = value
    for name, factors in state.items():
        if (match := re.fullmatch(r"(blocks\.\d+\.)(.+)", name)) and match[2] in LAYER_SCALES:
            layer = match[1] + LAYER_SCALES[match[2]]
            inflated[f"{layer}.weight"] *= factors[:, None]
            inflated[f"{layer}.bias"] *= factors
    return inflated


def inflate_patch_embedding(weight: Tensor, patch_size: Sequence[int]) -> Tensor:
    """Return 3D weights (hidden, pz * py * px) from the 2D weights (hidden, colours, height, width).

    If the patch has another size in x and y, the weights embed a resampled image as the 2D weights embed the original
    (Beyer et al. 2023, arXiv:2212.08013).
    """
    pz, py, px = patch_size
    hidden, _, height, width = weight.shape
    pixels = torch.eye(height * width).reshape(-1, 1, height, width)
    # Row i is the image whose pixel i is 1, resampled.
    resampling = F.interpolate(pixels, size=(py, px), mode="area").reshape(height * width, py * px)
    grey = weight.sum(dim=1).reshape(hidden, -1)
    resampled = grey @ torch.linalg.pinv(resampling).T
    return (resampled / pz).repeat(1, pz)


def _bare(name: str) -> str:
    for outer in OUTER_NAMES:
        name = name.removeprefix(outer)
    return name
