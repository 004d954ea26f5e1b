"""Volumes for training and evaluation: found, opened with image, labels and mask, and read crop by crop."""

from sectome.tissue.dataset_overlays import DatasetOverlays, dataset_overlays
from sectome.tissue.doubts import warn_of_doubtful_labels, warn_of_voxels
from sectome.tissue.entries import Data, find_corrected, find_volumes, without_labels
from sectome.tissue.open_tissue import open_tissue
from sectome.tissue.tissue import Tissue

__all__ = [
    "Data",
    "DatasetOverlays",
    "Tissue",
    "dataset_overlays",
    "find_corrected",
    "find_volumes",
    "open_tissue",
    "warn_of_doubtful_labels",
    "warn_of_voxels",
    "without_labels",
]
