"""Block masking: cuboids of tokens are hidden, so that a hidden token's neighbours tend to be hidden too."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sectome.checks import check_whole_triple
from sectome.masking.kept import mask_groups
from sectome.types import Shape3

BLOCK: Shape3 = (2, 2, 2)
"""Tokens of a cuboid (z, y, x) where nobody says."""


def block_mask(
    batch: int,
    grid: Sequence[int],
    mask_ratio: float,
    device: torch.device | None = None,
    generator: torch.Generator | None = None,
    block_size: Sequence[int] = BLOCK,
) -> tuple[Tensor, Tensor]:
    """Hide cuboids of `block_size` tokens (z, y, x) of a lattice that lies elsewhere in each sample; see `draw_mask`.

    Raises:
        InputError: if the block's size is not three whole numbers from 1 on.
    """
    lengths = check_whole_triple(block_size, "block_size")
    groups = torch.zeros(batch, *grid, dtype=torch.int64, device=device)
    count = 1
    for axis, (tokens, length) in enumerate(zip(grid, lengths, strict=True)):
        shift = torch.randint(length, (batch, 1), device=device, generator=generator)
        block = (torch.arange(tokens, device=device) + shift) // length
        blocks = (tokens + length - 2) // length + 1
        shape = [batch, 1, 1, 1]
        shape[axis + 1] = tokens
        groups = groups * blocks + block.reshape(shape)
        count *= blocks
    return mask_groups(groups.flatten(1), count, mask_ratio, generator)
