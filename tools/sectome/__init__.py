"""Self-pre-training and segmentation of serial-section electron microscopy, shared by the two MONAI bundles."""

__version__ = "0.1.0"
__all__ = ["__version__"]
