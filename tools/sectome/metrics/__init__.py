"""Metrics of segmentations and affinities; the ground truth comes first."""

from sectome.metrics.adapted_rand_error import adapted_rand_error
from sectome.metrics.average_precision import average_precision
from sectome.metrics.average_precision_by_confidence import average_precision_by_confidence
from sectome.metrics.boundary_average_precision import boundary_average_precision
from sectome.metrics.contingency import ContingencyTable, contingency_table
from sectome.metrics.expected_run_length import Skeletons, expected_run_length, expected_run_length_of, skeletons
from sectome.metrics.known_voxels import known_voxels
from sectome.metrics.label_scores import label_scores
from sectome.metrics.mistakes import Mistake, mistakes
from sectome.metrics.object_scores import ObjectScore, object_scores, object_scores_of
from sectome.metrics.sweep import ScoreRow, scores_by_threshold
from sectome.metrics.tune import LabelledAffinities, Trial, Tuned, tune
from sectome.metrics.variation_of_information import variation_of_information

__all__ = [
    "ContingencyTable",
    "LabelledAffinities",
    "Mistake",
    "ObjectScore",
    "ScoreRow",
    "Skeletons",
    "Trial",
    "Tuned",
    "adapted_rand_error",
    "average_precision",
    "average_precision_by_confidence",
    "boundary_average_precision",
    "contingency_table",
    "expected_run_length",
    "expected_run_length_of",
    "known_voxels",
    "label_scores",
    "mistakes",
    "object_scores",
    "object_scores_of",
    "scores_by_threshold",
    "skeletons",
    "tune",
    "variation_of_information",
]
