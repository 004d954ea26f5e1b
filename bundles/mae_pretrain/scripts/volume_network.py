"""A trained masked autoencoder as a network over whole volumes: tensor in, tensor out."""

from __future__ import annotations

from torch import Tensor, nn

from scripts.masked_autoencoder import MaskedAutoencoder
from sectome.checks import InputError, check_patch_divides


class VolumeNetwork(nn.Module):
    """Show a masked autoencoder to MONAI's sliding window: tensor in, tensor out.

    Args:
        autoencoder: the network.
        mode: "reconstruct" returns the image with its hidden patches filled in, (B, C, Z, Y, X); "encode" returns the
            encoder's last tokens of all patches as a map (B, hidden_size, Z / pz, Y / py, X / px).

    Raises:
        InputError: if the mode is neither.
    """

    def __init__(self, autoencoder: MaskedAutoencoder, mode: str = "reconstruct") -> None:
        super().__init__()
        if mode not in ("reconstruct", "encode"):
            raise InputError(f"mode must be 'reconstruct' or 'encode', got {mode!r}")
        self.autoencoder = autoencoder
        self.mode = mode

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, C, Z, Y, X) to a reconstruction or to features."""
        if self.mode == "reconstruct":
            return self.autoencoder.pictures(image, self.autoencoder(image))["reconstructed"]
        encoder = self.autoencoder.encoder
        grid = check_patch_divides(encoder.patch_size, image.shape[2:])
        return encoder(image)[-1].float().transpose(1, 2).reshape(image.shape[0], -1, *grid)
