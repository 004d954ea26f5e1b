"""Groups of tokens that are hidden together: the group of each token, from 0 on, and the number of groups."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sectome.checks import check_whole_triple


def tubes(grid: Sequence[int], device: torch.device | None) -> tuple[Tensor, int]:
    """Group tokens (N,) into columns along z, so that hidden tissue cannot be copied from the next section.

    This is the tube masking of Tong et al. 2022 (arXiv:2203.12602), section 3.3, with sections for frames.
    """
    z, y, x = grid
    return torch.arange(y * x, device=device).repeat(z), y * x


def sections(grid: Sequence[int], device: torch.device | None) -> tuple[Tensor, int]:
    """Group tokens (N,) into layers as thick as a patch, which mimics lost sections."""
    z, y, x = grid
    return torch.arange(z, device=device).repeat_interleave(y * x), z


def blocks(
    batch: int,
    grid: Sequence[int],
    block_size: Sequence[int],
    device: torch.device | None,
    generator: torch.Generator | None,
) -> tuple[Tensor, int]:
    """Group tokens (B, N) into cuboids of `block_size` tokens (z, y, x), on a lattice shifted randomly per sample.

    Raises:
        InputError: if the block size is not three whole numbers from 1 on.
    """
    lengths = check_whole_triple(block_size, "block_size")
    groups = torch.zeros(batch, *grid, dtype=torch.int64, device=device)
    count = 1
    for axis, (tokens, length) in enumerate(zip(grid, lengths, strict=True)):
        shift = torch.randint(length, (batch, 1), device=device, generator=generator)
        block = (torch.arange(tokens, device=device) + shift) // length
        along_axis = (tokens + length - 2) // length + 1
        shape = [batch, 1, 1, 1]
        shape[axis + 1] = tokens
        groups = groups * along_axis + block.reshape(shape)
        count *= along_axis
    return groups.flatten(1), count
