"""Affinity targets computed from labels, for losses that need them ready-made."""

from __future__ import annotations

from torch import Tensor

from sectome.affinities import labels_to_affinities
from sectome.neighbourhoods import NEAREST, check_offsets
from sectome.transforms.label_volume import check_labels
from sectome.transforms.target_transform import TargetTransform, TargetTransformd
from sectome.types import Offsets


def affinity_targets(labels: Tensor, offsets: Offsets) -> tuple[Tensor, Tensor]:
    """Return affinities and the mask of known ones; see `sectome.affinities.labels_to_affinities`.

    Args:
        labels: (..., Z, Y, X) integers; pairs with an unlabelled voxel (-1) are unknown.
        offsets: K offsets (z, y, x) in voxels.

    Returns:
        Affinities and validity mask, both uint8 (..., K, Z, Y, X) with values 0 and 1.

    Raises:
        InputError: if labels are not integers >= -1, or offsets are invalid or all longer than the crop.
    """
    check_labels(labels)
    affinities, valid = labels_to_affinities(labels.clamp(min=0), offsets, mask=labels >= 0)
    return affinities, valid


class AffinityTargets(TargetTransform):
    """Turn label crops (1, Z, Y, X) into affinities and their validity masks, uint8 (2 K, Z, Y, X).

    Args:
        offsets: K offsets (z, y, x) in voxels.

    Raises:
        InputError: if there is no offset, or one is invalid; for labels see `affinity_targets`.
    """

    def __init__(self, offsets: Offsets = NEAREST) -> None:
        self.offsets = check_offsets(offsets)

    def targets(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return affinities and their validity mask; see `affinity_targets`."""
        return affinity_targets(labels, self.offsets)


class AffinityTargetsd(TargetTransformd, of=AffinityTargets):
    """Dictionary version of `AffinityTargets`: `label_affinities` and `label_affinities_valid` beside `label`."""

    own_postfix = "_affinities"
