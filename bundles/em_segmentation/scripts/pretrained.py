"""Initial weights of fine-tuning: a whole model, or the pre-trained encoder or network without its last layer."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from sectome.checkpoint_file import read_checkpoint
from sectome.checks import InputError
from sectome.encoder import load_checkpoint, load_encoder

HEAD = "decoder.out."
"""Prefix of the keys of the last layer, whose channels depend on the targets of training."""


def load_start(network: nn.Module, weights: str | Path = "", pretrained: str | Path = "") -> nn.Module:
    """Load the initial weights of a training, if any are given, and return the network.

    Args:
        network: network, modified in place.
        weights: path of a checkpoint of the whole network to continue from.
        pretrained: path of a checkpoint for `load_pretrained`.

    Raises:
        InputError: if both are given, or one does not fit.
    """
    if weights and pretrained:
        raise InputError(
            f"a training must start from either weights or pretrained, got both: {weights} and {pretrained}"
        )
    if weights:
        return load_checkpoint(network, weights)
    return load_pretrained(network, pretrained) if pretrained else network


def load_pretrained(network: nn.Module, path: str | Path) -> nn.Module:
    """Load a masked autoencoder's encoder, or a network of this bundle without its head, and return the network.

    Args:
        network: network, modified in place.
        path: path of a checkpoint of mae_pretrain, or of this bundle with any targets.

    Raises:
        InputError: if the checkpoint holds neither, has another network, depth, width or patch size, or holds only an
            encoder while the network has none.
    """
    if any(key.startswith(HEAD) for key in read_checkpoint(path)):
        return load_checkpoint(network, path, keep=HEAD)
    if not hasattr(network, "encoder"):
        raise InputError(
            f"{path} must hold a whole {type(network).__name__}, as trained with "
            f"configs/pretraining/masked_voxels.json, got no keys {HEAD}*"
        )
    load_encoder(network.encoder, path)
    return network
