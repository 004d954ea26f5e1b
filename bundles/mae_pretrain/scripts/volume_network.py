"""A trained masked autoencoder as a network over whole volumes: tensor in, tensor out."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from scripts.masked_autoencoder import MaskedAutoencoder
from sectome.checkpoint_file import take_whole_checkpoint
from sectome.checks import InputError
from sectome.encoder import Encoder, token_grid, tokens_to_map


class VolumeNetwork(nn.Module):
    """Adapt a masked autoencoder to MONAI's sliding window: tensor in, tensor out.

    Args:
        autoencoder: trained masked autoencoder.
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
        self.register_load_state_dict_pre_hook(take_autoencoder)

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, C, Z, Y, X) to a reconstruction or to features."""
        if self.mode == "reconstruct":
            return self.autoencoder.pictures(image, self.autoencoder(image))["reconstructed"]
        encoder = self.autoencoder.encoder
        return tokens_to_map(encoder(image)[-1].float(), token_grid(image, encoder.patch_size))

    def __prepare_scriptable__(self) -> FeatureNetwork:
        """Return the module for `torch.jit.script`: the encoder alone.

        Raises:
            InputError: if the mode is "reconstruct", which hides random patches.
        """
        if self.mode != "encode":
            raise InputError(f"--mode must be encode for an export, got {self.mode}")
        return FeatureNetwork(self.autoencoder.encoder)


class FeatureNetwork(nn.Module):
    """A network that returns the encoder's last tokens as a map.

    Args:
        encoder: pre-trained encoder.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, image: Tensor) -> Tensor:
        """Map an image (B, C, Z, Y, X) to features (B, hidden_size, Z / pz, Y / py, X / px)."""
        return tokens_to_map(self.encoder(image)[-1].float(), token_grid(image, self.encoder.patch_size))


def take_autoencoder(module: nn.Module, state: dict[str, Any], *_: Any) -> None:
    """Let `load_state_dict` accept an autoencoder's checkpoint, as MONAI's exports pass it; a pre-hook."""
    take_whole_checkpoint(module, state)
    for key in [key for key in state if not key.startswith("autoencoder.")]:
        state[f"autoencoder.{key}"] = state.pop(key)
