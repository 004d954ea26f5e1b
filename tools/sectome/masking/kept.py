"""The number of visible tokens, and the choice of hidden ones by a score."""

from __future__ import annotations

import torch
from torch import Tensor

from sectome.checks import InputError, is_number


def check_mask_ratio(mask_ratio: float) -> float:
    """Return a share of tokens to hide, or raise an `InputError` if it does not lie strictly between 0 and 1."""
    if not is_number(mask_ratio) or not 0 < mask_ratio < 1:
        raise InputError(f"mask_ratio must lie between 0 and 1, got {mask_ratio!r}")
    return float(mask_ratio)


def count_kept(tokens: int, mask_ratio: float) -> int:
    """Return how many tokens stay visible: the nearest whole number, at least one and not all.

    Raises:
        InputError: if the ratio does not lie strictly between 0 and 1, or there are fewer than two tokens.
    """
    check_mask_ratio(mask_ratio)
    if tokens < 2:
        raise InputError(f"a crop must have at least 2 patches to mask some of them, got {tokens}")
    return min(max(round((1 - mask_ratio) * tokens), 1), tokens - 1)


def keep_lowest(scores: Tensor, mask_ratio: float) -> tuple[Tensor, Tensor]:
    """Split tokens by their score (B, N), keeping those with the lowest scores.

    Returns:
        `ids_keep` (B, N_kept) and `ids_masked` (B, N - N_kept), int64; together they hold each token once.
    """
    kept = count_kept(scores.shape[1], mask_ratio)
    ids_shuffle = scores.argsort(dim=1)
    return ids_shuffle[:, :kept], ids_shuffle[:, kept:]


def mask_groups(
    groups: Tensor, count: int, mask_ratio: float, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Hide whole groups of tokens in random order; the last one is hidden in part, so that the ratio is exact.

    Args:
        groups: (B, N) int64, the group of each token, from 0 to `count` - 1.
        count: number of groups.
        mask_ratio: share of tokens to hide.
        generator: random number generator on the groups' device; None for the global one.

    Returns:
        `ids_keep` and `ids_masked`, as from `keep_lowest`.
    """
    batch, tokens = groups.shape
    order = torch.rand(batch, count, device=groups.device, generator=generator).argsort(dim=1)
    # Places are whole numbers, so that adding less than a half orders tokens within their group only.
    place = order.argsort(dim=1).gather(1, groups)
    within = torch.rand(batch, tokens, device=groups.device, generator=generator)
    return keep_lowest(place + 0.5 * within, mask_ratio)
