"""Disconnected pieces of an object become separate objects: a crop cuts a neuron that leaves it and comes back."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from monai.transforms import Transform
from monai.utils import convert_to_dst_type
from skimage.measure import label as connected_components
from torch import Tensor

from sectome.checks import InputError, check_choice
from sectome.transforms.keywise import Keywise
from sectome.transforms.label_volume import check_labels

Ids = Literal["keep", "new"]
IDS: tuple[Ids, ...] = get_args(Ids)
CONNECTIVITIES = {6: 1, 26: 3}
"""Number of neighbours of a voxel, and along how many axes at once they may differ."""


def split_disconnected(labels: Tensor, connectivity: int = 6, ids: Ids = "keep") -> Tensor:
    """Return labels in which each connected component has its own id. Background (0) and unlabelled voxels (-1) stay.

    Args:
        labels: (..., Z, Y, X) integers; leading axes are a batch that shares its ids.
        connectivity: 6 joins voxels that share a face, 26 also those that share an edge or a corner.
        ids: "keep" lets the largest component of an object (the first of equal ones) keep its id, and gives the others
            ids above the greatest, in the order of their first voxels; "new" numbers all components from 1 in that
            order.

    Returns:
        A new tensor of the same shape and dtype.

    Raises:
        InputError: if labels are not integers >= -1, an option is unknown, or the dtype cannot hold the ids.
    """
    check_labels(labels)
    step = CONNECTIVITIES[check_choice(connectivity, tuple(CONNECTIVITIES), "connectivity")]
    check_choice(ids, IDS, "ids")
    old = np.asarray(labels.cpu())
    pieces = np.zeros(old.shape, np.int64)
    for place in np.ndindex(old.shape[:-3]):
        found = connected_components(np.maximum(old[place], 0), background=0, connectivity=step)
        pieces[place] = np.where(found > 0, found + pieces.max(initial=0), 0)
    sizes = np.bincount(pieces.ravel())
    lookup = np.arange(len(sizes))
    if ids == "keep":
        lookup = _keep_largest(old, pieces, sizes)
    if lookup.max(initial=0) > np.iinfo(old.dtype).max:
        raise InputError(f"labels of {labels.dtype} cannot hold the id {lookup.max()} of a piece; use a wider type")
    new = np.where(old > 0, lookup[pieces], old).astype(old.dtype)
    result: Tensor = convert_to_dst_type(new, labels, dtype=labels.dtype)[0]
    return result


def _keep_largest(old: np.ndarray, pieces: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the id of each piece: that of its object for the largest piece, unused ids for the others."""
    owner = np.zeros(len(sizes), np.int64)
    owner[pieces.ravel()] = old.ravel()
    owner[0] = 0
    # Sorted by object, then largest first, then by first voxel: all but the first piece of an object need new ids.
    order = np.lexsort((np.arange(len(sizes)), -sizes, owner))
    others = np.sort(order[1:][owner[order][1:] == owner[order][:-1]])
    others = others[others > 0]
    lookup = owner.copy()
    lookup[others] = int(owner.max()) + 1 + np.arange(len(others))
    return lookup


class SplitDisconnected(Transform):
    """Split the objects of label crops (1, Z, Y, X) into connected components; see `split_disconnected`."""

    def __init__(self, connectivity: int = 6, ids: Ids = "keep") -> None:
        self.connectivity = check_choice(connectivity, tuple(CONNECTIVITIES), "connectivity")
        self.ids = check_choice(ids, IDS, "ids")

    def __call__(self, labels: Tensor) -> Tensor:
        """Return the split labels."""
        return split_disconnected(labels, self.connectivity, self.ids)


class SplitDisconnectedd(Keywise, of=SplitDisconnected):
    """Dictionary version of `SplitDisconnected`: each key separately."""
