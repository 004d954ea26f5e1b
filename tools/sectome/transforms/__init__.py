"""Transforms for electron microscopy: an array function, a MONAI transform and its dictionary twin, one a file."""

from sectome.transforms.erode_borders import ErodeBorders, ErodeBordersd, erode_borders
from sectome.transforms.load_volume import LoadVolume, LoadVolumed
from sectome.transforms.random_orientation import RandomOrientation, RandomOrientationd, orient
from sectome.transforms.save_volume import SaveVolumed, output_stem
from sectome.transforms.standardise_intensity import (
    StandardiseIntensity,
    StandardiseIntensityd,
    intensity_statistics,
    standardise_intensity,
)

__all__ = [
    "ErodeBorders",
    "ErodeBordersd",
    "LoadVolume",
    "LoadVolumed",
    "RandomOrientation",
    "RandomOrientationd",
    "SaveVolumed",
    "StandardiseIntensity",
    "StandardiseIntensityd",
    "erode_borders",
    "intensity_statistics",
    "orient",
    "output_stem",
    "standardise_intensity",
]
