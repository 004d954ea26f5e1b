"""Post-processing: from affinities to fragments to segments."""

import importlib
import typing

from sectome.postprocess.absorb_small import absorb_small
from sectome.postprocess.affinities_to_labels import affinities_to_history, affinities_to_labels
from sectome.postprocess.agglomeration import agglomerate
from sectome.postprocess.boundary_contour_options import BoundaryContourOptions
from sectome.postprocess.boundary_contour_to_labels import boundary_contour_to_labels
from sectome.postprocess.compact_labels import compact_labels
from sectome.postprocess.connected_components import connected_components
from sectome.postprocess.fragments_distance import fragments_distance
from sectome.postprocess.fragments_watershed import fragments_watershed
from sectome.postprocess.merge_history import MergeHistory
from sectome.postprocess.mutex_watershed import mutex_watershed
from sectome.postprocess.region_graph import RegionGraph, region_graph
from sectome.postprocess.segmentation_options import SegmentationOptions, load_options, save_options, tuned_path
from sectome.postprocess.slabs import showing_progress

_TRANSFORMS = {
    "AffinitiesToLabels": "labels_transform",
    "AffinitiesToLabelsd": "labels_transform",
    "BoundaryContourToLabels": "boundary_contour_transform",
    "BoundaryContourToLabelsd": "boundary_contour_transform",
}
"""Modules of transforms, loaded lazily: they import MONAI and torch, which segmentation workers do not need."""

__all__ = [
    "AffinitiesToLabels",
    "AffinitiesToLabelsd",
    "BoundaryContourOptions",
    "BoundaryContourToLabels",
    "BoundaryContourToLabelsd",
    "MergeHistory",
    "RegionGraph",
    "SegmentationOptions",
    "absorb_small",
    "affinities_to_history",
    "affinities_to_labels",
    "agglomerate",
    "boundary_contour_to_labels",
    "compact_labels",
    "connected_components",
    "fragments_distance",
    "fragments_watershed",
    "load_options",
    "mutex_watershed",
    "region_graph",
    "save_options",
    "showing_progress",
    "tuned_path",
]


def __getattr__(name: str) -> typing.Any:
    """Import a transform when it is first accessed."""
    if name not in _TRANSFORMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_TRANSFORMS[name]}"), name)
