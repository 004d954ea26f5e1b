"""Export of a trained network to formats that other programs run: ONNX, and the model format of bioimage.io."""

from sectome.export.bioimageio_package import write_bioimageio_package
from sectome.export.exported_model import ExportedModel, open_for_export
from sectome.export.onnx_file import write_onnx

__all__ = ["ExportedModel", "open_for_export", "write_bioimageio_package", "write_onnx"]
