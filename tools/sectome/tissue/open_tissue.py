"""Opening the entries of training and evaluation, with checks that image, label and mask belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np

from sectome.checks import InputError, check_whole_number, is_number
from sectome.derived_volumes import EveryNthSection, MembraneLabels, PlacedInside
from sectome.tissue.entries import Data
from sectome.tissue.tissue import Tissue, naming
from sectome.transforms.label_volume import UNLABELLED
from sectome.transforms.normaliser import Normaliser
from sectome.transforms.standardise_intensity import StandardiseIntensity
from sectome.types import RANGES
from sectome.volumes import Volume, open_with_default_size, require_voxel_size
from sectome.volumes.other_place import box_within


def open_tissue(
    data: Data,
    voxel_size_nm: Sequence[float] | None = None,
    *,
    labelled: bool = False,
    intensity: Normaliser | None = None,
) -> list[Tissue]:
    """Open the entries of `data` and check that image, label and mask belong together.

    Args:
        data: see `Data`.
        voxel_size_nm: (z, y, x), for volumes whose files do not state it.
        labelled: whether every entry must have labels.
        intensity: how grey values are normalised, fitted to each volume separately; by default, standardised.

    Raises:
        InputError: if there is no entry, a volume cannot be opened or has no voxel size, a label or mask neither has
            the image's shape nor lies inside it, labels are missing or not integers, or a range lies outside.
    """
    if not data:
        raise InputError("data must list at least one volume, got none")
    return [_open_entry(entry, voxel_size_nm, labelled, intensity or StandardiseIntensity()) for entry in data]


def _open_entry(
    entry: Mapping[str, Any], voxel_size_nm: Sequence[float] | None, labelled: bool, intensity: Normaliser
) -> Tissue:
    known = {"image", "label", "mask", "membrane", *RANGES, "section_step", "weight", "near_voxel_size_nm"}
    if not isinstance(entry, Mapping):
        raise InputError(f"an entry of data must be a dictionary with an image, got {entry!r}")
    if "image" not in entry or not known.issuperset(entry):
        raise InputError(f"an entry of data must have an image and may have {sorted(known)}, got {sorted(entry)}")
    near = entry.get("near_voxel_size_nm")
    image = _open(entry["image"], voxel_size_nm, near)
    label, mask, membrane = (
        _open(entry[kind], voxel_size_nm, near) if entry.get(kind) else None for kind in ("label", "mask", "membrane")
    )
    if membrane is not None:
        if label is not None:
            raise InputError(f"an entry of data must have a label or a membrane, got both for {entry['image']}")
        label = MembraneLabels(membrane)
    label = None if label is None else _in_place(label, image, UNLABELLED, "label" if membrane is None else "membrane")
    mask = None if mask is None else _in_place(mask, image, 0, "mask")
    if labelled and label is None:
        raise InputError(f"expected labels for {entry['image']}, got none")
    if label is not None and not np.issubdtype(label.dtype, np.integer):
        raise InputError(f"labels must be integers, got {label.dtype} in {entry['label']}")
    whole = label.box if isinstance(label, PlacedInside) else tuple(slice(0, extent) for extent in image.shape)
    sections, rows, columns = (
        _range(entry, name, extent, all_of_it)
        for name, extent, all_of_it in zip(RANGES, image.shape, whole, strict=True)
    )
    step = check_whole_number(entry.get("section_step", 1), 1, f"section_step of {image.name}")
    if step > 1:
        image = EveryNthSection(image, step)
        label, mask = (None if one is None else EveryNthSection(one, step) for one in (label, mask))
        sections = slice(-(-sections.start // step), -(-sections.stop // step))
        if sections.start == sections.stop:
            raise InputError(
                f"sections must hold at least one that section_step {step} keeps, got {entry.get('sections')} for "
                f"{entry['image']}"
            )
    voxel_size = require_voxel_size(image)
    weight = entry.get("weight", 1.0)
    if not is_number(weight) or not 0 < weight < float("inf"):
        raise InputError(f"a volume's weight must be positive, got {weight!r} for {entry['image']}")
    with naming(image):
        fitted = intensity.fit(image)
    return Tissue(image, label, mask, (sections, rows, columns), weight, voxel_size, fitted, step)


def _in_place(companion: Volume, image: Volume, outside: int, kind: str) -> Volume:
    """Return a label or mask in the shape of its image: unchanged, or placed by its offset."""
    box = box_within(image, companion, kind)
    return companion if box is None else PlacedInside(companion, image, box, outside)


def _range(entry: Mapping[str, Any], name: str, extent: int, all_of_it: slice) -> slice:
    """Return the range that an entry gives for an axis of `extent` voxels, by default `all_of_it`."""
    given = entry.get(name)
    if given is None:
        return all_of_it
    if not isinstance(given, Sequence) or len(given) != 2 or not all(type(number) is int for number in given):
        raise InputError(f"{name} must be two whole numbers [start, stop], got {given!r} for {entry['image']}")
    first, last = given
    if not 0 <= first < last <= extent:
        raise InputError(f"{name} must lie within 0 and {extent}, got {[first, last]} for {entry['image']}")
    return slice(first, last)


def _open(source: Any, voxel_size_nm: Sequence[float] | None, near: Sequence[float] | None) -> Volume:
    if isinstance(source, Volume):
        return source
    if not isinstance(source, (str, PathLike)):
        raise InputError(f"an entry of data must name its volumes by paths, got {source!r}")
    return open_with_default_size(source, voxel_size_nm, near)
