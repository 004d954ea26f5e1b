"""Distance of each voxel to the border of its object: a target that describes shape as well as borders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt, find_objects
from torch import Tensor

from sectome.checks import check_at_least, check_choice, check_switches, check_triple
from sectome.transforms.label_volume import check_labels
from sectome.transforms.target_transform import TargetTransform, TargetTransformd
from sectome.types import Array, FloatArray

Scaling = Literal["tanh", "object", "nm"]
SCALINGS: tuple[Scaling, ...] = get_args(Scaling)


def distance_targets(
    labels: Tensor,
    voxel_size_nm: Sequence[float],
    scaling: Scaling = "tanh",
    scale_nm: float = 100.0,
    signed: bool = True,
    per_section: bool = False,
) -> tuple[Tensor, Tensor]:
    """Return the distance of each voxel to the nearest voxel of another id, and a validity mask.

    Distances are Euclidean, between voxel centres, and measured within the crop only. If the crop has no other id, the
    distance is the crop's diagonal and not valid. If an unlabelled voxel is at least as near as any other id, the
    distance to it is returned and is not valid.

    Args:
        labels: (Z, Y, X) integers; -1 is unlabelled.
        voxel_size_nm: (z, y, x).
        scaling: "tanh" of the distance over `scale_nm`, nearly linear near borders and 1 far from them; "object" for
            the distance divided by the object's maximum (in its section, with `per_section`), so that it is 1 in the
            middle of any object; "nm" for the distance itself.
        scale_nm: scale of "tanh", in nm.
        signed: whether background gets the negative distance to the nearest object, and not 0.
        per_section: measure within sections, for thick ones whose neighbours are far away.

    Returns:
        Distances (float32) and validity mask (uint8), both (1, Z, Y, X).

    Raises:
        InputError: if labels are not integers >= -1, or an option is invalid.
    """
    check_labels(labels)
    size_nm = check_triple(voxel_size_nm, "voxel_size_nm")
    scale_nm = check_at_least(scale_nm, 1e-3, "scale_nm")
    check_choice(scaling, SCALINGS, "scaling")
    array = np.asarray(labels.cpu())
    diagonal_nm = float(np.linalg.norm(np.multiply(array.shape, size_nm)))
    parts = list(array) if per_section else [array]
    sampling = size_nm[1:] if per_section else size_nm
    measured = [_measure(part, sampling, diagonal_nm, scaling == "object") for part in parts]
    distances, valid = (np.stack(one).reshape(array.shape) for one in zip(*measured, strict=True))
    if scaling == "tanh":
        distances = np.tanh(distances / scale_nm)
    distances = distances * np.where(array > 0, 1, -1 if signed else 0) * (array >= 0)
    return (
        torch.from_numpy(distances.astype(np.float32))[None].to(labels.device),
        torch.from_numpy(valid.astype(np.uint8))[None].to(labels.device),
    )


def _measure(labels: Array, sampling: tuple[float, ...], farthest: float, relative: bool) -> tuple[FloatArray, Array]:
    """Return distances and validity mask of labels of any axes; if `relative`, divided by each object's maximum."""
    ids, numbers = np.unique(labels, return_inverse=True)
    numbers = numbers.reshape(labels.shape)
    distances, valid = np.zeros(labels.shape), labels >= 0
    to_unknown = np.full(labels.shape, np.inf) if valid.all() else distance_transform_edt(valid, sampling)
    for number, box in enumerate(find_objects(numbers + 1)):
        if ids[number] < 0:
            continue
        # A margin of one voxel, so that the box contains the nearest voxel outside the object.
        grown = tuple(slice(max(0, part.start - 1), part.stop + 1) for part in box)
        inside = numbers[grown] == number
        alone = bool(inside.all())
        nearest = np.full(inside.shape, farthest) if alone else distance_transform_edt(inside, sampling)
        valid[grown] &= ~inside | ((nearest < to_unknown[grown]) & (not alone))
        distances[grown][inside] = (nearest / nearest.max() if relative else nearest)[inside]
    return distances, valid


class DistanceTargets(TargetTransform):
    """Turn label crops (1, Z, Y, X) into distances and their validity mask, float32 (2, Z, Y, X).

    Args:
        voxel_size_nm: (z, y, x).
        scaling: "tanh" of the distance over `scale_nm`, "object" for 1 in the middle of each object, or "nm".
        scale_nm: scale of "tanh", in nm.
        signed: whether background gets negative distances, and not 0.
        per_section: measure within sections, for thick ones.

    Raises:
        InputError: if an option is invalid; for labels see `distance_targets`.
    """

    def __init__(
        self,
        voxel_size_nm: Sequence[float],
        scaling: Scaling = "tanh",
        scale_nm: float = 100.0,
        signed: bool = True,
        per_section: bool = False,
    ) -> None:
        check_switches(signed=signed, per_section=per_section)
        self.voxel_size_nm = check_triple(voxel_size_nm, "voxel_size_nm")
        self.scaling = check_choice(scaling, SCALINGS, "scaling")
        self.scale_nm = check_at_least(scale_nm, 1e-3, "scale_nm")
        self.signed = signed
        self.per_section = per_section

    def targets(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return distances and validity mask; see `distance_targets`."""
        return distance_targets(labels, self.voxel_size_nm, self.scaling, self.scale_nm, self.signed, self.per_section)


class DistanceTargetsd(TargetTransformd, of=DistanceTargets):
    """Dictionary version of `DistanceTargets`: `label_distance` and `label_distance_valid` beside `label`."""

    own_postfix = "_distance"
