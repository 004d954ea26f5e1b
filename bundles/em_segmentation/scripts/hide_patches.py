"""Inputs and targets of masked pre-training of whole networks, after Xie et al. 2022 (SimMIM).

Convolutions need a whole image, so hidden patches stay in it, filled with the mean of the tissue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import torch
from monai.transforms import Compose
from torch import Tensor

from sectome.checks import check_patch_divides, check_whole_triple
from sectome.encoder import unpatchify
from sectome.masking import MaskKind, check_mask, check_mask_ratio, draw_mask
from sectome.training import PrepareBatch


class HidePatches:
    """Prepare batches for MONAI's engines: crops with hidden patches as input, hidden voxels as target.

    The mask is drawn on the device, as in the masked autoencoder.

    Args:
        patch_size: patch size (z, y, x) in voxels.
        mask_ratio: share of the patches to hide.
        mask: kind of mask; see `sectome.masking.draw_mask`.
        mask_block: size (z, y, x) of a block in patches.
        augmentation: see `sectome.training.PrepareBatch`.

    Raises:
        InputError: if the patch size, ratio, kind of mask or block is invalid.
    """

    def __init__(
        self,
        patch_size: Sequence[int],
        mask_ratio: float = 0.6,
        mask: MaskKind = "random",
        mask_block: Sequence[int] = (2, 2, 2),
        augmentation: Compose | None = None,
    ) -> None:
        self.prepare = PrepareBatch("label", augmentation)
        self.patch_size = check_whole_triple(patch_size, "patch_size")
        self.mask_ratio = check_mask_ratio(mask_ratio)
        self.mask, self.mask_block = check_mask(mask, mask_block)

    def __call__(
        self, batch: Mapping[str, Any], device: torch.device, non_blocking: bool = False, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Return the image with hidden voxels set to 0, and the targets with visible voxels set to NaN.

        Args:
            batch: the standardised "image", and "label", the voxels to predict, (B, C, Z, Y, X).
            device: device of the results.
            non_blocking: as for `torch.Tensor.to`.
            kwargs: as for `torch.Tensor.to`.
        """
        image, voxels = self.prepare(batch, device, non_blocking, **kwargs)
        hidden = self.draw(image)
        return image.masked_fill(hidden, 0.0), voxels.masked_fill(~hidden, torch.nan)

    def draw(self, image: Tensor) -> Tensor:
        """Draw a mask (B, 1, Z, Y, X), true for hidden voxels, for a batch (B, C, Z, Y, X)."""
        grid = check_patch_divides(self.patch_size, image.shape[2:])
        _, ids_masked = draw_mask(
            self.mask, len(image), grid, self.mask_ratio, image.device, block_size=self.mask_block
        )
        tokens = torch.zeros(len(image), prod(grid), dtype=torch.bool, device=image.device)
        tokens = tokens.scatter(1, ids_masked, True)
        return unpatchify(tokens[..., None].expand(-1, -1, prod(self.patch_size)), self.patch_size, grid)
