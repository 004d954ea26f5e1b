"""Transforms for electron microscopy: each file holds an array function, a MONAI transform and its dictionary twin."""

from sectome.transforms.affinity_targets import AffinityTargets, AffinityTargetsd, affinity_targets
from sectome.transforms.augmentation import Augmentation, Augmentationd, check_labels_move
from sectome.transforms.batch_augmentation import BatchAugmentation
from sectome.transforms.boundary_contour import BoundaryContour, BoundaryContourd, boundary_contour
from sectome.transforms.charging import Charging, Chargingd, add_charging
from sectome.transforms.contrast import Contrast, Contrastd, change_contrast
from sectome.transforms.crack import Crack, Crackd, crack
from sectome.transforms.cut_out import CutOut, CutOutd, cut_out
from sectome.transforms.distance_targets import DistanceTargets, DistanceTargetsd, distance_targets
from sectome.transforms.elastic import Elastic, Elasticd, bend_in_plane
from sectome.transforms.erode_borders import ErodeBorders, ErodeBordersd, erode_borders
from sectome.transforms.fold import Fold, Foldd, fold
from sectome.transforms.gamma import Gamma, Gammad, bend_grey_values
from sectome.transforms.gaussian_noise import GaussianNoise, GaussianNoised, add_gaussian_noise
from sectome.transforms.ignore_borders import IgnoreBorders, IgnoreBordersd, ignore_borders
from sectome.transforms.load_volume import LoadVolume, LoadVolumed
from sectome.transforms.misalignment import Misalignment, Misalignmentd, shift_sections
from sectome.transforms.missing_section import MissingSection, MissingSectiond, missing_sections
from sectome.transforms.normaliser import FittedNormaliser, Normaliser
from sectome.transforms.normaliser_of_model import described_normaliser
from sectome.transforms.partial_section import PartialSection, PartialSectiond, partial_section
from sectome.transforms.percentile_intensity import FittedPercentiles, PercentileIntensity, PercentileIntensityd
from sectome.transforms.random_orientation import RandomOrientation, RandomOrientationd, orient
from sectome.transforms.relabel import Relabel, Relabeld, relabel
from sectome.transforms.save_volume import SaveVolumed, check_outputs, output_stem
from sectome.transforms.scaling import Scaling, Scalingd, scale_in_plane
from sectome.transforms.section_blur import SectionBlur, SectionBlurd, blur_sections
from sectome.transforms.section_contrast import SectionContrast, SectionContrastd, change_section_contrast
from sectome.transforms.section_defect import SectionDefect
from sectome.transforms.shot_noise import ShotNoise, ShotNoised, add_shot_noise
from sectome.transforms.split_disconnected import SplitDisconnected, SplitDisconnectedd, split_disconnected
from sectome.transforms.standardise_intensity import (
    FittedStandardisation,
    StandardiseIntensity,
    StandardiseIntensityd,
    intensity_statistics,
    standardise_intensity,
)
from sectome.transforms.stripes import Stripes, Stripesd, add_stripes
from sectome.transforms.target_transform import TargetTransform, TargetTransformd
from sectome.transforms.to_image_axes import ToImageAxes, ToImageAxesd

__all__ = [
    "AffinityTargets",
    "AffinityTargetsd",
    "Augmentation",
    "Augmentationd",
    "BatchAugmentation",
    "BoundaryContour",
    "BoundaryContourd",
    "Charging",
    "Chargingd",
    "Contrast",
    "Contrastd",
    "Crack",
    "Crackd",
    "CutOut",
    "CutOutd",
    "DistanceTargets",
    "DistanceTargetsd",
    "Elastic",
    "Elasticd",
    "ErodeBorders",
    "ErodeBordersd",
    "FittedNormaliser",
    "FittedPercentiles",
    "FittedStandardisation",
    "Fold",
    "Foldd",
    "Gamma",
    "Gammad",
    "GaussianNoise",
    "GaussianNoised",
    "IgnoreBorders",
    "IgnoreBordersd",
    "LoadVolume",
    "LoadVolumed",
    "Misalignment",
    "Misalignmentd",
    "MissingSection",
    "MissingSectiond",
    "Normaliser",
    "PartialSection",
    "PartialSectiond",
    "PercentileIntensity",
    "PercentileIntensityd",
    "RandomOrientation",
    "RandomOrientationd",
    "Relabel",
    "Relabeld",
    "SaveVolumed",
    "Scaling",
    "Scalingd",
    "SectionBlur",
    "SectionBlurd",
    "SectionContrast",
    "SectionContrastd",
    "SectionDefect",
    "ShotNoise",
    "ShotNoised",
    "SplitDisconnected",
    "SplitDisconnectedd",
    "StandardiseIntensity",
    "StandardiseIntensityd",
    "Stripes",
    "Stripesd",
    "TargetTransform",
    "TargetTransformd",
    "ToImageAxes",
    "ToImageAxesd",
    "add_charging",
    "add_gaussian_noise",
    "add_shot_noise",
    "add_stripes",
    "affinity_targets",
    "bend_grey_values",
    "bend_in_plane",
    "blur_sections",
    "boundary_contour",
    "change_contrast",
    "change_section_contrast",
    "check_labels_move",
    "check_outputs",
    "crack",
    "cut_out",
    "described_normaliser",
    "distance_targets",
    "erode_borders",
    "fold",
    "ignore_borders",
    "intensity_statistics",
    "missing_sections",
    "orient",
    "output_stem",
    "partial_section",
    "relabel",
    "scale_in_plane",
    "shift_sections",
    "split_disconnected",
    "standardise_intensity",
]
