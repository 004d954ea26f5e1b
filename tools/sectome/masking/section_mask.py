"""Section masking: whole layers of tokens are hidden, as sections get lost; what is left must be bridged."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sectome.masking.kept import mask_groups


def section_mask(
    batch: int,
    grid: Sequence[int],
    mask_ratio: float,
    device: torch.device | None = None,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Hide layers of tokens, each as many sections as a patch is thick; see `draw_mask`."""
    z, y, x = grid
    layers = torch.arange(z, device=device).repeat_interleave(y * x)
    return mask_groups(layers.expand(batch, -1), z, mask_ratio, generator)
