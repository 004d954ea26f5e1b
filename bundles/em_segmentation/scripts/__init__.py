"""The network and the steps of fine-tuning and segmentation."""

from scripts.affinity_loss import AffinityLoss
from scripts.unetr import UNETR

__all__ = ["UNETR", "AffinityLoss"]
