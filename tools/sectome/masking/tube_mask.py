"""Tube masking: the same places are hidden in all sections, so that none can be copied from the next section.

Tong et al. 2022 (arXiv:2203.12602), section 3.3, where sections are frames.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sectome.masking.kept import mask_groups


def tube_mask(
    batch: int,
    grid: Sequence[int],
    mask_ratio: float,
    device: torch.device | None = None,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Hide columns of tokens along z; see `draw_mask`."""
    z, y, x = grid
    columns = torch.arange(y * x, device=device).repeat(z)
    return mask_groups(columns.expand(batch, -1), y * x, mask_ratio, generator)
