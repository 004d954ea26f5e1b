"""Where fine-tuning starts: from a whole model, or what a pre-training left of the encoder or of the whole network."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from sectome.checkpoint_file import read_checkpoint
from sectome.checks import InputError
from sectome.encoder import load_checkpoint, load_encoder

HEAD = "decoder.out."
"""Keys of the last layer, whose channels are those of what a network was trained to predict."""


def load_start(network: nn.Module, weights: str | Path = "", pretrained: str | Path = "") -> nn.Module:
    """Load what a training is to start from, if anything, and return the network.

    Args:
        network: is changed in place.
        weights: a checkpoint of this very network, to go on from.
        pretrained: a checkpoint as `load_pretrained` takes it.

    Raises:
        InputError: if both are given, or one does not fit.
    """
    if weights and pretrained:
        raise InputError(f"a training must start from weights or from pretrained, got both: {weights} and {pretrained}")
    if weights:
        return load_checkpoint(network, weights)
    return load_pretrained(network, pretrained) if pretrained else network


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
