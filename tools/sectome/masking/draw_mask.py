"""The kinds of masks, by their names in a config."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from sectome.checks import check_choice, check_whole_triple
from sectome.masking.kept import keep_lowest, mask_groups
from sectome.masking.token_groups import blocks, sections, tubes
from sectome.types import Shape3

MaskKind = Literal["random", "tube", "block", "section"]
MASK_KINDS: tuple[MaskKind, ...] = get_args(MaskKind)

BLOCK: Shape3 = (2, 2, 2)
"""Default size of a block in tokens (z, y, x)."""


def check_mask(kind: MaskKind, block_size: Sequence[int]) -> tuple[MaskKind, Shape3]:
    """Return the kind of mask and the block size once checked; warn if this kind does not use the given block size.

    Raises:
        InputError: if the kind is none of `MASK_KINDS`, or the block size is not three whole numbers from 1 on.
    """
    mask, block = check_choice(kind, MASK_KINDS, "mask"), check_whole_triple(block_size, "mask_block")
    if mask != "block" and block != BLOCK:
        warnings.warn(
            f"mask_block {list(block)} changes nothing with {mask!r}: it is for the mask 'block'", stacklevel=3
        )
    return mask, block


def draw_mask(
    kind: MaskKind,
    batch: int,
    grid: Sequence[int],
    mask_ratio: float,
    device: torch.device | None = None,
    generator: torch.Generator | None = None,
    block_size: Sequence[int] = BLOCK,
) -> tuple[Tensor, Tensor]:
    """Draw the tokens that a masked autoencoder sees, independently for each sample.

    "random" masks are those of He et al. 2022 (arXiv:2111.06377), section 3, and, on patches of tissue, of Cheng et al.
    2023 (doi:10.3389/fninf.2023.1118419).

    Args:
        kind: "random" tokens, "tube" (columns along z), "block" (cuboids) or "section" (layers). Tubes, blocks and
            sections are hidden whole, but for at most one per sample that is hidden in part to make the ratio exact.
        batch: number of samples B.
        grid: tokens of a sample (z, y, x), N in total.
        mask_ratio: share of tokens to hide; `count_kept` gives the number kept, for every kind.
        device: where the mask is drawn; no copy from the host is needed.
        generator: random number generator on that device; by default the global one.
        block_size: tokens of a cuboid (z, y, x), for "block".

    Returns:
        `ids_keep` (B, N_kept) and `ids_masked` (B, N - N_kept), int64; together they hold each token once.

    Raises:
        InputError: if the kind is none of these, the block size is not three whole numbers from 1 on, the ratio does
            not lie between 0 and 1, or a sample has one token.
    """
    if check_choice(kind, MASK_KINDS, "mask") == "random":
        return keep_lowest(torch.rand(batch, math.prod(grid), device=device, generator=generator), mask_ratio)
    if kind == "block":
        groups, count = blocks(batch, grid, block_size, device, generator)
    else:
        groups, count = tubes(grid, device) if kind == "tube" else sections(grid, device)
    return mask_groups(groups.expand(batch, -1), count, mask_ratio, generator)
