"""Synthetic neural tissue with ground truth."""

from sectome.phantom.defects import add_defects
from sectome.phantom.phantom import Phantom, make_phantom

__all__ = ["Phantom", "add_defects", "make_phantom"]
