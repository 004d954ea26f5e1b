"""Voxels near object borders, excluded from the loss: people do not draw borders to the voxel."""

from __future__ import annotations

from monai.transforms import Transform
from torch import Tensor

from sectome.checks import check_switches, check_whole_number
from sectome.transforms.keywise import Keywise
from sectome.transforms.label_volume import UNLABELLED, check_labels, near_others


def ignore_borders(labels: Tensor, steps: int = 1, in_plane: bool = False) -> Tensor:
    """Set voxels to -1 (unlabelled) that lie within `steps` of another id, background included.

    Args:
        labels: (..., Z, Y, X) signed integers.
        steps: distance in voxels along each axis, on both sides of a border; 0 changes nothing.
        in_plane: compare voxels of the same section only, for thick sections.

    Returns:
        A new tensor of the same shape and dtype.

    Raises:
        InputError: if labels are not signed integers >= -1, or `steps` is not a whole number >= 0.
    """
    check_labels(labels, signed=True)
    steps = check_whole_number(steps, 0, "steps")
    return labels.masked_fill(near_others(labels, steps, in_plane)[0], UNLABELLED)


class IgnoreBorders(Transform):
    """Exclude the borders of label crops (1, Z, Y, X) from the loss; see `ignore_borders`."""

    def __init__(self, steps: int = 1, in_plane: bool = False) -> None:
        check_switches(in_plane=in_plane)
        self.steps = check_whole_number(steps, 0, "steps")
        self.in_plane = in_plane

    def __call__(self, labels: Tensor) -> Tensor:
        """Return the labels with unlabelled borders."""
        return ignore_borders(labels, self.steps, self.in_plane)


class IgnoreBordersd(Keywise, of=IgnoreBorders):
    """Dictionary version of `IgnoreBorders`."""
