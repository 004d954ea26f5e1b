"""The neurite of each point of a plane, and the point's distance to the membrane.

All space is shared out: a point belongs to the neurite whose surface is nearest (an additively weighted Voronoi diagram
of the tubes). So cells fill voids and press flat against each other, as they do in neuropil.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from sectome.phantom.capsules import Capsules, closest

NOBODY = -1
_TILE = 8
REACH_NM = 250.0
"""Distance from its surface up to which a neurite claims space; voids and membranes are narrower."""


@dataclass(frozen=True)
class Plane:
    """A plane of pixels and their positions in the tissue.

    Attributes:
        z_nm: Depth of the plane in the volume.
        pixel_nm: Size of a pixel along (y, x).
        shape: Pixels along (y, x).
        points: (Y * X, 3) float32, the position of each pixel in the undeformed tissue, in nm.
    """

    z_nm: float
    pixel_nm: tuple[float, float]
    shape: tuple[int, int]
    points: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Cells:
    """A plane shared out among neurites; arrays are (Y * X,).

    Attributes:
        owner: int32, the index of the neurite; `NOBODY` far from all.
        neighbour: int32, the neurite on the other side of the nearest membrane.
        margin_nm: float32, the distance to the midline between the two.
        slope: float32, how obliquely the plane cuts that boundary: 0 across, 1 along it.
    """

    owner: npt.NDArray[np.int32]
    neighbour: npt.NDArray[np.int32]
    margin_nm: npt.NDArray[np.float32]
    slope: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Placed:
    """Capsules with the part of the volume that each can touch.

    Attributes:
        capsules: N capsules.
        low_nm: (N, 3) float64, the lower corner (z, y, x) of the box around each axis in the deformed volume.
        high_nm: (N, 3) float64, the upper corner.
        reach_nm: (N,) float64, the distance that each reaches beyond its box.
    """

    capsules: Capsules
    low_nm: npt.NDArray[np.float64]
    high_nm: npt.NDArray[np.float64]
    reach_nm: npt.NDArray[np.float64]

    def near(self, plane: Plane) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the capsules that touch a plane.

        Returns:
            Their indices (M,), and the boxes of pixels (M, 4) that they can touch: y from, y to, x from, x to.
        """
        away = np.maximum(np.maximum(self.low_nm[:, 0] - plane.z_nm, plane.z_nm - self.high_nm[:, 0]), 0)
        index = np.flatnonzero(away < self.reach_nm)
        reach = np.sqrt(self.reach_nm[index] ** 2 - away[index] ** 2)
        boxes = np.empty((len(index), 4), np.int64)
        for axis, (pixel, size) in enumerate(zip(plane.pixel_nm, plane.shape, strict=True)):
            # Pixel i has its centre at (i + 0.5) pixel.
            boxes[:, 2 * axis] = np.clip(np.floor((self.low_nm[index, axis + 1] - reach) / pixel), 0, size)
            boxes[:, 2 * axis + 1] = np.clip(np.ceil((self.high_nm[index, axis + 1] + reach) / pixel), 0, size)
        kept = (boxes[:, 0] < boxes[:, 1]) & (boxes[:, 2] < boxes[:, 3])
        return index[kept], boxes[kept]


def share_out(plane: Plane, neurites: Placed) -> Cells:
    """Return the neurite of each pixel of a plane, and the distance to its membrane."""
    index, boxes = neurites.near(plane)
    return _fill_cells(plane.points, plane.shape[1], index, boxes, neurites.capsules)


def share_out_points(points: npt.NDArray[np.float64], tubes: Capsules) -> Cells:
    """Return the neurite of each point (P, 3) in nm of the undeformed tissue, given the tubes near them."""
    boxes = np.tile(np.array([0, 1, 0, len(points)]), (len(tubes), 1))
    return _fill_cells(points.astype(np.float32), len(points), np.arange(len(tubes)), boxes, tubes)


def _fill_cells(
    points: npt.NDArray[np.float32],
    width: int,
    index: npt.NDArray[np.int64],
    boxes: npt.NDArray[np.int64],
    tubes: Capsules,
) -> Cells:
    """Return the cells at points (P, 3) in rows of `width`, given the tubes and boxes from `Placed.near`."""
    count = len(points)
    first, second = np.full((2, count), REACH_NM, np.float32)
    first_tube, second_tube = np.full((2, count), NOBODY, np.int32)
    scratch = np.empty(len(index), np.int64), np.empty(len(index))
    shape = tubes.start, tubes.end, tubes.radius, tubes.owner
    _find_two_nearest(points, width, index, boxes, *shape, first, second, first_tube, second_tube, *scratch)
    cells = Cells(
        owner=np.full(count, NOBODY, np.int32),
        neighbour=np.full(count, NOBODY, np.int32),
        margin_nm=np.zeros(count, np.float32),
        slope=np.zeros(count, np.float32),
    )
    found = first_tube != NOBODY
    cells.owner[found] = tubes.owner[first_tube[found]]
    cells.margin_nm[found] = REACH_NM
    both = np.flatnonzero(second_tube != NOBODY)
    cells.neighbour[both] = tubes.owner[second_tube[both]]
    _measure_margins(
        points, both, tubes.start, tubes.end, first, second, first_tube, second_tube, cells.margin_nm, cells.slope
    )
    return cells


@numba.njit
def _find_two_nearest(  # type: ignore[no-untyped-def]
    points,
    width,
    index,
    boxes,
    start,
    end,
    radius,
    owner,
    first,
    second,
    first_tube,
    second_tube,
    close,
    close_distance,
):
    """Fill in the distances to the surfaces of the two nearest neurites, and the nearest tube of each."""
    height = len(points) // width
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            bottom, right = min(top + _TILE, height), min(left + _TILE, width)
            centre = points[(top + bottom) // 2 * width + (left + right) // 2]
            spread = 0.0
            for y in range(top, bottom):
                for p in range(y * width + left, y * width + right):
                    _, squared = closest(centre, centre, points[p, 0], points[p, 1], points[p, 2])
                    spread = max(spread, np.sqrt(squared))
            # Distances at the tile's centre bound those of its pixels, which leaves few tubes to try.
            found = 0
            nearest = runner_up = REACH_NM + spread
            nearest_owner = NOBODY
            for m in range(len(index)):
                if boxes[m, 0] >= bottom or boxes[m, 1] <= top or boxes[m, 2] >= right or boxes[m, 3] <= left:
                    continue
                n = index[m]
                along, squared = closest(start[n], end[n], centre[0], centre[1], centre[2])
                distance = np.sqrt(squared) - radius[n, 0] - along * (radius[n, 1] - radius[n, 0])
                close[found], close_distance[found] = n, distance
                found += 1
                if distance < nearest:
                    if owner[n] != nearest_owner:
                        runner_up = nearest
                    nearest, nearest_owner = distance, owner[n]
                elif distance < runner_up and owner[n] != nearest_owner:
                    runner_up = distance
            for m in range(found):
                if close_distance[m] > runner_up + 2.2 * spread:
                    continue
                n = close[m]
                a, b, thickness, taper = start[n], end[n], radius[n, 0], radius[n, 1] - radius[n, 0]
                for y in range(top, bottom):
                    for p in range(y * width + left, y * width + right):
                        along, squared = closest(a, b, points[p, 0], points[p, 1], points[p, 2])
                        limit = second[p] + thickness + along * taper
                        if limit <= 0.0 or squared >= limit * limit:
                            continue
                        distance = np.sqrt(squared) - thickness - along * taper
                        mine = first_tube[p] != NOBODY and owner[first_tube[p]] == owner[n]
                        if distance < first[p]:
                            if not mine:
                                second[p], second_tube[p] = first[p], first_tube[p]
                            first[p], first_tube[p] = distance, n
                        elif not mine:
                            second[p], second_tube[p] = distance, n


@numba.njit
def _measure_margins(points, both, start, end, first, second, first_tube, second_tube, margin, slope):  # type: ignore[no-untyped-def]
    """Fill in the distance to the midline between the two nearest neurites, and its slope; see `Cells`."""
    for p in both:
        n, m = first_tube[p], second_tube[p]
        # Per nm away from the membrane, the difference of the two distances grows by the length of its gradient.
        nz, ny, nx = _outward(start[n], end[n], points[p])
        mz, my, mx = _outward(start[m], end[m], points[p])
        gz, gy, gx = mz - nz, my - ny, mx - nx
        steepness = max(np.sqrt(gz * gz + gy * gy + gx * gx), 0.4)
        margin[p] = (second[p] - first[p]) / steepness
        slope[p] = abs(gz) / steepness


@numba.njit
def _outward(start, end, point):  # type: ignore[no-untyped-def]
    """Return the unit vector from the closest point of a capsule's axis to a point."""
    along, squared = closest(start, end, point[0], point[1], point[2])
    length = max(np.sqrt(squared), 1e-3)
    return (
        (point[0] - start[0] - along * (end[0] - start[0])) / length,
        (point[1] - start[1] - along * (end[1] - start[1])) / length,
        (point[2] - start[2] - along * (end[2] - start[2])) / length,
    )
