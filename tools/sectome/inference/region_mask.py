"""The part of a mask that covers the predicted region."""

from __future__ import annotations

from collections.abc import Sequence

from sectome.checks import check_same_shape
from sectome.inference.blended_slabs import Tile
from sectome.tissue import Tissue
from sectome.types import Array, Box
from sectome.volumes import Volume
from sectome.volumes.other_place import box_within


def check_mask(mask: Volume, tissue: Tissue) -> None:
    """Raise an `InputError` if a mask's shape differs from the tissue's volume; warn if its placement differs."""
    assert isinstance(tissue.image, Volume)
    check_same_shape(tissue.image.shape, mask.shape, f"mask {mask.name}")
    box_within(tissue.image, mask, "mask")


class RegionMask:
    """A mask (Z, Y, X) of wanted voxels, restricted to a region and read by sections.

    Args:
        mask: mask of the tissue's whole volume, see `check_mask`.
        tissue: the tissue to predict; indices count from its first voxel.
        region: the wanted part (y, x); windows may extend beyond it.
    """

    def __init__(self, mask: Volume, tissue: Tissue, region: Tile) -> None:
        self.mask = mask
        self.tissue = tissue
        self.region = region
        self.kept: tuple[tuple[int, int], Array] | None = None

    def sections(self, start: int, stop: int) -> Array:
        """Return the region of a range of sections as booleans; the last range is cached."""
        if self.kept is None or self.kept[0] != (start, stop):
            box = self.tissue.in_volume((slice(start, stop), *self.region))
            self.kept = ((start, stop), self.mask[box] != 0)
        return self.kept[1]

    def any_in(self, box: Box) -> bool:
        """Return whether any voxel is wanted in the overlap of a box and the region."""
        z, *plane = box
        y, x = (
            slice(max(0, part.start - own.start), max(0, part.stop - own.start))
            for part, own in zip(plane, self.region, strict=True)
        )
        return bool(self.sections(z.start, z.stop)[:, y, x].any())

    def box(self, start: int, shape: Sequence[int]) -> Array:
        """Return the mask of a box of this shape (z, y, x) at a section and the region's first row and column."""
        depth, *size = shape
        y, x = (slice(own.start, own.start + length) for own, length in zip(self.region, size, strict=True))
        values: Array = self.mask[self.tissue.in_volume((slice(start, start + depth), y, x))] != 0
        return values
