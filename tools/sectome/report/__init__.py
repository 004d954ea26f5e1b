"""Report on runs: one HTML page of pictures and numbers, and the figures on it."""

from sectome.report.label_colours import blend_labels, label_colours
from sectome.report.overlay_figure import overlay_figure
from sectome.report.page import write_report
from sectome.report.prediction_figure import prediction_figure
from sectome.report.reconstruction_figure import reconstruction_figure

__all__ = [
    "blend_labels",
    "label_colours",
    "overlay_figure",
    "prediction_figure",
    "reconstruction_figure",
    "write_report",
]
