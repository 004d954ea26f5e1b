"""Consecutive ids from 1: annotation tools give sparse and large ones."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from monai.transforms import Transform
from torch import Tensor

from sectome.checks import check_choice
from sectome.transforms.keywise import Keywise
from sectome.transforms.label_volume import check_labels

Order = Literal["ascending", "appearance"]
ORDERS: tuple[Order, ...] = get_args(Order)


def relabel(labels: Tensor, order: Order = "ascending") -> Tensor:
    """Return labels with ids renumbered to 1 to N. Background (0) and unlabelled voxels (-1) stay.

    Args:
        labels: (..., Z, Y, X) integers.
        order: whether new ids follow the order of the old ones ("ascending") or of their first voxels ("appearance").

    Returns:
        A new tensor of the same shape and dtype.

    Raises:
        InputError: if labels are not integers >= -1, or `order` is unknown.
    """
    check_labels(labels)
    check_choice(order, ORDERS, "order")
    ids, inverse = torch.unique(labels, return_inverse=True)
    new = ids.clone()
    objects = ids > 0
    rank = torch.arange(1, int(objects.sum()) + 1, dtype=ids.dtype, device=ids.device)
    if order == "appearance":
        flat = inverse.flatten()
        first = torch.full((len(ids),), flat.numel(), device=ids.device)
        first.scatter_reduce_(0, flat, torch.arange(flat.numel(), device=ids.device), "amin")
        rank = rank[first[objects].argsort().argsort()]
    new[objects] = rank
    return new[inverse]


class Relabel(Transform):
    """Give the objects of label crops (1, Z, Y, X) the ids 1 to N; see `relabel`."""

    def __init__(self, order: Order = "ascending") -> None:
        self.order = check_choice(order, ORDERS, "order")

    def __call__(self, labels: Tensor) -> Tensor:
        """Return the labels with new ids."""
        return relabel(labels, self.order)


class Relabeld(Keywise, of=Relabel):
    """Dictionary version of `Relabel`: each key separately."""
