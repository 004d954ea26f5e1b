"""From affinities to fragments to segments."""

from sectome.postprocess.affinities_to_labels import affinities_to_history, affinities_to_labels
from sectome.postprocess.agglomeration import agglomerate_mean
from sectome.postprocess.compact_labels import compact_labels
from sectome.postprocess.connected_components import connected_components
from sectome.postprocess.fragments_distance import fragments_distance
from sectome.postprocess.fragments_watershed import fragments_watershed
from sectome.postprocess.labels_transform import AffinitiesToLabels, AffinitiesToLabelsd
from sectome.postprocess.merge_history import MergeHistory
from sectome.postprocess.mutex_watershed import mutex_watershed
from sectome.postprocess.region_graph import RegionGraph, region_graph

__all__ = [
    "AffinitiesToLabels",
    "AffinitiesToLabelsd",
    "MergeHistory",
    "RegionGraph",
    "affinities_to_history",
    "affinities_to_labels",
    "agglomerate_mean",
    "compact_labels",
    "connected_components",
    "fragments_distance",
    "fragments_watershed",
    "mutex_watershed",
    "region_graph",
]
