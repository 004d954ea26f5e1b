"""What the field scores: truth first."""

from sectome.metrics.adapted_rand_error import adapted_rand_error
from sectome.metrics.average_precision import average_precision
from sectome.metrics.boundary_average_precision import boundary_average_precision
from sectome.metrics.contingency import ContingencyTable, contingency_table
from sectome.metrics.sweep import ScoreRow, scores_by_threshold
from sectome.metrics.variation_of_information import variation_of_information

__all__ = [
    "ContingencyTable",
    "ScoreRow",
    "adapted_rand_error",
    "average_precision",
    "boundary_average_precision",
    "contingency_table",
    "scores_by_threshold",
    "variation_of_information",
]
