"""A masked autoencoder that hides the same tokens of each sample, so that runs with other batches can be compared."""

from __future__ import annotations

import torch
from scripts.masked_autoencoder import MaskedAutoencoder
from torch import Tensor


class FixedMaskAutoencoder(MaskedAutoencoder):
    def forward(self, image: Tensor) -> dict[str, Tensor]:
        tokens = 1
        for length, patch in zip(image.shape[2:], self.encoder.patch_size, strict=True):
            tokens *= length // patch
        ids = torch.randperm(tokens, generator=torch.Generator().manual_seed(0)).expand(len(image), -1)
        return super().forward(image, ids[:, : tokens // 4], ids[:, tokens // 4 :])
