"""The kinds of masks by the names that a config gives them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, get_args

import torch
from torch import Tensor

from sectome.checks import check_choice, check_whole_triple
from sectome.masking.block_mask import BLOCK, block_mask
from sectome.masking.random_mask import random_mask
from sectome.masking.section_mask import section_mask
from sectome.masking.tube_mask import tube_mask
from sectome.types import Shape3

MaskKind = Literal["random", "tube", "block", "section"]
MASK_KINDS: tuple[MaskKind, ...] = get_args(MaskKind)


def check_mask(kind: MaskKind, block_size: Sequence[int]) -> tuple[MaskKind, Shape3]:
    """Return a kind of mask and its block, as settings give them; a block that the kind has no use for costs a warning.

    Raises:
        InputError: if the kind is none of `MASK_KINDS`, or the block's size is not three whole numbers from 1 on.
    """
    mask, block = check_choice(kind, MASK_KINDS, "mask"), check_whole_triple(block_size, "mask_block")
    if mask != "block" and block != BLOCK:
        warnings.warn(f"mask_block {list(block)} is of the mask 'block' and changes nothing of {mask!r}", stacklevel=3)
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
    """Draw which tokens a masked autoencoder sees, for each sample on its own.

    Args:
        kind: "random" tokens, "tube" (columns along z), "block" (cuboids) or "section" (layers). Where these are hidden
            together, at most one of them per sample is hidden in part, so that the ratio is exact.
        batch: number of samples B.
        grid: tokens of a sample (z, y, x), N together.
        mask_ratio: share of tokens to hide; the number kept is `count_kept`, whatever the kind.
        device: where the mask is drawn; no copy from the host is needed.
        generator: a source of randomness on that device instead of the global one.
        block_size: tokens of a cuboid (z, y, x), for "block".

    Returns:
        `ids_keep` (B, N_kept) and `ids_masked` (B, N - N_kept), int64: together each token once.

    Raises:
        InputError: if the kind is none of these, the ratio does not lie between 0 and 1, or a sample has one token.
    """
    draw: dict[MaskKind, Callable[..., tuple[Tensor, Tensor]]] = {
        "random": random_mask,
        "tube": tube_mask,
        "block": partial(block_mask, block_size=block_size),
        "section": section_mask,
    }
    return draw[check_choice(kind, MASK_KINDS, "mask")](batch, grid, mask_ratio, device, generator)
