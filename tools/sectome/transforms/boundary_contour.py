"""Foreground and contours of mitochondria: two maps that separate touching objects."""

from __future__ import annotations

import torch
from torch import Tensor

from sectome.checks import check_switches, check_whole_number
from sectome.transforms.label_volume import check_labels, near_others
from sectome.transforms.target_transform import TargetTransform, TargetTransformd


def boundary_contour(labels: Tensor, width_voxels: int = 1, in_plane: bool = True) -> tuple[Tensor, Tensor]:
    """Return foreground and contours of objects, and masks of where they are known (Wei et al. 2020, MitoEM).

    A voxel belongs to a contour if another object, or background, lies within `width_voxels` of it along each axis. So
    contours lie on both sides of a border and are `2 * width_voxels` wide.

    Args:
        labels: (Z, Y, X) integers; unlabelled voxels (-1) are unknown. Beside them, a contour is known only where
            labelled voxels show it.
        width_voxels: contour width on each side of a border, 1 or more.
        in_plane: compare voxels of the same section only, as MitoEM's baselines do for their thick sections.

    Returns:
        Targets (foreground, contour) and validity masks, both uint8 (2, Z, Y, X) with values 0 and 1.

    Raises:
        InputError: if labels are not integers >= -1, or the width is not a whole number >= 1.
    """
    check_labels(labels)
    return contour_maps(labels, check_whole_number(width_voxels, 1, "width_voxels"), in_plane)


def contour_maps(labels: Tensor, width_voxels: int, in_plane: bool) -> tuple[Tensor, Tensor]:
    """Return the maps of `boundary_contour`, (..., 2, Z, Y, X), for labels (..., Z, Y, X) that were checked before.

    A check here would wait for the GPU.
    """
    known = labels >= 0
    contour, beside_unknown = near_others(labels, width_voxels, in_plane)
    targets = torch.stack([labels > 0, contour & known], dim=-4)
    valid = torch.stack([known, known & (contour | ~beside_unknown)], dim=-4)
    return targets.byte(), valid.byte()


class BoundaryContour(TargetTransform):
    """Turn label crops (1, Z, Y, X) into foreground, contour and their validity masks, uint8 (4, Z, Y, X).

    Args:
        width_voxels: contour width on each side of a border, 1 or more.
        in_plane: compare voxels of the same section only.

    Raises:
        InputError: if the width is not a whole number >= 1, or `in_plane` is not true or false; for labels see
            `boundary_contour`.
    """

    def __init__(self, width_voxels: int = 1, in_plane: bool = True) -> None:
        check_switches(in_plane=in_plane)
        self.width_voxels = check_whole_number(width_voxels, 1, "width_voxels")
        self.in_plane = in_plane

    def targets(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return targets and validity masks; see `boundary_contour`."""
        return boundary_contour(labels, self.width_voxels, self.in_plane)


class BoundaryContourd(TargetTransformd, of=BoundaryContour):
    """Dictionary version of `BoundaryContour`: `label_contour` and `label_contour_valid` beside `label`."""

    own_postfix = "_contour"
