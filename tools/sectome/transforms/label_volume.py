"""Shared functions of label transforms: checks of labels, and masks of voxels near other objects."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from sectome.checks import InputError

UNLABELLED: Final = -1
"""Value of voxels whose label is unknown."""


def check_labels(labels: Tensor, *, signed: bool = False) -> None:
    """Raise an `InputError` unless labels are integers (..., Z, Y, X): `UNLABELLED`, 0 for background, and ids.

    Args:
        labels: labels to check.
        signed: whether their type must be able to hold `UNLABELLED`.
    """
    check_integers(labels)
    if signed and torch.iinfo(labels.dtype).min == 0:
        raise InputError(f"labels must be signed integers, which have room for {UNLABELLED}, got {labels.dtype}")
    if labels.ndim < 3:
        raise InputError(f"labels must have axes (..., Z, Y, X), got shape {tuple(labels.shape)}")
    if labels.numel() and (least := int(labels.min())) < UNLABELLED:
        raise InputError(f"labels must be {UNLABELLED} (unlabelled), 0 (background) or positive, got {least}")


def check_integers(labels: Tensor) -> None:
    """Raise an `InputError` unless labels are a tensor of integers that torch computes with; values are not checked."""
    check_computes(labels)
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise InputError(f"labels must be integers, one per object, got {labels.dtype}")


def check_computes(labels: Tensor) -> None:
    """Raise an `InputError` unless labels are a tensor of a type that torch computes with."""
    if not isinstance(labels, Tensor):
        raise InputError(f"labels must be a tensor, as torch.from_numpy makes one, got {type(labels).__name__}")
    if labels.dtype in (torch.uint16, torch.uint32, torch.uint64):
        raise InputError(f"labels must be signed integers or uint8, which torch can compute with, got {labels.dtype}")


def near_others(labels: Tensor, steps: int, in_plane: bool) -> tuple[Tensor, Tensor]:
    """Return masks of the voxels near another object and of those near an unlabelled voxel, bool in the labels' shape.

    Near means at most `steps` voxels away along each axis: a cube around a voxel, or a square in its section.
    Background counts as an object. An unlabelled voxel does not, but might belong to one.

    Args:
        labels: (..., Z, Y, X) integers.
        steps: distance in voxels, 0 or more.
        in_plane: compare voxels of the same section only.
    """
    unknown = labels < 0
    lowest = torch.iinfo(labels.dtype).min
    axes = (-2, -1) if in_plane else (-3, -2, -1)
    greatest = _spread(labels.masked_fill(unknown, lowest), steps, axes)
    # The bitwise complement reverses the order of integers, even of unsigned ones, which cannot be negated.
    least = ~_spread((~labels).masked_fill(unknown, lowest), steps, axes)
    return greatest > least, _spread(unknown, steps, axes)


def _spread(values: Tensor, steps: int, axes: tuple[int, ...]) -> Tensor:
    """Return the maximum over the voxels at most `steps` away along each of the axes."""
    for axis in axes:
        spread = values.clone()
        length = values.shape[axis]
        for step in range(1, min(steps, length - 1) + 1):
            earlier, later = (values.narrow(axis, start, length - step) for start in (0, step))
            for source, start in ((earlier, step), (later, 0)):
                target = spread.narrow(axis, start, length - step)
                torch.maximum(target, source, out=target)
        values = spread
    return values
