"""The networks, losses and scores of fine-tuning and segmentation."""

from scripts.affinity_loss import AffinityLoss
from scripts.boundary_contour_loss import BoundaryContourLoss
from scripts.hidden_voxel_loss import HiddenVoxelLoss
from scripts.hidden_voxel_picture import HiddenVoxelPicture
from scripts.hide_patches import HidePatches
from scripts.mitochondria_scores import MitochondriaScores
from scripts.prediction_picture import PredictionPicture
from scripts.pretrained import load_pretrained, load_start
from scripts.residual_unet import ResidualUNet
from scripts.segmentation_scores import SegmentationScores
from scripts.unetr import UNETR

__all__ = [
    "UNETR",
    "AffinityLoss",
    "BoundaryContourLoss",
    "HiddenVoxelLoss",
    "HiddenVoxelPicture",
    "HidePatches",
    "MitochondriaScores",
    "PredictionPicture",
    "ResidualUNet",
    "SegmentationScores",
    "load_pretrained",
    "load_start",
]
