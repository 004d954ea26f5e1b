"""The network, loss and scores of masked pre-training."""

from scripts.loss import ReconstructionLoss
from scripts.masked_autoencoder import MaskedAutoencoder
from scripts.reconstruction import ReconstructionScores
from scripts.reconstruction_picture import ReconstructionPicture
from scripts.save_features import SaveFeaturesd
from scripts.volume_network import VolumeNetwork

__all__ = [
    "MaskedAutoencoder",
    "ReconstructionLoss",
    "ReconstructionPicture",
    "ReconstructionScores",
    "SaveFeaturesd",
    "VolumeNetwork",
]
