"""Random masking: every token has the same chance to be hidden, and a fixed number is kept.

He et al. 2022 (arXiv:2111.06377), section 3.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sectome.checks import InputError


def count_kept(tokens: int, mask_ratio: float) -> int:
    """Return how many of the tokens stay visible: the nearest whole number, at least one and not all.

    Raises:
        InputError: if the ratio does not lie strictly between 0 and 1, or there are fewer than two tokens.
    """
    if not 0 < mask_ratio < 1:
        raise InputError(f"mask_ratio must lie between 0 and 1, got {mask_ratio}")
    if tokens < 2:
        raise InputError(f"a crop must have at least 2 patches to mask some of them, got {tokens}")
    return min(max(round((1 - mask_ratio) * tokens), 1), tokens - 1)


def random_mask(
    batch: int,
    tokens: int,
    mask_ratio: float,
    device: torch.device | None = None,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Draw which tokens a masked autoencoder sees, for each sample on its own.

    Args:
        batch: number of samples B.
        tokens: number of tokens N of a sample.
        mask_ratio: share of tokens to hide.
        device: where the mask is drawn; no copy from the host is needed.
        generator: a source of randomness on that device instead of the global one.

    Returns:
        `ids_keep` (B, N_kept) and `ids_masked` (B, N - N_kept), int64: together each token once.
    """
    kept = count_kept(tokens, mask_ratio)
    noise = torch.rand(batch, tokens, device=device, generator=generator)
    ids_shuffle = noise.argsort(dim=1)
    return ids_shuffle[:, :kept], ids_shuffle[:, kept:]
