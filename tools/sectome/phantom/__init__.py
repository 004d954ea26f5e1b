"""Synthetic neural tissue with its truth."""

from sectome.phantom.phantom import Phantom, make_phantom

__all__ = ["Phantom", "make_phantom"]
