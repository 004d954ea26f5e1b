"""Random masking: every token has the same chance to be hidden, and a fixed number is kept.

He et al. 2022 (arXiv:2111.06377), section 3; on patches of tissue Cheng et al. 2023 (doi:10.3389/fninf.2023.1118419).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from sectome.masking.kept import keep_lowest


def random_mask(
    batch: int,
    grid: Sequence[int],
    mask_ratio: float,
    device: torch.device | None = None,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Hide tokens one by one; see `draw_mask`."""
    scores = torch.rand(batch, math.prod(grid), device=device, generator=generator)
    return keep_lowest(scores, mask_ratio)
