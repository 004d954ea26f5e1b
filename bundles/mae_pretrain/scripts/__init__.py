"""The network and the steps of masked pre-training."""

from scripts.loss import ReconstructionLoss, image_twice
from scripts.masked_autoencoder import MaskedAutoencoder

__all__ = ["MaskedAutoencoder", "ReconstructionLoss", "image_twice"]
