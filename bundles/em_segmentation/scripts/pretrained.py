"""Where fine-tuning starts: from what a pre-training left, of the encoder alone or of the whole network."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from sectome.checks import InputError
from sectome.encoder import load_checkpoint, load_encoder, read_checkpoint

HEAD = "decoder.out."
"""Keys of the last layer, whose channels are those of what a network was trained to predict."""


def load_pretrained(network: nn.Module, path: str | Path) -> nn.Module:
    """Load a masked autoencoder's encoder, or all of a network of this bundle but its head, and return the network.

    Args:
        network: is changed in place.
        path: a checkpoint of mae_pretrain, or of this bundle whatever it was trained to predict.

    Raises:
        InputError: if the checkpoint holds neither, is of another network, depth, width or patch, or holds an encoder
            alone and the network has none.
    """
    if any(key.startswith(HEAD) for key in read_checkpoint(path)):
        return load_checkpoint(network, path, keep=HEAD)
    if not hasattr(network, "encoder"):
        raise InputError(
            f"{path} must hold a whole {type(network).__name__}, as configs/pretraining/masked_voxels.json trains it, "
            f"got no keys {HEAD}*"
        )
    load_encoder(network.encoder, path)
    return network
