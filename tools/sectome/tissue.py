"""Volumes opened for training and evaluation: image, labels and mask, and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sectome.checks import InputError, check_same_shape
from sectome.transforms.standardise_intensity import intensity_statistics, standardise_intensity
from sectome.types import Shape3, VoxelSize
from sectome.volumes import Volume, open_with_default_size, require_voxel_size

UNLABELLED = -1
"""Value of voxels in a label crop that the volume's mask excludes."""

Data = Sequence[Mapping[str, Any]]
"""Entries with "image" and optionally "label" and "mask" (paths, or opened volumes), "sections" ([start, stop] along z)
and "weight" (how often random crops come from here, against the others; 1 by default)."""


@dataclass(frozen=True)
class Tissue:
    """A volume with what is known of it: where crops may lie, and how its grey values are distributed."""

    image: Volume
    label: Volume | None
    mask: Volume | None
    sections: tuple[int, int]
    weight: float
    voxel_size_nm: VoxelSize
    mean: float
    deviation: float

    @property
    def name(self) -> str:
        """What tells this tissue from other: the end of its path, and its sections if not all are taken."""
        first, last = self.sections
        part = "" if last - first == self.image.shape[0] else f", sections {first} to {last - 1}"
        return "/".join(Path(self.image.path).parts[-3:]) + part

    @property
    def shape(self) -> Shape3:
        """Voxels along (z, y, x) that crops may cover."""
        return self.sections[1] - self.sections[0], self.image.shape[1], self.image.shape[2]

    def read(self, start: Sequence[int], size: Sequence[int]) -> dict[str, np.ndarray]:
        """Read the crop at `start` (z, y, x), counted from the first section allowed.

        Returns:
            "image" (1, Z, Y, X) float32, standardised by the volume's own mean and deviation, and, where the tissue has
            labels, "label" (1, Z, Y, X) int64 with `UNLABELLED` where the mask is 0.
        """
        first = (start[0] + self.sections[0], start[1], start[2])
        z, y, x = (slice(begin, begin + length) for begin, length in zip(first, size, strict=True))
        crop = {"image": standardise_intensity(self.image[z, y, x], self.mean, self.deviation)[None]}
        if self.label is not None:
            crop["label"] = self.label[z, y, x].astype(np.int64)[None]
            if self.mask is not None:
                crop["label"][0][self.mask[z, y, x] == 0] = UNLABELLED
        return crop


def find_volumes(folder: str | Path) -> list[dict[str, str]]:
    """List the volumes of a folder: `images/*`, with `labels/*` and `masks/*` of the same name where they exist.

    Raises:
        InputError: if there is no image, a label or mask belongs to none, or two have one name up to the first dot.
    """

    def by_stem(kind: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for path in sorted((Path(folder) / kind).glob("[!.]*")):
            stem = path.name.split(".")[0]
            if stem in found:
                raise InputError(
                    f"volumes must differ in their names up to the first dot, got {found[stem]} and {path}"
                )
            found[stem] = str(path)
        return found

    images = by_stem("images")
    if not images:
        raise InputError(f"volumes were expected in {Path(folder) / 'images'}, got none")
    entries = {stem: {"image": path} for stem, path in images.items()}
    for kind in ("label", "mask"):
        for stem, path in by_stem(f"{kind}s").items():
            if stem not in entries:
                raise InputError(f"{path} must have an image of the same name in {Path(folder) / 'images'}, got none")
            entries[stem][kind] = path
    return list(entries.values())


def open_tissue(data: Data, voxel_size_nm: Sequence[float] | None = None, *, labelled: bool = False) -> list[Tissue]:
    """Open the entries of `data` and check that image, label and mask belong together.

    Args:
        data: see `Data`.
        voxel_size_nm: of volumes whose files do not say it.
        labelled: whether every entry must have labels.

    Raises:
        InputError: if there is no entry, a volume cannot be opened, has no voxel size or another shape than its image,
            labels are missing or no integers, or the sections lie outside.
    """
    if not data:
        raise InputError("data must list at least one volume, got none")
    return [_open_entry(entry, voxel_size_nm, labelled) for entry in data]


def _open_entry(entry: Mapping[str, Any], voxel_size_nm: Sequence[float] | None, labelled: bool) -> Tissue:
    known = {"image", "label", "mask", "sections", "weight"}
    if "image" not in entry or not known.issuperset(entry):
        raise InputError(f"an entry of data must have an image and may have {sorted(known)}, got {sorted(entry)}")
    image = _open(entry["image"], voxel_size_nm)
    companions: dict[str, Volume | None] = {}
    for kind in ("label", "mask"):
        companions[kind] = _open(entry[kind], voxel_size_nm) if entry.get(kind) else None
        if (companion := companions[kind]) is not None:
            check_same_shape(image.shape, companion.shape, f"{kind} {entry[kind]}")
    label = companions["label"]
    if labelled and label is None:
        raise InputError(f"{entry['image']} must have labels here, got none")
    if label is not None and not np.issubdtype(label.dtype, np.integer):
        raise InputError(f"labels must be integers, got {label.dtype} in {entry['label']}")
    first, last = entry.get("sections") or (0, image.shape[0])
    if not 0 <= first < last <= image.shape[0]:
        raise InputError(f"sections must lie within 0 and {image.shape[0]}, got {[first, last]} for {entry['image']}")
    mean, deviation = intensity_statistics(image)
    weight = float(entry.get("weight", 1.0))
    if not weight > 0:
        raise InputError(f"a volume's weight must be positive, got {weight} for {entry['image']}")
    return Tissue(image, label, companions["mask"], (first, last), weight, require_voxel_size(image), mean, deviation)


def _open(source: Any, voxel_size_nm: Sequence[float] | None) -> Volume:
    return source if isinstance(source, Volume) else open_with_default_size(source, voxel_size_nm)
