"""All choices between foreground and contour and objects, as a file beside a model keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sectome.checks import check_at_least
from sectome.postprocess.segmentation_options import Options


@dataclass(frozen=True)
class BoundaryContourOptions(Options):
    """How foreground and contour become objects; see `boundary_contour_to_labels`.

    Attributes:
        seed_foreground: seeds have a foreground of at least this.
        seed_contour: seeds have a contour below this.
        seed_distance: seeds have a distance of at least this, where there is one.
        foreground: objects have a foreground of at least this.
        min_seed_voxels: smaller seeds do not grow.
        min_size_voxels: smaller objects become background.

    Raises:
        InputError: if a number is out of its range.
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
