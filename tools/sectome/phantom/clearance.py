"""Free space between growing neurites: a coarse map of the distance to those grown so far, and walks through it."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from sectome.phantom.capsules import Capsules, closest

PITCH_NM = 40.0


@dataclass(frozen=True)
class Clearance:
    """Distance of every point from the surfaces of the neurites grown so far; negative inside them.

    Attributes:
        distance_nm: (Z, Y, X) float32 on a grid of `PITCH_NM`, changed in place as neurites are added.
        origin_nm: (3,) float64, the position of the first value.
    """

    distance_nm: npt.NDArray[np.float32]
    origin_nm: npt.NDArray[np.float64]

    @classmethod
    def empty(cls, extent_nm: npt.NDArray[np.float64], padding_nm: float, limit_nm: float) -> Clearance:
        """Return the map of an empty box that starts at zero, with padding on every side.

        Args:
            extent_nm: (3,) edge lengths of the box along (z, y, x).
            padding_nm: Padding on every side.
            limit_nm: Initial distance everywhere, which is the largest that the map can hold.
        """
        size = np.ceil((extent_nm + 2 * padding_nm) / PITCH_NM).astype(int) + 1
        return cls(np.full(size, limit_nm, np.float32), np.full(3, -padding_nm))

    def add(self, capsules: Capsules, reach_nm: float) -> int:
        """Mark the space of new capsules as taken, and update the map up to `reach_nm` from them.

        Returns:
            The number of map values that were free and are now inside.
        """
        return int(_lower(self.distance_nm, self.origin_nm, capsules.start, capsules.end, capsules.radius, reach_nm))

    def at(self, point: npt.NDArray[np.float64]) -> float:
        """Return the clearance at a point (3,) in nm; outside the map, that of its nearest face."""
        return float(_interpolate(self.distance_nm, self.origin_nm, point[0], point[1], point[2]))

    def walk(
        self,
        start: npt.NDArray[np.float64],
        direction: npt.NDArray[np.float64],
        radii: npt.NDArray[np.float64],
        *,
        smallest_nm: float,
        step_nm: float,
        turns: npt.NDArray[np.float64],
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Walk through the free space until it is too narrow, or the map or the radii end.

        Each step chooses among several random turns, and prefers room ahead and a straight path.

        Args:
            start: (3,) the first point in nm.
            direction: (3,) the unit vector along which the path starts, and towards which it is drawn.
            radii: (N,) desired radius at each point in nm; the free space limits it.
            smallest_nm: Clearance below which the walk ends.
            step_nm: Distance between points.
            turns: (N, K, 3) the K random turns to choose from, relative to a unit direction.

        Returns:
            The points (M, 3) and radii (M,) in nm, with 0 <= M <= N.
        """
        points, widths = np.empty((len(radii), 3)), np.empty(len(radii))
        count = _walk(
            self.distance_nm, self.origin_nm, start, direction, radii, smallest_nm, step_nm, turns, points, widths
        )
        return points[:count], widths[:count]


@numba.njit
def _interpolate(field, origin, z, y, x):  # type: ignore[no-untyped-def]
    """Return the trilinear interpolation of the map; outside it, the value on its nearest face."""
    gz = min(max((z - origin[0]) / PITCH_NM, 0.0), field.shape[0] - 1.001)
    gy = min(max((y - origin[1]) / PITCH_NM, 0.0), field.shape[1] - 1.001)
    gx = min(max((x - origin[2]) / PITCH_NM, 0.0), field.shape[2] - 1.001)
    iz, iy, ix = int(gz), int(gy), int(gx)
    fz, fy, fx = gz - iz, gy - iy, gx - ix
    value = 0.0
    for corner in range(8):
        dz, dy, dx = corner >> 2, (corner >> 1) & 1, corner & 1
        weight = (fz if dz else 1 - fz) * (fy if dy else 1 - fy) * (fx if dx else 1 - fx)
        value += weight * field[iz + dz, iy + dy, ix + dx]
    return value


@numba.njit
def _lower(field, origin, start, end, radius, reach):  # type: ignore[no-untyped-def]
    """Lower the map to the distance from the capsules' surfaces, within reach of them; see `Clearance.add`."""
    low, high = [0, 0, 0], [0, 0, 0]
    taken = 0
    for n in range(len(start)):
        margin = max(radius[n, 0], radius[n, 1]) + reach
        for axis in range(3):
            first = (min(start[n, axis], end[n, axis]) - margin - origin[axis]) / PITCH_NM
            last = (max(start[n, axis], end[n, axis]) + margin - origin[axis]) / PITCH_NM
            low[axis] = max(0, int(np.ceil(first)))
            high[axis] = min(field.shape[axis], int(np.floor(last)) + 1)
        for z in range(low[0], high[0]):
            for y in range(low[1], high[1]):
                for x in range(low[2], high[2]):
                    along, squared = closest(
                        start[n],
                        end[n],
                        origin[0] + z * PITCH_NM,
                        origin[1] + y * PITCH_NM,
                        origin[2] + x * PITCH_NM,
                    )
                    distance = np.sqrt(squared) - (radius[n, 0] + along * (radius[n, 1] - radius[n, 0]))
                    if distance < field[z, y, x]:
                        taken += distance < 0.0 <= field[z, y, x]
                        field[z, y, x] = distance
    return taken


@numba.njit
def _walk(field, origin, start, direction, radii, smallest, step, turns, points, widths):  # type: ignore[no-untyped-def]
    """Fill in the points and widths of a walk, and return their number; see `Clearance.walk`."""
    z, y, x = start[0], start[1], start[2]
    hz, hy, hx = direction[0], direction[1], direction[2]
    for n in range(len(radii)):
        room = _interpolate(field, origin, z, y, x)
        inside = True
        for axis, place in enumerate((z, y, x)):
            inside &= 0.0 <= place - origin[axis] <= (field.shape[axis] - 1) * PITCH_NM
        if room < smallest or not inside:
            return n
        points[n, 0], points[n, 1], points[n, 2] = z, y, x
        widths[n] = min(room, radii[n])
        best_score = -1e9
        bz, by, bx = hz, hy, hx
        for k in range(turns.shape[1]):
            tz, ty, tx = hz + turns[n, k, 0], hy + turns[n, k, 1], hx + turns[n, k, 2]
            length = np.sqrt(tz * tz + ty * ty + tx * tx)
            tz, ty, tx = tz / length, ty / length, tx / length
            score = 0.4 * (tz * (hz + direction[0]) + ty * (hy + direction[1]) + tx * (hx + direction[2]))
            for far in (step, 2.5 * step):
                ahead = _interpolate(field, origin, z + far * tz, y + far * ty, x + far * tx)
                # Room beyond the desired radius does not count: all paths would seek the widest voids.
                score += min(ahead, radii[n]) / radii[n]
            if score > best_score:
                best_score, bz, by, bx = score, tz, ty, tx
        hz, hy, hx = bz, by, bx
        z, y, x = z + step * hz, y + step * hy, x + step * hx
    return len(radii)
