"""The input of training and evaluation: entries that name a volume, listed from a folder if need be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sectome.checks import InputError

Data = Sequence[Mapping[str, Any]]
"""Entries with "image" and optionally "label" and "mask" (paths or opened volumes), "sections", "rows" and "columns"
([start, stop] along z, y and x in voxels of the volume; by default the whole axis), "weight" (how often random crops
come from here relative to other entries; by default 1) and "near_voxel_size_nm" ((z, y, x), selects the pyramid level).
"membrane", a mask, replaces "label": see `MembraneLabels`. Label and mask have the image's shape or lie inside it by
their offset: see `PlacedInside`; ranges then default to the extent of the label. "section_step" n keeps every n-th
section of the file, from the first on: see `EveryNthSection`; "sections" still counts all sections of the file."""


def find_volumes(folder: str | Path) -> list[dict[str, str]]:
    """List the volumes of a folder: `images/*`, with `labels/*` and `masks/*` of the same name where they exist.

    Raises:
        InputError: if there is no image, a label or mask has no image, or two share a name up to the first dot.
    """
    images = _by_stem((Path(folder) / "images").glob("[!.]*"))
    if not images:
        raise InputError(f"expected volumes in {Path(folder) / 'images'}, got none")
    entries = {stem: {"image": path} for stem, path in images.items()}
    for kind in ("label", "mask"):
        for stem, path in _by_stem((Path(folder) / f"{kind}s").glob("[!.]*")).items():
            if stem not in entries:
                raise InputError(
                    f"expected an image with the same name as {path} in {Path(folder) / 'images'}, got none"
                )
            entries[stem][kind] = path
    return list(entries.values())


def without_labels(data: Data) -> list[dict[str, Any]]:
    """Return the entries of `data` without their labels, for training on images alone."""
    return [{key: value for key, value in entry.items() if key not in ("label", "membrane")} for entry in data]


def find_corrected(studies: str | Path) -> list[dict[str, str]]:
    """List the volumes in a folder served by MONAI Label for which someone saved a label.

    Args:
        studies: folder with `NAME.nii.gz`, or another format, and `labels/final/NAME.*`.

    Raises:
        InputError: if no label was saved, a label has no image, or two images or two labels share a name up to the
            first dot.
    """
    folder = Path(studies) / "labels" / "final"
    images = _by_stem(path for path in Path(studies).glob("[!.]*.*") if path.suffix != ".json")
    entries = []
    for stem, label in _by_stem(folder.glob("[!.]*")).items():
        if stem not in images:
            raise InputError(f"expected an image with the same name as {label} in {studies}, got none")
        entries.append({"image": images[stem], "label": label})
    if not entries:
        raise InputError(f"expected corrected labels in {folder}, got none")
    return entries


def _by_stem(paths: Iterable[Path]) -> dict[str, str]:
    """Return sorted paths by their names up to the first dot, or raise an `InputError` if two share one."""
    found: dict[str, str] = {}
    for path in sorted(paths):
        stem = path.name.split(".")[0]
        if stem in found:
            raise InputError(f"volumes must differ in their names up to the first dot, got {found[stem]} and {path}")
        found[stem] = str(path)
    return found
