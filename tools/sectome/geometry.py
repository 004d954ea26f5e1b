"""Units of length by their names in files, and the position of a volume in space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sectome.types import VoxelSize

PointNm: TypeAlias = tuple[float, float, float]
"""A position in nm along (z, y, x)."""

ORIGIN: PointNm = (0.0, 0.0, 0.0)

NM_IN_MM = 1e6

LEAST_NM, GREATEST_NM = 0.5, 5000.0
"""Plausible range of voxel edges in electron microscopy, and in light microscopy beside it."""

_NM_BY_NAMES = {
    ("pm", "picometer", "picometers", "picometre", "picometres"): 1e-3,
    ("å", "angstrom", "angstroms", "ångström"): 0.1,
    ("nm", "nanometer", "nanometers", "nanometre", "nanometres"): 1.0,
    # The micro sign, the Greek letter, and ImageJ's way of writing it in ASCII are three spellings of one unit.
    ("um", "µm", "μm", "\\u00b5m", "micron", "microns", "micrometer", "micrometers", "micrometre", "micrometres"): 1e3,
    ("mm", "millimeter", "millimeters", "millimetre", "millimetres"): 1e6,
    ("cm", "centimeter", "centimeters", "centimetre", "centimetres"): 1e7,
    ("m", "meter", "meters", "metre", "metres"): 1e9,
}
_NM = {name: nm for names, nm in _NM_BY_NAMES.items() for name in names}


@dataclass(frozen=True)
class Placement:
    """The voxel size and the position of a volume.

    Attributes:
        voxel_size_nm: Edge lengths along (z, y, x) in nm, None if unknown.
        offset_nm: Position of the first voxel along (z, y, x) in nm.
        why_no_size: What is wrong with the voxel size in the file, if it has an unusable one.
    """

    voxel_size_nm: VoxelSize | None = None
    offset_nm: PointNm = ORIGIN
    why_no_size: str = ""


def are_alike(one: Sequence[float], other: Sequence[float]) -> bool:
    """Return whether a network can treat two voxel sizes as one: no edge differs by more than a quarter."""
    return all(0.8 <= edge / other_edge <= 1.25 for edge, other_edge in zip(one, other, strict=True))


def rounded(triple: Sequence[float]) -> tuple[float, ...]:
    """Round lengths or coordinates for a message."""
    return tuple(float(f"{number:g}") for number in triple)


def unit_in_nm(unit: str | None) -> float | None:
    """Return the length of a unit in nm, None if it is no known unit of length."""
    return _NM.get(unit.strip().lower()) if unit else None


def as_voxel_size(values: Sequence[float | None], nm: float | None = 1.0) -> VoxelSize | None:
    """Return lengths as a voxel size in nm, None if they are not three positive numbers or the unit is unknown.

    Args:
        values: Lengths along (z, y, x), as a file gives them.
        nm: Length of the unit of `values` in nm, None if unknown.
    """
    if nm is None or len(values) != 3 or not all(value is not None and 0 < value < float("inf") for value in values):
        return None
    # Headers hold float32 and rationals: six digits keep 4.6 nm from becoming 4.599999.
    z, y, x = (float(f"{float(value or 0) * nm:.6g}") for value in values)
    return z, y, x


def as_point(values: Sequence[float | None], nm: float | None = 1.0, digits: int = 12) -> PointNm:
    """Return coordinates as a point in nm, the origin if they are not three finite numbers or the unit is unknown.

    Args:
        values: Coordinates along (z, y, x), as a file gives them.
        nm: Length of the unit of `values` in nm, None if unknown.
        digits: Significant digits of a coordinate: 7 for float32.
    """
    if nm is None or len(values) != 3 or not all(value is not None and abs(value) < float("inf") for value in values):
        return ORIGIN
    # Adding 0.0 turns the -0.0 of a negated coordinate into 0.0.
    z, y, x = (float(f"{float(value or 0) * nm:.{digits}g}") + 0.0 for value in values)
    return z, y, x
