"""The network and the steps of fine-tuning and segmentation."""

from scripts.affinity_loss import AffinityLoss
from scripts.segmentation_scores import SegmentationScores
from scripts.unetr import UNETR

__all__ = ["UNETR", "AffinityLoss", "SegmentationScores"]
