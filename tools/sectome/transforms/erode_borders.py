"""Background between touching objects, so that affinities have a membrane to find."""

from __future__ import annotations

import torch
from monai.transforms import Transform

from sectome.checks import check_switches, check_whole_number
from sectome.transforms.keywise import Keywise
from sectome.transforms.label_volume import check_computes


def erode_borders(labels: torch.Tensor, steps: int = 1, in_plane: bool = False) -> torch.Tensor:
    """Set voxels to 0 that have a face neighbour in another object or in background, `steps` times.

    Unlabelled voxels (negative) do not change, nor do they change their neighbours.

    Args:
        labels: (..., Z, Y, X) integers.
        steps: number of repetitions; each removes one voxel on both sides of a border.
        in_plane: compare neighbours in the same section only, for thick sections.

    Returns:
        A new tensor of the same shape and dtype.

    Raises:
        InputError: if labels are not a tensor that torch computes with, or `steps` is not a whole number >= 0.
    """
    check_computes(labels)
    check_whole_number(steps, 0, "steps")
    eroded = labels.clone()
    for _ in range(steps):
        current = eroded.clone()
        for axis in (-2, -1) if in_plane else (-3, -2, -1):
            length = labels.shape[axis]
            first, second = current.narrow(axis, 0, length - 1), current.narrow(axis, 1, length - 1)
            border = (first != second) & (first >= 0) & (second >= 0)
            for start in (0, 1):
                side = eroded.narrow(axis, start, length - 1)
                side.masked_fill_(border & (side > 0), 0)
    return eroded


class ErodeBorders(Transform):
    """Erode the borders of label crops (1, Z, Y, X); see `erode_borders`."""

    def __init__(self, steps: int = 1, in_plane: bool = False) -> None:
        check_switches(in_plane=in_plane)
        self.steps = check_whole_number(steps, 0, "steps")
        self.in_plane = in_plane

    def __call__(self, labels: torch.Tensor) -> torch.Tensor:
        """Return the eroded labels."""
        return erode_borders(labels, self.steps, self.in_plane)


class ErodeBordersd(Keywise, of=ErodeBorders):
    """Dictionary version of `ErodeBorders`."""
