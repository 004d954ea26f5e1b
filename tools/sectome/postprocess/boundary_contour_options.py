"""Options for turning foreground and contour into objects, as stored in a file beside a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sectome.checks import check_at_least
from sectome.postprocess.segmentation_options import Options


@dataclass(frozen=True)
class BoundaryContourOptions(Options):
    """Options for turning foreground and contour into objects; see `boundary_contour_to_labels`.

    Attributes:
        seed_foreground: least foreground of a seed voxel.
        seed_contour: contour that a seed voxel must stay below.
        seed_distance: least distance of a seed voxel, where there is a distance.
        foreground: least foreground of an object voxel.
        min_seed_voxels: smaller seeds do not grow.
        min_size_voxels: smaller objects become background.

    Raises:
        InputError: if a number is out of range.
    """

    targets: ClassVar[str] = "boundary_contour"

    seed_foreground: float = 0.9
    seed_contour: float = 0.8
    seed_distance: float = 0.5
    foreground: float = 0.85
    min_seed_voxels: int = 32
    min_size_voxels: int = 128

    def __post_init__(self) -> None:
        self._take_probabilities("seed_foreground", "seed_contour", "seed_distance", "foreground")
        for name in ("min_seed_voxels", "min_size_voxels"):
            check_at_least(getattr(self, name), 0, name)
