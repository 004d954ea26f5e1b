"""Public electron microscopy data sets: their descriptions, listed in `ALL_SETS`, and fetching them."""

from sectome.datasets.cremi import CREMI
from sectome.datasets.fetch import fetch
from sectome.datasets.fib25 import FIB25
from sectome.datasets.lucchi import LUCCHI
from sectome.datasets.mitoem import MITOEM_H, MITOEM_R
from sectome.datasets.public_set import Archive, PublicSet, PublicVolume
from sectome.datasets.snemi3d import SNEMI3D

ALL_SETS = {public.name: public for public in (SNEMI3D, MITOEM_R, MITOEM_H, CREMI, LUCCHI, FIB25)}
"""All sets that `sectome fetch` knows, by name."""

__all__ = ["ALL_SETS", "Archive", "PublicSet", "PublicVolume", "fetch"]
