"""What training and evaluation are given: entries that name a volume, and how a folder becomes a list of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sectome.checks import InputError

Data = Sequence[Mapping[str, Any]]
"""Entries with "image" and optionally "label" and "mask" (paths, or opened volumes), "sections", "rows" and "columns"
([start, stop] along z, y and x, in voxels of the volume; all of an axis without), "weight" (how often random crops come
from here, against the others; 1 by default) and "near_voxel_size_nm" ((z, y, x), which level of a pyramid is taken).
"membrane", a mask, takes the place of "label": see `MembraneLabels`. Label and mask have the image's shape or, with an
offset, lie in it: see `PlacedInside`; all of an axis is then that of the label. "section_step" takes one section in so
many of the file's, counted from its first: see `EveryNthSection`; "sections" are the file's, still."""


def find_volumes(folder: str | Path) -> list[dict[str, str]]:
    """List the volumes of a folder: `images/*`, with `labels/*` and `masks/*` of the same name where they exist.

    Raises:
        InputError: if there is no image, a label or mask belongs to none, or two have one name up to the first dot.
    """
    images = _by_stem((Path(folder) / "images").glob("[!.]*"))
    if not images:
        raise InputError(f"volumes were expected in {Path(folder) / 'images'}, got none")
    entries = {stem: {"image": path} for stem, path in images.items()}
    for kind in ("label", "mask"):
        for stem, path in _by_stem((Path(folder) / f"{kind}s").glob("[!.]*")).items():
            if stem not in entries:
                raise InputError(f"{path} must have an image of the same name in {Path(folder) / 'images'}, got none")
            entries[stem][kind] = path
    return list(entries.values())


def without_labels(data: Data) -> list[dict[str, Any]]:
    """Return the entries of `data` without what was labelled, for those who learn from images alone."""
    return [{key: value for key, value in entry.items() if key not in ("label", "membrane")} for entry in data]


def find_corrected(studies: str | Path) -> list[dict[str, str]]:
    """List the volumes of a folder that MONAI Label serves for which someone saved a label.

    Args:
        studies: holds `NAME.nii.gz`, or another format, and `labels/final/NAME.*`.

    Raises:
        InputError: if no label was saved, one belongs to no image, or two images or two labels have one name up to the
            first dot.
    """
    folder = Path(studies) / "labels" / "final"
    images = _by_stem(path for path in Path(studies).glob("[!.]*.*") if path.suffix != ".json")
    entries = []
    for stem, label in _by_stem(folder.glob("[!.]*")).items():
        if stem not in images:
            raise InputError(f"{label} must have an image of the same name in {studies}, got none")
        entries.append({"image": images[stem], "label": label})
    if not entries:
        raise InputError(f"corrected labels were expected in {folder}, got none")
    return entries


def _by_stem(paths: Iterable[Path]) -> dict[str, str]:
    """Return paths by their names up to the first dot, in order; an `InputError` if two have one."""
    found: dict[str, str] = {}
    for path in sorted(paths):
        stem = path.name.split(".")[0]
        if stem in found:
            raise InputError(f"volumes must differ in their names up to the first dot, got {found[stem]} and {path}")
        found[stem] = str(path)
    return found
