"""Running a network over a volume of any size, in bounded memory."""

from sectome.inference.blended_slabs import Slab, Tile, blended_slabs
from sectome.inference.orientations import predict_oriented
from sectome.inference.predict_volume import predict_volume
from sectome.inference.streaming_inferer import StreamingInferer
from sectome.inference.trained_model import TrainedModel, open_model
from sectome.inference.window_grid import WindowGrid, window_grid

__all__ = [
    "Slab",
    "StreamingInferer",
    "Tile",
    "TrainedModel",
    "WindowGrid",
    "blended_slabs",
    "open_model",
    "predict_oriented",
    "predict_volume",
    "window_grid",
]
