"""Foreground and contours of mitochondria: two maps that tell apart objects that touch."""

from __future__ import annotations

import torch
from torch import Tensor

from sectome.checks import check_switches, check_whole_number
from sectome.transforms.label_volume import check_labels, near_others
from sectome.transforms.target_transform import TargetTransform, TargetTransformd


def boundary_contour(labels: Tensor, width_voxels: int = 1, in_plane: bool = True) -> tuple[Tensor, Tensor]:
    """Return foreground and contours of objects, and where they are known (Wei et al. 2020, MitoEM).

    A voxel is contour if a voxel of another object, or of background, lies at most `width_voxels` from it along each
    axis: contours lie on both sides of a border and are twice that wide.

    Args:
        labels: (Z, Y, X) integers; of unlabelled voxels (-1) nothing is known, and of contours beside them only those
            that labelled voxels show.
        width_voxels: 1 or more.
        in_plane: look at voxels of the same section only, as MitoEM's baselines do for their thick sections.

    Returns:
        Targets (foreground, contour) and valid, both uint8 (2, Z, Y, X) with values 0 and 1.

    Raises:
        InputError: if labels are not integers from -1 on, or the width is no whole number from 1 on.
    """
    check_labels(labels)
    return contour_maps(labels, check_whole_number(width_voxels, 1, "width_voxels"), in_plane)


def contour_maps(labels: Tensor, width_voxels: int, in_plane: bool) -> tuple[Tensor, Tensor]:
    """Return what `boundary_contour` does, (..., 2, Z, Y, X), of labels (..., Z, Y, X) that need no check.

    A check would wait for the GPU.
    """
    known = labels >= 0
    contour, beside_unknown = near_others(labels, width_voxels, in_plane)
    targets = torch.stack([labels > 0, contour & known], dim=-4)
    valid = torch.stack([known, known & (contour | ~beside_unknown)], dim=-4)
    return targets.byte(), valid.byte()


class BoundaryContour(TargetTransform):
    """Turn label crops (1, Z, Y, X) into foreground, contour, and where each is known, uint8 (4, Z, Y, X).

    Args:
        width_voxels: 1 or more, on each side of a border.
        in_plane: look at voxels of the same section only.

    Raises:
        InputError: if the width is no whole number from 1 on, or `in_plane` is not true or false; for labels see
            `boundary_contour`.
    """

    def __init__(self, width_voxels: int = 1, in_plane: bool = True) -> None:
        check_switches(in_plane=in_plane)
        self.width_voxels = check_whole_number(width_voxels, 1, "width_voxels")
        self.in_plane = in_plane

    def targets(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return targets and valid; see `boundary_contour`."""
        return boundary_contour(labels, self.width_voxels, self.in_plane)


class BoundaryContourd(TargetTransformd, of=BoundaryContour):
    """Dictionary version of `BoundaryContour`: `label_contour` and `label_contour_valid` beside `label`."""

    own_postfix = "_contour"
