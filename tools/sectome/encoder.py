"""The 3D vision transformer that both bundles share: pre-trained in one, fine-tuned in the other.

Blocks are MONAI's `TransformerBlock` with scaled-dot-product attention. The patch embedding is a linear map of a
patch's voxels, so that it can run on visible tokens only. Positions are 3D sine-cosine codes of the grid at hand, so
that any crop that the patch divides can be encoded.

The forward pass uses only Python that TorchScript supports, so that networks can be exported for any crop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from monai.networks.blocks.transformerblock import TransformerBlock
from torch import Tensor, nn

from sectome.checkpoint_file import load_strictly, read_checkpoint
from sectome.checks import InputError, check_counts, check_whole_triple, patch_does_not_divide
from sectome.json_object import read_object
from sectome.trained_settings import settings_path
from sectome.types import Shape3

PREFIX = "encoder."
"""Prefix of the encoder's keys in the state of a masked autoencoder or a UNETR."""


def token_grid(image: Tensor, patch_size: Shape3) -> Shape3:
    """Return the grid of patches (gz, gy, gx) of an image (B, C, Z, Y, X).

    Raises:
        InputError: naming the axis along which the patch does not divide the image.
    """
    z, y, x = image.shape[2:]
    pz, py, px = patch_size
    for axis, patch, length in (("z", pz, z), ("y", py, y), ("x", px, x)):
        if length < patch or length % patch != 0:
            raise InputError(patch_does_not_divide(axis, patch, length))
    return z // pz, y // py, x // px


def patchify(image: Tensor, patch_size: Shape3) -> Tensor:
    """Cut (B, C, Z, Y, X) into tokens (B, N, C * pz * py * px), N over the grid with z slowest and x fastest."""
    pz, py, px = patch_size
    gz, gy, gx = token_grid(image, patch_size)
    batch, channels = image.shape[:2]
    grid_and_patch = image.reshape(batch, channels, gz, pz, gy, py, gx, px)
    # (B, C, gz, pz, gy, py, gx, px) -> (B, gz, gy, gx, C, pz, py, px)
    return grid_and_patch.permute(0, 2, 4, 6, 1, 3, 5, 7).reshape(batch, gz * gy * gx, channels * pz * py * px)


def unpatchify(tokens: Tensor, patch_size: Sequence[int], grid: Sequence[int]) -> Tensor:
    """Put tokens (B, N, C * pz * py * px) back together as (B, C, Z, Y, X): the inverse of `patchify`."""
    pz, py, px = patch_size
    gz, gy, gx = grid
    batch = tokens.shape[0]
    # (B, gz, gy, gx, C, pz, py, px) -> (B, C, gz, pz, gy, py, gx, px)
    split = tokens.reshape(batch, gz, gy, gx, -1, pz, py, px).permute(0, 4, 1, 5, 2, 6, 3, 7)
    return split.reshape(batch, -1, gz * pz, gy * py, gx * px)


def tokens_to_map(tokens: Tensor, grid: Shape3) -> Tensor:
    """Lay out tokens (B, N, hidden), N over (gz, gy, gx) with x fastest, as (B, hidden, gz, gy, gx)."""
    gz, gy, gx = grid
    return tokens.transpose(1, 2).reshape(-1, tokens.shape[2], gz, gy, gx)


def position_codes(grid: Shape3, hidden_size: int, device: torch.device | None = None) -> Tensor:
    """Return fixed 3D sine-cosine codes (1, N, hidden_size) for a grid of (gz, gy, gx) tokens.

    A third of the channels (rounded to whole sine-cosine pairs, the rest for x) codes each axis; a token's code depends
    on its own coordinates only, not on the size of the grid.
    """
    gz, gy, gx = grid
    pairs = hidden_size // 2
    share = pairs // 3
    z = axis_codes(gz, share, device)[:, None, None]
    y = axis_codes(gy, share, device)[None, :, None]
    x = axis_codes(gx, pairs - 2 * share, device)[None, None]
    codes = torch.cat([code.expand(gz, gy, gx, -1) for code in [z, y, x]], dim=-1)
    return codes.reshape(1, -1, 2 * pairs)


def axis_codes(length: int, pairs: int, device: torch.device | None = None) -> Tensor:
    """Return codes (length, 2 * pairs) of the positions along an axis, with the frequencies of Vaswani et al. 2017."""
    exponents = torch.arange(pairs, dtype=torch.float32, device=device) / pairs
    places = torch.arange(length, dtype=torch.float32, device=device)
    angles = places[:, None] * torch.exp(-math.log(10000.0) * exponents)
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def check_width(hidden_size: int, num_heads: int, part: str = "") -> None:
    """Raise an `InputError` if a width does not suit heads and position codes; `part` is a prefix of both names."""
    check_counts(**{f"{part}hidden_size": hidden_size, f"{part}num_heads": num_heads})
    if hidden_size % num_heads or hidden_size % 2 or hidden_size < 6:
        raise InputError(
            f"{part}hidden_size must be an even number of at least 6 and a multiple of {part}num_heads, got "
            f"{hidden_size} with {num_heads} heads"
        )


def vit_blocks(hidden_size: int, depth: int, num_heads: int, mlp_ratio: float = 4.0) -> nn.ModuleList:
    """Return MONAI's transformer blocks with SDPA, without the cross-attention norm that they never use.

    A parameter without a gradient makes distributed training fail, or forces it to search for such parameters.
    """
    mlp = round(hidden_size * mlp_ratio)
    blocks = [
        TransformerBlock(hidden_size, mlp, num_heads, qkv_bias=True, use_flash_attention=True) for _ in range(depth)
    ]
    for block in blocks:
        block.norm_cross_attn = nn.Identity()
    return nn.ModuleList(blocks)


def initialise_transformer(module: nn.Module) -> None:
    """Initialise linear layers as the masked autoencoder of He et al. 2022 does: Xavier-uniform, zero bias."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.xavier_uniform_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


class Encoder(nn.Module):
    """A vision transformer over 3D patches.

    Args:
        patch_size: voxels of a patch (z, y, x).
        in_channels: channels of the image.
        hidden_size: width of a token; a multiple of `num_heads` and even.
        depth: number of transformer blocks.
        num_heads: attention heads.
        mlp_ratio: hidden width of a block's MLP, as a multiple of `hidden_size`.

    Raises:
        InputError: if the patch size is not three whole numbers from 1 on, the width does not suit heads and position
            codes, or there is no block.
    """

    def __init__(
        self,
        patch_size: Sequence[int] = (4, 16, 16),
        in_channels: int = 1,
        hidden_size: int = 192,
        depth: int = 6,
        num_heads: int = 3,
        mlp_ratio: float = 4.0,
    ) -> None:
        super().__init__()
        check_width(hidden_size, num_heads)
        check_counts(depth=depth)
        self.patch_size = pz, py, px = check_whole_triple(patch_size, "patch_size")
        self.hidden_size = hidden_size
        # By its name among the settings, for `_check_heads`.
        self.attention_heads = {"num_heads": num_heads}
        # Part of the state, because (4, 16, 16) and (16, 8, 8) give weights of equal shape and different meaning.
        self.register_buffer("patch_size_voxels", torch.tensor(self.patch_size))
        self.patch_embedding = nn.Linear(in_channels * pz * py * px, hidden_size)
        self.blocks = vit_blocks(hidden_size, depth, num_heads, mlp_ratio)
        self.norm = nn.LayerNorm(hidden_size)
        initialise_transformer(self)

    @property
    def depth(self) -> int:
        """Number of transformer blocks."""
        return len(self.blocks)

    def embed(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """Embed voxels (B, n, C * pz * py * px) at position codes (B or 1, n, hidden_size)."""
        return self.patch_embedding(tokens) + positions

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the hidden states after each block, (B, N, hidden_size) each; the last one is normalised.

        Args:
            image: (B, C, Z, Y, X), each length a multiple of the patch.
        """
        grid = token_grid(image, self.patch_size)
        positions = position_codes(grid, self.hidden_size, image.device)
        return self.encode(self.embed(patchify(image, self.patch_size), positions))

    def encode(self, tokens: Tensor) -> list[Tensor]:
        """Run the blocks on embedded tokens (B, n, hidden_size), all of them or the visible ones."""
        states = []
        for block in self.blocks:
            tokens = block(tokens)
            states.append(tokens)
        states[-1] = self.norm(states[-1])
        return states


def _check_heads(module: nn.Module, path: str | Path) -> None:
    """Raise an `InputError` if the number of heads differs from `model.json`: shapes of weights do not show it."""
    trained = read_object(settings_path(path))
    for part in module.modules():
        for name, heads in getattr(part, "attention_heads", {}).items():
            if trained.get(name, heads) != heads:
                raise InputError(f"{name} must be {trained[name]}, as in the training of {path}, got {heads}")


def load_checkpoint(network: nn.Module, path: str | Path, prefix: str = "", keep: str | None = None) -> nn.Module:
    """Load a whole checkpoint strictly and return the network.

    Args:
        network: changed in place.
        path: a checkpoint that `train.json` wrote.
        prefix: added to the checkpoint's keys, if the trained network is a part of `network`.
        keep: prefix of keys whose values the network keeps; the checkpoint may lack them or differ in them.

    Raises:
        InputError: if the file is no checkpoint, differs in a key or a shape, or was trained with another patch size or
            number of heads.
    """
    state = {prefix + key: value for key, value in read_checkpoint(path).items()}
    if keep is not None:
        kept = {key: value for key, value in network.state_dict().items() if key.startswith(keep)}
        state = {key: value for key, value in state.items() if not key.startswith(keep)} | kept
    saved, own = (
        tuple(tensors[name].tolist()) if (name := f"{prefix}{PREFIX}patch_size_voxels") in tensors else None
        for tensors in (state, network.state_dict())
    )
    if None not in (saved, own) and saved != own:
        raise InputError(f"patch_size must be {saved}, as in the training of {path}, got {own}")
    _check_heads(network, path)
    load_strictly(network, state, str(path))
    return network


def load_encoder(encoder: Encoder, path: str | Path) -> None:
    """Load the `encoder.*` keys of a checkpoint strictly.

    Raises:
        InputError: if the checkpoint has no encoder, another depth, width, number of heads or patch size.
    """
    state = read_checkpoint(path)
    part = {key[len(PREFIX) :]: value for key, value in state.items() if key.startswith(PREFIX)}
    if not part:
        raise InputError(f"{path} must hold an encoder (keys {PREFIX}*), got {len(state)} keys without one")
    depth = 1 + max((int(key.split(".")[1]) for key in part if key.startswith("blocks.")), default=-1)
    if depth != encoder.depth:
        raise InputError(f"{path} must hold an encoder of depth {encoder.depth}, got depth {depth}")
    patch_size = tuple(part.get("patch_size_voxels", torch.zeros(3)).tolist())
    if patch_size != encoder.patch_size:
        raise InputError(f"{path} must hold an encoder of patch size {encoder.patch_size}, got {patch_size}")
    _check_heads(encoder, path)
    load_strictly(encoder, part, str(path))
