"""Transforms for electron microscopy: an array function, a MONAI transform and its dictionary twin, one a file."""

from sectome.transforms.augmentation import Augmentation, Augmentationd
from sectome.transforms.batch_augmentation import BatchAugmentation
from sectome.transforms.contrast import Contrast, Contrastd, change_contrast
from sectome.transforms.cut_out import CutOut, CutOutd, cut_out
from sectome.transforms.elastic import Elastic, Elasticd, bend_in_plane
from sectome.transforms.erode_borders import ErodeBorders, ErodeBordersd, erode_borders
from sectome.transforms.gamma import Gamma, Gammad, bend_grey_values
from sectome.transforms.gaussian_noise import GaussianNoise, GaussianNoised, add_gaussian_noise
from sectome.transforms.load_volume import LoadVolume, LoadVolumed
from sectome.transforms.misalignment import Misalignment, Misalignmentd, shift_sections
from sectome.transforms.missing_section import MissingSection, MissingSectiond, missing_sections
from sectome.transforms.random_orientation import RandomOrientation, RandomOrientationd, orient
from sectome.transforms.save_volume import SaveVolumed, output_stem
from sectome.transforms.scaling import Scaling, Scalingd, scale_in_plane
from sectome.transforms.section_defect import SectionDefect
from sectome.transforms.shot_noise import ShotNoise, ShotNoised, add_shot_noise
from sectome.transforms.standardise_intensity import (
    StandardiseIntensity,
    StandardiseIntensityd,
    intensity_statistics,
    standardise_intensity,
)

__all__ = [
    "Augmentation",
    "Augmentationd",
    "BatchAugmentation",
    "Contrast",
    "Contrastd",
    "CutOut",
    "CutOutd",
    "Elastic",
    "Elasticd",
    "ErodeBorders",
    "ErodeBordersd",
    "Gamma",
    "Gammad",
    "GaussianNoise",
    "GaussianNoised",
    "LoadVolume",
    "LoadVolumed",
    "Misalignment",
    "Misalignmentd",
    "MissingSection",
    "MissingSectiond",
    "RandomOrientation",
    "RandomOrientationd",
    "SaveVolumed",
    "Scaling",
    "Scalingd",
    "SectionDefect",
    "ShotNoise",
    "ShotNoised",
    "StandardiseIntensity",
    "StandardiseIntensityd",
    "add_gaussian_noise",
    "add_shot_noise",
    "bend_grey_values",
    "bend_in_plane",
    "change_contrast",
    "cut_out",
    "erode_borders",
    "intensity_statistics",
    "missing_sections",
    "orient",
    "output_stem",
    "scale_in_plane",
    "shift_sections",
    "standardise_intensity",
]
