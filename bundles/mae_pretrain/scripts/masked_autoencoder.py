"""The masked autoencoder for 3D patches, in the order and terms of He et al. 2022 (arXiv:2111.06377)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from sectome.checks import check_choice, check_patch_divides, check_whole_number
from sectome.encoder import (
    Encoder,
    check_width,
    initialise_transformer,
    patchify,
    position_codes,
    unpatchify,
    vit_blocks,
)
from sectome.masking import MaskKind, check_mask, check_mask_ratio, draw_mask


def gather_tokens(tokens: Tensor, ids: Tensor) -> Tensor:
    """Return the tokens (B, n, C) at ids (B, n) of tokens (B or 1, N, C)."""
    tokens = tokens.expand(ids.shape[0], -1, -1)
    return tokens.gather(1, ids[..., None].expand(-1, -1, tokens.shape[2]))


def scatter_tokens(tokens: Tensor, ids: Tensor, values: Tensor) -> Tensor:
    """Return a copy of tokens (B, N, C) with `values` (B, n, C) at ids (B, n)."""
    return tokens.scatter(1, ids[..., None].expand(-1, -1, tokens.shape[2]), values.to(tokens.dtype))


class MaskedAutoencoder(nn.Module):
    """Hide most patches of a crop, encode the visible ones, and reconstruct the voxels of the hidden ones.

    Args:
        patch_size: patch size (z, y, x) in voxels.
        in_channels: channels of the image.
        hidden_size: width of the encoder.
        depth: blocks of the encoder.
        num_heads: attention heads of the encoder.
        mlp_ratio: width of the MLPs relative to that of the tokens.
        decoder_hidden_size: width of the decoder.
        decoder_depth: blocks of the decoder.
        decoder_num_heads: attention heads of the decoder.
        mask_ratio: share of the patches to hide.
        mask: kind of mask: "random" (patch by patch), "tube", "block" or "section"; see `sectome.masking.draw_mask`.
        mask_block: size (z, y, x) of a block in patches.
        target: "raw" voxels, or "normalised" ones (each patch to mean 0 and variance 1).

    Raises:
        InputError: if an argument is invalid, such as a width that does not suit the heads and position codes.
    """

    def __init__(
        self,
        patch_size: Sequence[int] = (4, 16, 16),
        in_channels: int = 1,
        hidden_size: int = 192,
        depth: int = 6,
        num_heads: int = 3,
        mlp_ratio: float = 4.0,
        decoder_hidden_size: int = 96,
        decoder_depth: int = 2,
        decoder_num_heads: int = 3,
        mask_ratio: float = 0.75,
        mask: MaskKind = "random",
        mask_block: Sequence[int] = (2, 2, 2),
        target: Literal["raw", "normalised"] = "raw",
    ) -> None:
        super().__init__()
        # Fail before a run has written anything.
        self.mask_ratio = check_mask_ratio(mask_ratio)
        self.mask, self.mask_block = check_mask(mask, mask_block)
        self.target = check_choice(target, ("raw", "normalised"), "target")
        self.encoder = Encoder(patch_size, in_channels, hidden_size, depth, num_heads, mlp_ratio)
        check_width(decoder_hidden_size, decoder_num_heads, "decoder_")
        check_whole_number(decoder_depth, 0, "decoder_depth")
        self.decoder_hidden_size = decoder_hidden_size
        self.attention_heads = {"decoder_num_heads": decoder_num_heads}
        self.decoder_embedding = nn.Linear(hidden_size, decoder_hidden_size)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, decoder_hidden_size))
        self.decoder_blocks = vit_blocks(decoder_hidden_size, decoder_depth, decoder_num_heads, mlp_ratio)
        self.decoder_norm = nn.LayerNorm(decoder_hidden_size)
        self.decoder_prediction = nn.Linear(decoder_hidden_size, self.encoder.patch_embedding.in_features)
        for part in (self.decoder_embedding, self.decoder_blocks, self.decoder_prediction):
            initialise_transformer(part)
        nn.init.normal_(self.mask_token, std=0.02)

    def forward(
        self, image: Tensor, ids_keep: Tensor | None = None, ids_masked: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Mask, encode, decode, and compute the loss.

        Args:
            image: standardised image (B, C, Z, Y, X).
            ids_keep: ids (B, n) of visible tokens; drawn at random unless given with `ids_masked`.
            ids_masked: ids (B, N - n) of hidden tokens.

        Returns:
            "loss" (scalar, mean squared error over hidden voxels), "prediction" (B, N - n, voxels of a patch) of the
            hidden patches in the order of "ids_masked" (B, N - n), and "ids_keep" (B, n).
        """
        grid = check_patch_divides(self.encoder.patch_size, image.shape[2:])
        patches = patchify(image, self.encoder.patch_size)
        if ids_keep is None or ids_masked is None:
            ids_keep, ids_masked = draw_mask(
                self.mask, len(image), grid, self.mask_ratio, image.device, block_size=self.mask_block
            )

        positions = position_codes(grid, self.encoder.hidden_size, image.device)
        visible = self.encoder.embed(gather_tokens(patches, ids_keep), gather_tokens(positions, ids_keep))
        latent = self.encoder.encode(visible)[-1]

        prediction = self.decode(latent, ids_keep, ids_masked, grid)
        loss = (prediction.float() - self.targets(gather_tokens(patches, ids_masked))).square().mean()
        # Only the loss has gradients: a recorded or compiled backward pass would send zeros through the prediction too.
        return {"loss": loss, "prediction": prediction.detach(), "ids_keep": ids_keep, "ids_masked": ids_masked}

    def decode(self, latent: Tensor, ids_keep: Tensor, ids_masked: Tensor, grid: Sequence[int]) -> Tensor:
        """Predict the hidden patches (B, N - n, voxels of a patch) from the visible tokens' latent (B, n, hidden)."""
        positions = position_codes(grid, self.decoder_hidden_size, latent.device)
        visible = self.decoder_embedding(latent) + gather_tokens(positions, ids_keep)
        hidden = self.mask_token + gather_tokens(positions, ids_masked)
        # Attention ignores order, and each token carries its position, so tokens need not be shuffled back.
        tokens = torch.cat([visible, hidden.to(visible.dtype)], dim=1)
        for block in self.decoder_blocks:
            tokens = block(tokens)
        return self.decoder_prediction(self.decoder_norm(tokens[:, ids_keep.shape[1] :]))

    def targets(self, patches: Tensor) -> Tensor:
        """Return the reconstruction targets of patches (B, n, voxels)."""
        if self.target == "raw":
            return patches
        variance, mean = torch.var_mean(patches, dim=-1, keepdim=True)
        return (patches - mean) / (variance + 1e-6).sqrt()

    def pictures(self, image: Tensor, output: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return images for inspection: "masked", "reconstructed" and "hidden", (B, C, Z, Y, X) like the image.

        Hidden voxels are 0 in "masked" and true in "hidden". In "reconstructed", visible patches are those of the
        image. A prediction of normalised voxels is denormalised with the true mean and deviation of its patch, which
        only a picture may use.
        """
        patch_size = self.encoder.patch_size
        grid = check_patch_divides(patch_size, image.shape[2:])
        patches = patchify(image, patch_size)
        ids_masked, prediction = output["ids_masked"], output["prediction"].float()
        if self.target == "normalised":
            variance, mean = torch.var_mean(gather_tokens(patches, ids_masked), dim=-1, keepdim=True)
            prediction = prediction * (variance + 1e-6).sqrt() + mean
        masked = scatter_tokens(patches, ids_masked, torch.zeros_like(prediction))
        hidden = scatter_tokens(torch.zeros_like(patches), ids_masked, torch.ones_like(prediction))
        reconstructed = scatter_tokens(patches, ids_masked, prediction)
        return {
            "masked": unpatchify(masked, patch_size, grid),
            "reconstructed": unpatchify(reconstructed, patch_size, grid),
            "hidden": unpatchify(hidden, patch_size, grid) > 0,
        }
